"""Waits until no test worker holds the shared servers any more, then ends them.

Contract: `python -m tests.support.leash FOLDER`. The kernel frees a lock with its process, so this
also works when the workers were killed.
"""

import fcntl
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from services.cli.platform import openbao
from services.cli.platform.home import Home
from services.cli.platform.postgres import PostgresServer
from tests.support import containers


def main(folder: Path) -> None:
    """Block for the lock; stop and remove everything while nobody can come in."""
    with (folder / "holders.lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        home = Home(folder / "home")
        openbao.stop(home)
        PostgresServer(home=home).stop()
        if containers.started(home):
            containers.remove(home)
        with suppress(OSError):
            shutil.rmtree(home.socket_dir)
        shutil.rmtree(home.path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
