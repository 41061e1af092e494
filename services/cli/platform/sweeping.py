"""Ends what a supervisor left behind when it was killed.

Contract: only processes that this home remembers, known by id and start time. Services first, then
the servers that they use.
"""

from services.cli.platform import openbao, processes
from services.cli.platform.home import Home
from services.cli.platform.postgres import PostgresServer

END_SECONDS = 15.0
SERVERS = ("postgres", "openbao", "supervisor")


def sweep(home: Home) -> bool:
    """End every process that is left; False when there was none. Not while a supervisor runs."""
    found = {file: processes.find(file) for file in home.run.glob("*.pid")}
    for file, process in found.items():
        if file.stem not in SERVERS:
            if process is not None:
                processes.end(process, seconds=END_SECONDS)
            file.unlink(missing_ok=True)
    openbao.stop(home)
    if found.get(home.pid_file("postgres")) is not None:
        PostgresServer(home=home).stop()
    return any(found.values())
