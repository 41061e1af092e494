"""PostgreSQL and OpenBao of a test's own, for services as processes whose database is to fail.

Contract: commits are durable, unlike in the shared server. `disk`, where the machine gives one, is
what PostgreSQL's data lie on, and nothing else.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.cli.platform import ports
from services.cli.platform.bootstrap import Bootstrap
from services.cli.platform.home import DATABASES, Home
from services.cli.platform.openbao import OpenBaoServer
from services.cli.platform.postgres import PostgresServer
from tests.support.own_postgres import OwnPostgres
from tests.support.platform import OpenBao
from tests.support.small_disk import SmallDisk, small_disk

DISK = "320m"


@dataclass(frozen=True)
class OwnPlatform:
    """Both servers, set up for every service. `no_disk` says why there is no disk to fill."""

    openbao: OpenBao
    postgres: OwnPostgres
    disk: SmallDisk | None
    no_disk: str


@contextmanager
def own_platform() -> Iterator[OwnPlatform]:
    """Running servers, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="xr-"))
    home = Home(folder / "home")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(shutil.rmtree, home.socket_dir, ignore_errors=True)
        home.make()
        disk, why = None, ""
        try:
            disk = stack.enter_context(small_disk(home.postgres, DISK))
        except pytest.skip.Exception as skipped:
            why = str(skipped)
        postgres = PostgresServer(home=home)
        stack.callback(postgres.stop)
        postgres.start()
        postgres.provision(DATABASES)
        chosen = ports.claim(home, ["openbao", "openbao-cluster"])
        server = OpenBaoServer(
            home=home, port=chosen["openbao"], cluster_port=chosen["openbao-cluster"]
        )
        stack.callback(server.stop)
        server.start()
        Bootstrap(home=home, openbao=server, postgres=postgres).apply()
        yield OwnPlatform(OpenBao(home), OwnPostgres(postgres, home), disk, why)
