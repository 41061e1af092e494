"""Searching the log on a real PostgreSQL: who sees what, and the trace that a search leaves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.logging.evidence_model import Criteria, Reader
from services.logging.model import microseconds
from services.logging.search import Found
from services.logging.store import LogStore
from services.logging.term_index import STEP_ENTRIES
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Connection
from tests.support.evidence import PrivateLog, exchange
from tests.support.logs import ORIGIN, SUBJECT, Safe, StoppedClock
from tests.support.platform import OpenDatabase

OTHER = "00012556777"
BEGIN = datetime(2001, 3, 30, 12, tzinfo=UTC)
AUDITOR = Reader(name="anna", auditor=True)
OFFICER = Reader(name="omar", institution="capac")


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[PrivateLog]:
    """A log at work."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    log = PrivateLog(store, clock=StoppedClock(BEGIN), safe=Safe())
    async with log.running():
        yield log


async def search(log: PrivateLog, reader: Reader, criteria: Criteria, **more: Any) -> Found:
    return await log.searches.search(reader, criteria, reason="a complaint", **more)


def indices(found: Found) -> list[int]:
    return [each.record.row.index for each in found.entries]


@pytest.mark.parametrize(
    "criteria",
    [
        Criteria(subjects=(SUBJECT,)),
        Criteria(institution="capac"),
        Criteria(exchange_id=bytes(16)),
        Criteria(ticket="T-1"),
        Criteria(trace_id="a" * 32),
        Criteria(deliberation="20/096"),
        Criteria(start=microseconds(BEGIN), end=microseconds(BEGIN) + 1),
        Criteria(institution="capac", ticket="T-1", subjects=(SUBJECT,), deliberation="20/096"),
        Criteria(involved="onss", end=microseconds(BEGIN) + 1),
    ],
)
async def test_an_entry_is_found_by_each_of_its_terms(log: PrivateLog, criteria: Criteria) -> None:
    mine = partial(exchange, exchange_id=bytes(16), trace_id="a" * 32)
    await log.sequencer.append([mine(Kind.REQUEST, due=BEGIN), mine()])
    await log.later(days=3)
    await log.sequencer.append(
        [
            exchange(
                subject=OTHER,
                institution="cpas",
                ticket="T-2",
                deliberation="19/004",
                source="rn",
                trace_id="b" * 32,
            )
        ]
    )
    found = await search(log, AUDITOR, criteria)
    assert indices(found) == [1, 0]
    assert (found.before, found.indexed_size in (0, 3)) == (None, True)


async def test_criteria_that_do_not_all_fit_find_nothing(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(), exchange(ticket="T-2", institution="cpas")])
    for criteria in (
        Criteria(ticket="T-1", institution="cpas"),
        Criteria(subjects=(OTHER,), ticket="T-1"),
        Criteria(ticket="T-1", end=microseconds(BEGIN)),
        Criteria(institution="onss"),  # a source, not who asked
    ):
        assert indices(await search(log, AUDITOR, criteria)) == []


async def test_pages_follow_each_other_without_gap_or_repeat(log: PrivateLog) -> None:
    await log.sequencer.append([exchange() for _ in range(7)])
    await log.later(days=32)
    await log.sequencer.append([exchange() for _ in range(6)])
    for criteria in (Criteria(subjects=(SUBJECT,)), Criteria(ticket="T-1")):
        seen: list[int] = []
        before = None
        while True:
            page = await log.finder.page(criteria, before=before, limit=4)
            seen += [record.row.index for record in page.records]
            if page.before is None:
                break
            before = page.before
        assert seen == list(range(12, -1, -1))


async def test_a_page_that_looked_far_in_vain_says_where_to_go_on(
    log: PrivateLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.logging.finder.LOOKED_AT_MOST", 5)
    await log.sequencer.append([exchange(ticket="rare"), *(exchange() for _ in range(20))])
    criteria = Criteria(subjects=(SUBJECT,), ticket="rare")
    page = await log.finder.page(criteria, limit=5)
    assert (page.records, page.before) == ((), 15)
    pages = [records async for records in log.finder.everything(criteria)]
    assert [record.row.index for records in pages for record in records] == [0]


async def test_a_search_is_in_the_log_before_its_answer_and_under_its_subject(
    log: PrivateLog,
) -> None:
    await log.sequencer.append([exchange()])
    found = await search(log, AUDITOR, Criteria(subjects=(SUBJECT,), institution="capac"))
    (record,) = await log.evidence.records([found.log_index])
    assert record.party == {"act": "logging.search", "by": ["anna"]}
    assert record.subject == {"act": "logging.search", "subjects": [SUBJECT]}
    assert record.audit == {
        "criteria": {"institution": "capac"},
        "reason": "a complaint",
        "results": 1,
    }
    assert indices(await search(log, AUDITOR, Criteria(subjects=(SUBJECT,)))) == [1, 0]


async def test_without_the_log_nothing_is_shown(log: PrivateLog) -> None:
    await log.sequencer.append([exchange()])
    log.sequencer._refuse()
    with pytest.raises(CrossroadsError) as refused:
        await search(log, AUDITOR, Criteria(subjects=(SUBJECT,)))
    assert refused.value.reason is Reason.LOG_UNAVAILABLE


async def test_an_auditor_sees_all_sections(log: PrivateLog) -> None:
    entry = exchange()
    await log.sequencer.append([entry])
    (seen,) = (await search(log, AUDITOR, Criteria(ticket="T-1"))).entries
    assert (seen.party, seen.subject, seen.audit) == (entry.party, entry.subject, entry.audit)


async def test_an_officer_sees_own_traffic_and_never_the_subject(log: PrivateLog) -> None:
    await log.sequencer.append(
        [
            exchange(),
            exchange(institution="cpas", source="capac"),
            exchange(institution="cpas", source="rn"),
        ]
    )
    found = await search(log, OFFICER, Criteria())
    assert indices(found) == [1, 0]
    asked, own = found.entries
    assert SUBJECT.encode() not in b"".join(
        each.party + each.subject + each.audit for each in found.entries
    )
    assert orjson.loads(own.party)["request_id"] == "r-1"
    told = orjson.loads(asked.party)
    assert told["institution"] == "cpas"
    assert not {"request_id", "ticket", "sources"} & told.keys()


async def test_an_officer_finds_nothing_of_others_by_any_term(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(institution="cpas", exchange_id=bytes(16))])
    for criteria in (
        Criteria(subjects=(SUBJECT,)),
        Criteria(exchange_id=bytes(16)),
        Criteria(ticket="T-1"),
        Criteria(institution="cpas"),
        Criteria(involved="cpas"),
        Criteria(deliberation="20/096"),
    ):
        assert 0 not in indices(await search(log, OFFICER, criteria))  # own searches may be


