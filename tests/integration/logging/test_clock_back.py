"""A clock that is put back: the log's own time does not follow it.

Sequencer, checkpoints, keys of months and daily roots on one clock that a test sets, with a real
PostgreSQL. Times never go back from one entry to the next, no month's key is used for another
month, and fsck finds nothing.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.logging.model import instant, microseconds
from services.logging.snapshot import open_snapshot
from services.logging.store import LogStore
from tests.support.evidence import PrivateLog, exchange
from tests.support.log_tables import look
from tests.support.logs import ORIGIN, Safe, StoppedClock
from tests.support.platform import OpenDatabase

MIDNIGHT = datetime(2001, 4, 1, tzinfo=UTC)
AFTER = MIDNIGHT + timedelta(seconds=10)


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[PrivateLog]:
    """A log with an entry of each of two months, the second one's in its first seconds."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    log = PrivateLog(store, clock=StoppedClock(MIDNIGHT - timedelta(minutes=1)), safe=Safe())
    async with log.running():
        await log.sequencer.append([exchange()])
        await log.go_to(AFTER)
        await log.sequencer.append([exchange()])
        await log.checkpoints.publish()
        yield log


async def times(log: PrivateLog) -> list[datetime]:
    """When each entry was recorded."""
    found = [await log.store.recorded_at(index) for index in range(log.sequencer.size)]
    return [instant(each) for each in found if each is not None]


async def assert_clean(log: PrivateLog) -> None:
    """fsck finds nothing, nor does the copy of the checkpoint differ."""
    async with log.store.database.connection() as conn, open_snapshot(conn, ORIGIN) as snapshot:
        now = microseconds(max(log.clock.now(), AFTER))
        report = await look(snapshot, log.safe, now, log.copy.note)
    assert report.difference == ""
    assert report.published == report.entries == log.sequencer.size


@pytest.mark.parametrize(
    "back", [timedelta(seconds=30), timedelta(hours=1), timedelta(days=40)], ids=str
)
async def test_entries_keep_their_order_in_time_and_stay_in_the_month_that_had_begun(
    log: PrivateLog, back: timedelta
) -> None:
    log.clock.time = AFTER - back
    for _ in range(2):
        await log.sweeper.prepare()
        await log.sequencer.append([exchange()])
        await log.checkpoints.publish()
        await log.sweeper.sweep()
    assert await times(log) == [MIDNIGHT - timedelta(minutes=1), AFTER, AFTER, AFTER]
    months = {each.data_key_id: each.month for each in await log.tables.months()}
    rows = await log.tables.rows(range(log.sequencer.size))
    assert [months[row.data_key_id].month for row in rows] == [4, 4, 4, 3]
    await assert_clean(log)
    log.clock.time = AFTER + timedelta(seconds=1)  # the clock has caught up
    await log.sequencer.append([exchange()])
    await log.checkpoints.publish()
    assert (await times(log))[-1] == log.clock.now()
    await assert_clean(log)


@pytest.mark.parametrize("back", [timedelta(minutes=1), timedelta(days=40)], ids=str)
async def test_a_process_that_starts_on_a_clock_behind_the_log_goes_on_in_the_logs_time(
    log: PrivateLog, back: timedelta
) -> None:
    assert log.task is not None
    log.task.cancel()
    log.clock.time = AFTER - back
    again = log.restarted()
    again.copy.note = log.copy.note
    async with again.running():
        await again.sweeper.prepare()
        await again.sequencer.append([exchange()])
        await again.checkpoints.publish()
        assert (await times(again))[-2:] == [AFTER, AFTER]
        await assert_clean(again)


async def test_a_day_is_closed_once_however_often_the_clock_passes_its_end(
    log: PrivateLog,
) -> None:
    closed = MIDNIGHT + timedelta(minutes=6)
    log.clock.time = closed
    (first,) = await log.roots.sweep()
    assert first.until == 1
    log.clock.time = MIDNIGHT - timedelta(seconds=1)
    await log.sequencer.append([exchange()])  # in the log's time: of the new day
    assert not await log.roots.sweep()
    log.clock.time = closed
    assert not await log.roots.sweep()
    await log.checkpoints.publish()
    await assert_clean(log)
