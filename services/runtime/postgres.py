"""PostgreSQL: one pool for each process, with logins that Vault's database engine issues.

Contract: `transaction` and `connection` give a psycopg connection that acts as the owner role. A
database that can't be reached is CrossroadsError(STORE_UNAVAILABLE) within about two seconds, one
that falls silent a second after the statement's time is up; other psycopg errors (a broken
constraint, say) pass unchanged, for the store to tell apart. A new login is fetched at two thirds
of the lease; connections made with the old one retire when they come back to the pool, long before
it ends. Importing this module costs
what psycopg costs (0.2 s of CPU): import it where a database is used.
"""

import asyncio
import logging
import os
import select
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from services.runtime.clock import Clock
from services.runtime.config import DatabaseConfig
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.vault import RENEW_AT, Credentials, Spawn

Connection = AsyncConnection[TupleRow]

CONNECT_SECONDS = 2
STATEMENT_TIMEOUT = timedelta(seconds=5)
SILENCE = timedelta(seconds=1)
"""How long after a statement's own time this side waits for the server to say that it is over."""
IDLE_TRANSACTION_TIMEOUT = timedelta(seconds=30)
MAX_WAITING = 1000
BACKOFF_SECONDS = (0.5, 30.0)

_logger = logging.getLogger(__name__)


class Database:
    """The service's own database. Make it with `open`."""

    def __init__(
        self,
        *,
        config: DatabaseConfig,
        credentials: Callable[[], Awaitable[Credentials]],
        clock: Clock,
        statement_timeout: timedelta,
    ) -> None:
        self._config = config
        self._fetch = credentials
        self._clock = clock
        self._options = _options(config.owner, statement_timeout)
        self._patience = statement_timeout
        self._login: Credentials | None = None
        self._fetched_at = 0.0
        self._refused = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # It logs each request for a connection at INFO.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._pool: AsyncConnectionPool[_Watched] = AsyncConnectionPool(
            kwargs=self._parameters,
            connection_class=self._connection_class(),
            name=config.name,
            open=False,
            min_size=min(2, config.max_size),
            max_size=config.max_size,
            max_waiting=MAX_WAITING,
            timeout=CONNECT_SECONDS,
            # Short, so that a pool does not back off for half a minute after an outage: when it
            # gives up, the next caller makes it try again.
            reconnect_timeout=CONNECT_SECONDS,
            max_lifetime=60 * 60,
        )

    @classmethod
    async def open(
        cls,
        config: DatabaseConfig,
        credentials: Callable[[], Awaitable[Credentials]],
        clock: Clock,
        *,
        spawn: Spawn | None = None,
        statement_timeout: timedelta = STATEMENT_TIMEOUT,
    ) -> Self:
        """Fetch a login, connect, and keep the login fresh in the background.

        `credentials` gives a new login each time. `spawn` runs the background task under somebody's
        supervision; without it the task is the object's own. Raises STORE_UNAVAILABLE, and what
        `credentials` raises.
        """
        database = cls(
            config=config, credentials=credentials, clock=clock, statement_timeout=statement_timeout
        )
        await database._renew()
        try:
            await database._pool.open(wait=True, timeout=CONNECT_SECONDS * 2)
        except PoolTimeout:
            raise _unavailable() from None
        if spawn is None:
            database._task = asyncio.create_task(database.keep(), name="database")
        else:
            spawn("database", database.keep())
        return database

    async def close(self) -> None:
        """Close every connection; those in use are closed when they come back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, *, patience: timedelta | None = None) -> AsyncIterator[Connection]:
        """A connection inside one transaction: committed at the end, rolled back on any error."""
        async with self.connection(patience=patience) as conn, conn.transaction():
            yield conn

    @asynccontextmanager
    async def connection(self, *, patience: timedelta | None = None) -> AsyncIterator[Connection]:
        """A connection in autocommit: each statement is a transaction of its own.

        `patience`: how long a statement may take, where the caller sets another statement_timeout.
        """
        conn = await self._living()
        conn.patience = patience or self._patience
        try:
            yield conn
        except psycopg.Error as error:
            translated = _translate(error)
            if translated is None:
                raise
            # No cause: its text may quote keys, and would reach a log with the traceback.
            raise translated from None
        finally:
            await self._pool.putconn(conn)

    async def ping(self) -> None:
        """Whether the database answers, for the health check. Raises STORE_UNAVAILABLE."""
        async with self.connection() as conn:
            await conn.execute("SELECT 1")

    async def keep(self) -> None:
        """Fetch a new login at two thirds of the lease, or when it is refused; never ends."""
        delay, longest = BACKOFF_SECONDS
        wait = self._until_renewal()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._refused.wait()
            try:
                await self._renew()
            except CrossroadsError as error:
                _logger.warning("no new login to the database: %s", error.message)
                wait, delay = delay, min(delay * 2, longest)
                self._refused.clear()  # the wait is the back-off now
                continue
            self._refused.clear()
            await self._pool.drain()
            wait, delay = max(self._until_renewal(), BACKOFF_SECONDS[0]), BACKOFF_SECONDS[0]

    async def _renew(self) -> None:
        asked = self._clock.monotonic()
        self._login = await self._fetch()
        self._fetched_at = asked

    def _until_renewal(self) -> float:
        """Seconds until two thirds of the lease are over."""
        assert self._login is not None
        left = (self._login.expires_at - self._clock.now()).total_seconds()
        elapsed = self._clock.monotonic() - self._fetched_at
        return max(0.0, RENEW_AT * (left + elapsed) - elapsed)

    def _parameters(self) -> dict[str, Any]:
        """What libpq needs for a new connection, with the login of this moment."""
        assert self._login is not None
        return {
            "host": self._config.host,
            "port": self._config.port,
            "dbname": self._config.name,
            "user": self._login.username,
            "password": self._login.password,
            # A server that asks for the password in clear is not ours.
            "require_auth": "scram-sha-256",
            "options": self._options,
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "crossroads",
            "autocommit": True,
            **_encryption(self._config.ca_file),
        }

    def _connection_class(self) -> "type[_Watched]":
        """Connections that tell this object when its login is refused."""
        return type("Watched", (_Watched,), {"refused": self._refused})

    async def _living(self) -> "_Watched":
        """A connection from the pool that the server has not closed meanwhile."""
        for _ in range(self._config.max_size + 1):
            try:
                conn = await self._pool.getconn()
            except (PoolTimeout, PoolClosed):
                raise _unavailable() from None
            except TooManyRequests:
                message = "too many calls wait for the database; retry later"
                raise CrossroadsError(Reason.OVERLOADED, message, retry_after=1.0) from None
            if not _spoken_to(conn):
                return conn
            # The server says nothing unasked, except that it ends the connection.
            await conn.close()
            await self._pool.putconn(conn)
        raise _unavailable()


class _Watched(AsyncConnection[TupleRow]):
    """psycopg's connection, which does not wait for ever, and knows when its login is refused."""

    refused: asyncio.Event
    patience = STATEMENT_TIMEOUT

    @classmethod
    async def connect(cls, *arguments: Any, **keywords: Any) -> Any:
        try:
            return await super().connect(*arguments, **keywords)
        except psycopg.OperationalError as error:
            if "authentication" in str(error) or "role " in str(error):
                cls.refused.set()
            raise

    async def wait(self, *arguments: Any, **keywords: Any) -> Any:
        """What every operation of psycopg waits with.

        The server ends a statement that takes too long; one that is frozen, or behind a broken
        network, ends nothing. Cutting the socket makes that an error like any other.
        """
        seconds = (self.patience + SILENCE).total_seconds()
        timer = asyncio.get_running_loop().call_later(seconds, _cut, self.pgconn.socket)
        try:
            return await super().wait(*arguments, **keywords)
        finally:
            timer.cancel()