async def test_an_officer_of_no_institution_is_refused(log: PrivateLog) -> None:
    with pytest.raises(CrossroadsError) as refused:
        await search(log, replace(OFFICER, institution=""), Criteria())
    assert refused.value.reason is Reason.CALLER_NOT_ALLOWED


async def test_replaced_keys_are_looked_for_too(log: PrivateLog) -> None:
    log.replaced = {OTHER: SUBJECT}
    await log.sequencer.append([exchange(subject=OTHER), exchange(subject=SUBJECT)])
    for key in (SUBJECT, OTHER):
        subjects = log.searches.subjects(key, (), "subject")
        assert subjects == (SUBJECT, OTHER)
        assert indices(await search(log, AUDITOR, Criteria(subjects=subjects)))[-2:] == [1, 0]


async def test_keys_that_identity_does_not_know_of_can_be_given(log: PrivateLog) -> None:
    assert log.searches.subjects(SUBJECT, [OTHER], "subject") == (SUBJECT, OTHER)
    with pytest.raises(CrossroadsError) as refused:
        log.searches.subjects(SUBJECT, ["85073003329"], "subject")
    assert refused.value.reason is Reason.INVALID_KEY
    assert "85073003329" not in str(refused.value)


async def test_terms_are_indexed_behind_the_log_and_once(log: PrivateLog) -> None:
    await log.sequencer.append([exchange() for _ in range(STEP_ENTRIES + 3)])
    assert await log.indexer.step() == STEP_ENTRIES
    assert await log.tables.term_index_size() == STEP_ENTRIES
    again = log.restarted()
    assert await again.indexer.step() == 3
    assert await again.indexer.step() == 0
    await log.indexer.step()  # a second process does no harm
    found = [records async for records in log.finder.everything(Criteria(ticket="T-1"))]
    assert sum(len(records) for records in found) == STEP_ENTRIES + 3


async def test_a_step_that_was_cut_off_is_made_again_from_its_start(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(), exchange()])
    async with log.store.database.transaction() as conn:
        await conn.execute("LOCK TABLE term_entry IN ACCESS EXCLUSIVE MODE")
        step = asyncio.create_task(log.indexer.step())  # of a search, whose caller hangs up
        async with asyncio.timeout(20):
            while not await waits_for(conn, "term_entry"):
                await asyncio.wait({step}, timeout=0.01)
        step.cancel()
        await asyncio.wait({step})
    assert log.indexer.size == 0
    assert await log.indexer.step() == 2
    assert indices(await search(log, AUDITOR, Criteria(ticket="T-1"))) == [1, 0]


async def test_altered_evidence_shows_and_keeps_nothing_behind_it_from_being_found(
    log: PrivateLog,
) -> None:
    await log.sequencer.append([exchange() for _ in range(3)])
    async with log.store.database.connection() as conn:
        await conn.execute("UPDATE entry SET evidence = evidence || '\\x00' WHERE index = 1")
    assert log.evidence.whole
    assert await log.indexer.step() == 3
    assert not log.evidence.whole
    assert indices(await search(log, AUDITOR, Criteria(ticket="T-1"))) == [2, 0]
    with pytest.raises(CrossroadsError, match="run fsck"):
        await search(log, AUDITOR, Criteria(subjects=(SUBJECT,)))
    _, held = await log.holds.place(
        by="anna", authority="a", reason="r", criteria=Criteria(subjects=(SUBJECT,))
    )
    assert held == 2


async def waits_for(conn: Connection, table: str) -> bool:
    """Whether somebody waits for a lock of that table."""
    rows = await conn.execute(
        "SELECT count(*) FROM pg_locks WHERE relation = %s::regclass AND NOT granted", (table,)
    )
    return bool((await rows.fetchall())[0][0])


async def test_of_an_erased_exchange_only_the_leaf_is_left(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(exchange_id=bytes(16))])
    await log.later(days=365 * 10 + 40)
    await log.shredder.sweep()
    (seen,) = (await search(log, AUDITOR, Criteria(exchange_id=bytes(16)))).entries
    assert (seen.record.opened, seen.party) == (None, b"")
    assert indices(await search(log, AUDITOR, Criteria(ticket="T-1"))) == []


async def test_a_search_within_a_deferral_says_so(log: PrivateLog) -> None:
    deferral = UUID(int=7)
    found = await search(log, AUDITOR, Criteria(ticket="T-1"), deferral_id=deferral)
    (record,) = await log.evidence.records([found.log_index])
    assert record.audit["deferral"] == str(deferral)
