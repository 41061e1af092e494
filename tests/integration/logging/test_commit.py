"""An append whose commit fails, after PostgreSQL has sent what the statement gave."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.logging.store import LogStore
from services.runtime.errors import CrossroadsError, Reason
from tests.support.logs import ORIGIN, Log
from tests.support.platform import OpenDatabase

FAILS = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
"""
"""An error of the commit, as a write to the WAL that fails is one."""


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[Log]:
    """A log with one entry."""
    log = Log(await LogStore.open(await fresh_database("services.logging"), ORIGIN))
    async with log.running():
        await log.sequencer.append([log.entry()])
        yield log


async def test_an_entry_whose_commit_fails_is_not_acknowledged(log: Log) -> None:
    async with log.store.database.connection() as conn:
        await conn.execute(FAILS)
    with pytest.raises(CrossroadsError) as refused:
        await log.sequencer.append([log.entry()])
    assert refused.value.reason is Reason.LOG_UNAVAILABLE
    assert refused.value.retryable
    async with log.store.database.connection() as conn:
        await conn.execute("DROP TRIGGER at_commit ON entry")
    async with asyncio.timeout(10):
        await log.sequencer.opened()
    (done,) = await log.sequencer.append([log.entry()])
    assert done.index == 1
    await log.checkpoints.publish()
    assert log.checkpoints.newest.size == 2
