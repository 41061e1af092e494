"""fsck of what stands beside the log: holds, deferrals, the index of terms."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.logging.evidence_model import Criteria
from services.logging.model import microseconds
from services.logging.snapshot import open_snapshot
from services.logging.store import LogStore
from tests.support.evidence import PrivateLog, exchange
from tests.support.log_tables import look
from tests.support.logs import ORIGIN, SUBJECT, Safe, StoppedClock
from tests.support.platform import OpenDatabase


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[PrivateLog]:
    """A log with a hold, a released one, a deferral, an ended one, and all terms indexed."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    log = PrivateLog(store, clock=StoppedClock(datetime(2001, 3, 10, tzinfo=UTC)), safe=Safe())
    about = Criteria(subjects=(SUBJECT,))
    case = {"by": "auditor-1", "authority": "court", "reason": "case"}
    async with log.running():
        await log.sequencer.append([exchange(), exchange(), exchange(subject="")])
        kept, _ = await log.holds.place(**case, criteria=about)
        gone, _ = await log.holds.place(**case, criteria=about)
        await log.holds.release(gone.hold_id, by="auditor-1", reason="over")
        until = log.clock.now() + timedelta(days=30)
        await log.deferrals.defer(**case, until=until, criteria=about)
        ended = await log.deferrals.defer(**case, until=until, criteria=about)
        await log.later(days=1)
        await log.deferrals.end(ended.deferral_id, by="auditor-1", reason="over")
        await log.indexer.catch_up()
        assert kept.index
        yield log


async def difference(log: PrivateLog) -> str:
    async with log.store._database.connection() as conn, open_snapshot(conn, ORIGIN) as snapshot:
        return (await look(snapshot, log.safe, microseconds(log.clock.now()))).difference


async def test_what_nobody_touched_is_clean_also_when_erased(log: PrivateLog) -> None:
    assert await difference(log) == ""
    for span in await log.tables.months():
        await log.shredder.erase(span)
    assert await difference(log) == ""


@pytest.mark.parametrize("table", ["hold", "deferral"])
async def test_a_row_that_is_removed_shows_also_when_its_act_is_erased(
    log: PrivateLog, table: str
) -> None:
    await log.later(days=365 * 31)
    await log.shredder.sweep()
    assert (await log.evidence.records([3]))[0].opened is not None  # a hold's own entry, held
    assert await difference(log) == ""
    async with log.store._database.connection() as conn:
        await conn.execute("DELETE FROM held_entry")
        await conn.execute(f"DELETE FROM {table}".encode())
    assert "rows were removed" in await difference(log)


CHANGES = {
    "UPDATE hold SET index = index + 1": "a hold, deferral or erasure",
    "UPDATE hold SET index = index + 1000": "there is none",
    "UPDATE hold SET transit_key = transit_key || 'x'": "the Transit key of another",
    "UPDATE hold SET wrapped = wrapped || 'AAAA' WHERE released_at IS NULL": "not what Vault",
    "UPDATE hold SET released_at = now() WHERE released_at IS NULL": "released, and no act does",
    "UPDATE held_entry SET evidence = evidence || '\\x00'": "held_entry: entry 0",
    "UPDATE held_entry SET index = 2 WHERE index = 1": "held_entry: entry 2",
    "WITH h AS (DELETE FROM held_entry) DELETE FROM hold WHERE released_at IS NULL": "hold: entry",
    "DELETE FROM hold WHERE released_at IS NOT NULL": "hold: entry",
    "DELETE FROM deferral WHERE until > '2001-04-01'": "deferral: entry",
    "DELETE FROM deferral WHERE until < '2001-04-01'": "deferral: entry",
    "UPDATE deferral SET index = index - 1": "a hold, deferral or erasure",
    "UPDATE deferral SET until = until + interval '1 us'": "ends at a time that no act says",
    "UPDATE deferral SET until = until - interval '1 us' WHERE until > '2001-04-01'": "no act says",
    "UPDATE deferral SET until = 'infinity'": "can't be read",
    "DELETE FROM term_entry WHERE index = 1": "entry 1 is not found by its terms",
    "UPDATE term_entry SET term_mac = sha256(term_mac) WHERE index = 1": "by its terms",
    "UPDATE term_entry SET index = index + 1000000": "term_entry",
    "UPDATE term_index SET size = 1": "is not found by its terms",
    "UPDATE term_index SET size = size + 1": "more entries are indexed",
}


@pytest.mark.parametrize("statement", CHANGES)
async def test_the_first_difference_is_named(log: PrivateLog, statement: str) -> None:
    async with log.store._database.connection() as conn:
        try:
            done = await conn.execute(statement.encode())
            assert done.rowcount > 0
        finally:
            await conn.commit()
    assert CHANGES[statement] in await difference(log)


async def test_a_hold_and_a_deferral_count_once_their_act_is_durable_and_not_before(
    log: PrivateLog,
) -> None:
    """As when the process ended before the act, and between the act and what follows it."""
    before = await log.holds.every(), [each.deferral for each in await log.deferrals.every()]
    async with log.store._database.connection() as conn:
        await conn.execute("UPDATE hold SET index = -1")
        await conn.execute("UPDATE deferral SET index = -1")
        for table in ("hold", "deferral"):
            another = f"jsonb_populate_record({table}, jsonb_build_object('{table}_id', %b::uuid))"
            insert = f"INSERT INTO {table} SELECT ({another}).* FROM {table} LIMIT 1"
            await conn.execute(insert.encode(), (uuid4(),))
    after = await log.holds.every(), [each.deferral for each in await log.deferrals.every()]
    assert after == before
    async with log.store._database.connection() as conn:
        await conn.execute("UPDATE hold SET transit_key = 'log-hold-' || hold_id")
    assert await difference(log) == ""
