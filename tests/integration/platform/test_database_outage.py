"""The pool of one process when its PostgreSQL is away: it fails soon, and recovers by itself."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Database
from services.runtime.vault import Credentials
from tests.support.own_postgres import OwnPostgres, own_postgres

PATIENCE = 15.0
"""Seconds, at most: far more than it takes, for a machine that does much else."""


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest.fixture
async def database(server: OwnPostgres) -> AsyncIterator[Database]:
    config, login = server.create()

    async def credentials() -> Credentials:
        return login

    database = await Database.open(
        config, credentials, SystemClock(), statement_timeout=timedelta(seconds=1)
    )
    yield database
    await database.close()


async def away(database: Database) -> None:
    """Calls fail, many at once, and each of them soon: the pool waits two seconds."""

    async def fails() -> None:
        with pytest.raises(CrossroadsError, match="does not answer; retry later") as failure:
            await database.ping()
        assert failure.value.reason is Reason.STORE_UNAVAILABLE
        assert failure.value.retryable

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(fails() for _ in range(100)))


async def back(database: Database) -> None:
    """Calls are answered again, and soon all of them."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await database.ping()
            except CrossroadsError:
                await asyncio.sleep(0.01)
            else:
                break
        await asyncio.gather(*(database.ping() for _ in range(50)))


async def test_calls_fail_soon_while_the_server_is_down_and_work_once_it_is_back(
    server: OwnPostgres, database: Database
) -> None:
    with server.killed():
        await away(database)
    await back(database)


async def test_call_under_way_fails_when_the_server_is_killed(
    server: OwnPostgres, database: Database
) -> None:
    begun = asyncio.Semaphore(0)

    async def sleeping() -> None:
        async with database.transaction() as conn:
            begun.release()
            await conn.execute("SELECT pg_sleep(0.9)")

    calls = [asyncio.create_task(sleeping()) for _ in range(8)]
    for _ in calls:
        await begun.acquire()
    with server.killed():
        for each in calls:
            with pytest.raises(CrossroadsError) as failure:
                await each
            assert failure.value.reason is Reason.STORE_UNAVAILABLE
    await back(database)


async def test_calls_fail_soon_while_the_server_is_frozen(
    server: OwnPostgres, database: Database
) -> None:
    await back(database)
    with server.frozen():
        await away(database)
    await back(database)


async def test_sessions_that_the_server_ended_are_not_given_out(
    server: OwnPostgres, database: Database
) -> None:
    await back(database)
    with server.killed():
        pass
    # Not one call fails: the pool sees that its sessions are over before it gives one out.
    await asyncio.gather(*(database.ping() for _ in range(8)))


def test_a_killed_server_starts_again_although_its_parent_is_slow_to_notice(
    server: OwnPostgres,
) -> None:
    """PostgreSQL takes the zombie named in its lock files for a server that still runs."""
    dead = server.server.process
    assert dead is not None
    server.kill(reap=False)
    reaper = threading.Timer(0.7, dead.wait)
    reaper.start()
    try:
        assert server.server.start().poll() is None
    finally:
        reaper.join()
    assert dead.returncode == -signal.SIGKILL
