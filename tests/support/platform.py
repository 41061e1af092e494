"""Real servers for tests: PostgreSQL and OpenBao, started once and shared by all workers.

`--servers` says where they come from: wheels (of themselves), or containers (containers.py).

Contract: `postgres` and `openbao` are sessions' fixtures; `fresh_database` gives a test an empty
database of its own, with a service's migrations applied. Nothing is started that no test asks for.
The servers end with the last worker, also when it is killed: each worker holds a shared lock, and a
small process (leash.py) waits until nobody holds it any more.
"""

import asyncio
import fcntl
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from services.cli.platform import ports
from services.cli.platform.bootstrap import Bootstrap, operator_session
from services.cli.platform.configuration import database_config
from services.cli.platform.home import DATABASES, Home
from services.cli.platform.openbao import OpenBaoServer
from services.cli.platform.postgres import PostgresServer
from services.runtime.clock import SystemClock
from services.runtime.config import DatabaseConfig, TrustConfig, VaultConfig
from services.runtime.vault import Credentials, Vault
from services.runtime.vaultsession import Session
from tests.support import containers
from tests.support.next_version import go_ahead

if TYPE_CHECKING:
    from tests.support.kubernetes_api import Server

StartsServer = Callable[[Path], "AbstractContextManager[Server]"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the shared servers come from."""
    parser.addoption(
        "--servers",
        choices=("wheels", "containers"),
        default="wheels",
        help="shared PostgreSQL, OpenBao and API server: from wheels and the PATH, or containers",
    )


class OpenDatabase(Protocol):
    """Makes a database: the service's package (its migrations), or None for an empty one.

    `ahead`: a next version has migrated it too.
    """

    def __call__(
        self, package: str | None = None, *, ahead: bool = False, **options: Any
    ) -> Awaitable[Any]: ...


class Shared:
    """The home that all workers of one test run share."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Short, and open to PostgreSQL's user: pytest keeps its directories to itself.
        self.home = Home(folder / "home")
        self.held = (folder / "holders.lock").open("ab")
        self._folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Alone among the workers; the servers stay until this worker has ended."""
        with (self._folder / "start.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fcntl.flock(self.held, fcntl.LOCK_SH)
            if not self.home.path.exists():
                self.home.make()
                leash = [sys.executable, "-m", "tests.support.leash", str(self._folder)]
                process = subprocess.Popen(leash, start_new_session=True, stdin=subprocess.DEVNULL)
                self.started.append(process)
            yield

    def once(self, name: str, start: Callable[[], None]) -> None:
        """Run `start` in the first worker that comes here."""
        marker = self.home.run / f"{name}.ready"
        with self.starting():
            if not marker.exists():
                start()
                marker.touch()


class Postgres:
    """The shared server, and databases on it."""

    def __init__(self, server: PostgresServer, home: Home) -> None:
        self.server = server
        self.home = home

    def create(self, name: str | None = None) -> tuple[DatabaseConfig, Credentials]:
        """A new database with its owner, and a login that is a member of it, for a day."""
        import psycopg  # noqa: PLC0415 - unit tests load this plugin too

        name = name or f"test_{secrets.token_hex(6)}"
        password = secrets.token_hex(16)
        with psycopg.connect(**self.server.superuser()) as conn:
            conn.execute(f"CREATE ROLE {name}_owner NOLOGIN")
            conn.execute(
                f"CREATE ROLE {name}_login LOGIN PASSWORD '{password}' IN ROLE {name}_owner"
            )
            conn.execute(f"CREATE DATABASE {name} OWNER {name}_owner STRATEGY file_copy")
            conn.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        config = DatabaseConfig(
            name=name, role=name, owner=f"{name}_owner", host=str(self.home.socket_dir)
        )
        until = datetime.now(UTC) + timedelta(days=1)
        return config, Credentials(f"{name}_login", password, until)

    def drop(self, name: str) -> None:
        """Remove what `create` made, sessions and all."""
        import psycopg  # noqa: PLC0415

        with psycopg.connect(**self.server.superuser()) as conn:
            conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            conn.execute(f"DROP ROLE IF EXISTS {name}_login, {name}_owner")


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """The home of the shared servers; the same for every worker of a run."""
    base = tmp_path_factory.getbasetemp()
    run = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    shared = Shared(run / "platform")
    yield shared
    shared.held.close()
    for process in shared.started:
        process.returncode = 0  # the leash ends it; Popen would warn that it still runs


@pytest.fixture(scope="session")
def in_containers(pytestconfig: pytest.Config) -> bool:
    """Whether the shared servers are containers; who asks is skipped where none can be."""
    asked: bool = pytestconfig.getoption("--servers") == "containers"
    if asked and (reason := containers.missing()):
        pytest.skip(reason)
    return asked


@pytest.fixture(scope="session")
def api_server(shared_home: Shared, in_containers: bool) -> StartsServer:
    """A function: `with api_server(folder) as server` starts a real, empty Kubernetes API server.

    It is kube-apiserver from the PATH, or K3s in a container.
    """
    from tests.support.k3s import k3s  # noqa: PLC0415 - unit tests load this plugin too
    from tests.support.kubernetes_api import real  # noqa: PLC0415

    if not in_containers:
        return real
    with shared_home.starting():
        return partial(k3s, shared_home.home)


@pytest.fixture(scope="session")
def postgres(shared_home: Shared, in_containers: bool) -> Postgres:
    """A real PostgreSQL server. Commits are not durable in it, for speed."""
    home = shared_home.home
    server = PostgresServer(home=home, durable=False)

    def start() -> None:
        if in_containers:
            containers.start_postgres(home)
        else:
            shared_home.started.append(server.start())
        server.provision(DATABASES)

    shared_home.once("postgres", start)
    return Postgres(server, home)


class OpenBao:
    """The shared Vault, set up for every service on the shared PostgreSQL."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.address = f"https://{ports.LOOPBACK}:{ports.known(home)['openbao']}"

    def config(self, service: str) -> VaultConfig:
        """How a service reaches it, with the service's own AppRole."""
        folder = self.home.secrets / service
        return VaultConfig(
            address=self.address,
            ca_file=str(self.home.vault_ca),
            role_id_file=str(folder / "role_id"),
            secret_id_file=str(folder / "secret_id"),
        )

    def trust(self) -> TrustConfig:
        """The intermediates, one PEM file for each kind of certificate."""
        folder = self.home.authorities
        return TrustConfig(
            services=str(folder / "services.pem"),
            institutions=str(folder / "institutions.pem"),
            persons=str(folder / "persons.pem"),
        )

    def database_config(self, service: str) -> DatabaseConfig:
        """A service's own database, shared by every test that uses it."""
        return database_config(self.home, service)

    def operator(self) -> Session:
        """A session as the operator; close it."""
        return operator_session(self.home, self.address)


@pytest.fixture(scope="session")
def openbao(shared_home: Shared, postgres: Postgres, in_containers: bool) -> OpenBao:
    """A real OpenBao: PKI, Transit, database engine and an AppRole for each service."""
    home = shared_home.home

    def start() -> None:
        chosen = ports.claim(home, ["openbao", "openbao-cluster"])
        server = OpenBaoServer(
            home=home, port=chosen["openbao"], cluster_port=chosen["openbao-cluster"]
        )
        if in_containers:
            containers.start_openbao(home, server)
        else:
            shared_home.started.append(server.start())
        Bootstrap(home=home, openbao=server, postgres=postgres.server).apply()

    shared_home.once("openbao", start)
    return OpenBao(home)


@pytest.fixture
async def open_vault(openbao: OpenBao) -> AsyncIterator[Callable[[str], Awaitable[Vault]]]:
    """A function: `await open_vault("logging")` logs in as that service."""
    opened: list[Vault] = []

    async def make(service: str) -> Vault:
        opened.append(await Vault.open(openbao.config(service), clock=SystemClock()))
        return opened[-1]

    yield make
    for vault in opened:
        await vault.close(revoke=False)


@pytest.fixture
async def fresh_database(postgres: Postgres) -> AsyncIterator[OpenDatabase]:
    """A function: `await fresh_database("services.logging")` opens a database of the test's own.

    The package's migrations are applied; without a package it is empty. It is dropped afterwards.
    """
    from services.runtime.migrations import migrate  # noqa: PLC0415
    from services.runtime.postgres import Database  # noqa: PLC0415

    opened: list[tuple[Database, str]] = []

    async def make(package: str | None = None, *, ahead: bool = False, **options: Any) -> Database:
        config, login = postgres.create()

        async def credentials() -> Credentials:
            return login

        database = await Database.open(config, credentials, SystemClock(), **options)
        opened.append((database, config.name))
        if package is not None:
            await migrate(database, package)
        if ahead:
            async with database.connection() as conn:
                assert await go_ahead(conn)
        return database

    yield make
    for database, _ in opened:
        await database.close()
    for _, name in opened:
        # Not on this loop: PostgreSQL waits for every session, and one that still logs in waits
        # for us, up to a minute.
        await asyncio.to_thread(postgres.drop, name)