def _cut(descriptor: int) -> None:
    """End a connection under whoever reads from it, without closing what is his."""
    with socket.socket(fileno=os.dup(descriptor)) as own:
        own.shutdown(socket.SHUT_RDWR)


def _options(owner: str, statement_timeout: timedelta) -> str:
    """Settings of the session, sent with the connection so that they cost no round trip."""
    settings = {
        "role": owner,
        "statement_timeout": _milliseconds(statement_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(IDLE_TRANSACTION_TIMEOUT),
        "timezone": "UTC",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _encryption(ca_file: str) -> dict[str, str]:
    """Over a network the server proves who it is; a socket on this machine needs nothing."""
    return {"sslmode": "verify-full", "sslrootcert": ca_file} if ca_file else {}


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)


def _spoken_to(conn: Connection) -> bool:
    """Whether octets (or the end of the stream) wait on an idle connection: one system call."""
    poll = select.poll()
    poll.register(conn.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def _unavailable() -> CrossroadsError:
    message = "the database does not answer; retry later"
    return CrossroadsError(Reason.STORE_UNAVAILABLE, message, retry_after=1.0)


def _translate(error: psycopg.Error) -> CrossroadsError | None:
    """The error that callers understand, or None for one that the store must tell apart."""
    if isinstance(error, (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)):
        message = "another change came between; retry"
        return CrossroadsError(Reason.CONFLICT, message, retry_after=0.1)
    # 25006: this server became a standby.
    broken = psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction
    return _unavailable() if isinstance(error, broken) else None
