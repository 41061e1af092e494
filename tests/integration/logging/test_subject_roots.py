"""The daily root of the subject index: logged, made again, and an omission shows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.logging.evidence_model import Criteria
from services.logging.model import microseconds
from services.logging.snapshot import open_snapshot
from services.logging.store import LogStore
from services.logging.subjects import root_of
from services.proof import merkle
from tests.support.evidence import PrivateLog, exchange
from tests.support.log_tables import look
from tests.support.logs import ORIGIN, Safe, StoppedClock
from tests.support.platform import OpenDatabase

OTHER = "00012556777"


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[PrivateLog]:
    """A log with two days of entries, on the morning of the third."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    clock = StoppedClock(datetime(2001, 3, 10, 23, 50, tzinfo=UTC))
    log = PrivateLog(store, clock=clock, safe=Safe())
    async with log.running():
        await log.sequencer.append([exchange(), exchange(subject=OTHER), exchange(subject="")])
        await log.later(hours=1)
        await log.sequencer.append([exchange()])
        await log.later(days=1)
        yield log


async def difference(log: PrivateLog) -> str:
    """What fsck says."""
    await log.sweeper.sweep()
    async with log.store.database.connection() as conn, open_snapshot(conn, ORIGIN) as snapshot:
        return (await look(snapshot, log.safe, microseconds(log.clock.now()))).difference


async def run(log: PrivateLog, statement: str) -> None:
    async with log.store._database.connection() as conn:
        await conn.execute(statement.encode())


async def test_each_day_that_is_over_is_logged_once(log: PrivateLog) -> None:
    first, second = await log.roots.sweep()
    assert [(each.first, each.until, each.pairs) for each in (first, second)] == [
        (0, 3, 2),
        (3, 4, 1),
    ]
    (record,) = await log.evidence.records([first.index])
    assert (record.act, record.audit["root"]) == ("logging.subject_root", first.root.hex())
    assert await log.roots.sweep() == []
    assert await log.tables.roots() == [first, second]
    assert await difference(log) == ""


async def test_a_day_is_not_logged_before_it_has_settled(log: PrivateLog) -> None:
    await log.go_to(datetime(2001, 3, 11, 0, 4, tzinfo=UTC))
    assert await log.roots.sweep() == []
    await log.go_to(datetime(2001, 3, 11, 0, 5, tzinfo=UTC))
    assert [each.until for each in await log.roots.sweep()] == [3]


async def test_days_without_entries_leave_no_gap(log: PrivateLog) -> None:
    await log.roots.sweep()
    await log.later(days=5)
    await log.sequencer.append([exchange()])
    await log.later(days=3)
    (acts, entry) = await log.roots.sweep()
    assert (acts.first, acts.until, acts.pairs) == (4, 6, 0)  # the two acts that logged the roots
    assert (entry.first, entry.pairs) == (6, 1)
    assert await difference(log) == ""


async def test_the_root_is_that_of_the_sorted_pairs(log: PrivateLog) -> None:
    async with log.store._database.connection() as conn:
        rows = await conn.execute("SELECT subject_mac, index FROM subject_entry WHERE index < 3")
        pairs = sorted((bytes(mac), index) for mac, index in await rows.fetchall())
    tree = merkle.Tree()
    tree.append([merkle.leaf_hash(mac + index.to_bytes(8, "big")) for mac, index in pairs])
    assert await root_of(log.tables, 0, 3) == (2, tree.root())


TAMPERING = {
    "an omission": "DELETE FROM subject_entry WHERE index = 1",
    "another place": "UPDATE subject_entry SET index = 2 WHERE index = 1",
    "another root": "UPDATE subject_root SET root = sha256('x') WHERE first = 0",
    "another count": "UPDATE subject_root SET pairs = 3 WHERE first = 0",
    "a shorter day": "UPDATE subject_root SET until = 2 WHERE first = 0",
    "a later begin": "UPDATE subject_root SET first = 1 WHERE first = 0",
    "another entry": "UPDATE subject_root SET index = 99 WHERE first = 0",
    "another date": "UPDATE subject_root SET day = '2001-01-01' WHERE first = 0",
    "no first root": "DELETE FROM subject_root WHERE first = 0",
    "no root at all": "DELETE FROM subject_root",
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_an_index_that_was_touched_shows(log: PrivateLog, what: str) -> None:
    await log.roots.sweep()
    await run(log, TAMPERING[what])
    assert await difference(log)


ERASED = {
    "an omission": "DELETE FROM subject_entry WHERE index = 1",
    "an addition": "INSERT INTO subject_entry SELECT 2, log_id, data_key_id, sha256('x')"
    " FROM subject_entry WHERE index = 1",
    "another subject": "UPDATE subject_entry SET subject_mac = sha256('x') WHERE index = 3",
}


@pytest.mark.parametrize("what", ERASED)
async def test_the_index_of_an_erased_month_is_still_guarded(log: PrivateLog, what: str) -> None:
    await log.roots.sweep()
    await log.later(days=365 * 11)
    await log.shredder.sweep()
    assert await difference(log) == ""
    await run(log, ERASED[what])
    assert "another root" in await difference(log)


async def test_both_the_index_and_its_root_touched_show_against_the_log(log: PrivateLog) -> None:
    await log.roots.sweep()
    await log.later(days=365 * 11)
    await log.shredder.sweep()
    await run(log, "DELETE FROM subject_entry WHERE index = 1")
    pairs, root = await root_of(log.tables, 0, 3)
    await run(
        log,
        f"UPDATE subject_root SET pairs = {pairs}, root = '\\x{root.hex()}' WHERE first = 0",
    )
    assert "is not what entry" in await difference(log)


async def test_a_root_that_was_logged_anew_over_a_touched_index_shows(log: PrivateLog) -> None:
    await log.roots.sweep()
    await run(log, "DELETE FROM subject_root")
    await run(log, "DELETE FROM subject_entry WHERE index = 3")
    await log.roots.sweep()
    await log.later(days=365 * 11)
    await log.shredder.sweep()
    assert "is not what entry" in await difference(log)


async def test_a_log_that_was_erased_and_is_held_is_clean(log: PrivateLog) -> None:
    await log.roots.sweep()
    await log.holds.place(
        by="anna", authority="a court", reason="a case", criteria=Criteria(subjects=(OTHER,))
    )
    await log.later(days=365 * 11)
    await log.shredder.sweep()
    assert await difference(log) == ""
