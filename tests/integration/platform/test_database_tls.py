"""Over a network the database's server proves who it is, as in a cluster.

PostgreSQL is real, but the binaries of this machine are built without TLS: a front of the test's
own answers the request for it (PostgreSQL's protocol, "SSL Session Encryption"), holds the
certificate, and hands everything else on to the server's socket.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from services.cli.platform import listener
from services.runtime.clock import SystemClock
from services.runtime.config import DatabaseConfig
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Database
from services.runtime.vault import Credentials
from tests.support.platform import Postgres

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class Front:
    """Takes TLS on the loopback interface, as "localhost", before a server's socket."""

    _servers: Sequence[asyncio.Server] = ()

    def __init__(self, socket: Path, folder: Path) -> None:
        self._socket = socket
        self.ca = folder / "ca.crt"
        cert, key = folder / "server.crt", folder / "server.key"
        listener.make(ca=self.ca, cert=cert, key=key)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(cert, key)
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked = 0
        self.told: set[int] = set()
        """How many octets each client sent once TLS was spoken."""

    async def start(self) -> int:
        """Listen; the port."""
        first = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = first.sockets[0].getsockname()[1]
        # An address that the certificate does not name.
        self._servers = [first, await asyncio.start_server(self._accept, "127.0.0.2", port)]
        return port

    async def stop(self) -> None:
        """End every connection."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return
            self.asked += 1
            writer.write(b"S")
            await writer.start_tls(self._tls)
            behind = await asyncio.open_unix_connection(str(self._socket))
            try:
                told, _ = await asyncio.gather(
                    pass_on(reader, behind[1]), pass_on(behind[0], writer)
                )
                self.told.add(told)
            finally:
                behind[1].close()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            return  # the client did not like the certificate, or went away
        finally:
            writer.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Everything, until one side ends; how many octets that was."""
    octets = 0
    with suppress(OSError):
        while data := await reader.read(65536):
            octets += len(data)
            writer.write(data)
            await writer.drain()
    writer.close()
    return octets


@pytest.fixture
async def front(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Front]:
    """A front before the shared server."""
    made = Front(postgres.home.socket_dir / ".s.PGSQL.5432", tmp_path)
    yield made
    await made.stop()


async def opened(config: DatabaseConfig, login: Credentials) -> Database:
    """The database by this configuration."""

    async def credentials() -> Credentials:
        return login

    return await Database.open(config, credentials, SystemClock())


async def test_a_service_reaches_its_database_by_tls(front: Front, postgres: Postgres) -> None:
    port = await front.start()
    config, login = postgres.create()
    config = replace(config, host="localhost", port=port, ca_file=str(front.ca))
    database = await opened(config, login)
    async with database.connection() as conn:
        row = await (await conn.execute("SELECT current_user")).fetchone()
    await database.close()
    assert row == (config.owner,)
    assert front.asked > 0
    postgres.drop(config.name)


async def test_a_server_of_another_authority_or_name_is_not_spoken_to(
    front: Front, postgres: Postgres, tmp_path: Path
) -> None:
    port = await front.start()
    config, login = postgres.create()
    config = replace(config, host="localhost", port=port, ca_file=str(front.ca))
    other, rest = tmp_path / "other.crt", tmp_path / "rest"
    listener.make(ca=other, cert=rest, key=rest)
    wrong = (
        replace(config, ca_file=str(other)),
        replace(config, ca_file=str(tmp_path / "missing.crt")),
        replace(config, host="127.0.0.2"),
    )
    failures = await asyncio.gather(
        *(opened(each, login) for each in wrong), return_exceptions=True
    )
    for failure in failures:
        assert isinstance(failure, CrossroadsError)
        assert failure.reason is Reason.STORE_UNAVAILABLE
    await front.stop()
    assert front.asked > 0
    assert front.told <= {0}  # neither a name nor a proof of the password
    postgres.drop(config.name)
