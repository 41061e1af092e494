"""The sweeper: what has no outcome is closed, what is old may be used again."""

import os

import pytest

from services.logging.model import Marks, Outcome
from services.proof.record import Kind, parse_canonical
from tests.support.log_store import MemoryLogStore
from tests.support.logs import SUBJECT, Log


async def test_a_request_without_an_outcome_is_closed_as_abandoned() -> None:
    async with Log(MemoryLogStore()).running() as log:
        request = log.entry(kind=Kind.REQUEST, attempt=2)
        await log.sequencer.append([request])
        log.clock.advance(seconds=14)
        assert await log.sweeper.sweep() == 0  # some grace for an outcome under way
        log.clock.advance(seconds=2)
        assert await log.sweeper.sweep() == 1
        assert await log.sweeper.sweep() == 0
        closing = log.store.entries[1]
        opened = await log.sealer.open(closing.data_key_id, closing.leaf_hash, closing.evidence)
    assert closing.entry.id == (request.id.exchange_id, Kind.ABANDONED, 2)
    assert (opened.party, opened.subject) == (request.party, request.subject)
    assert opened.subject_key == SUBJECT
    assert parse_canonical(opened.audit)["abandoned"] == {
        "index": 0,
        "leaf_hash": log.store.entries[0].leaf_hash.hex(),
    }


async def test_a_request_whose_evidence_was_altered_is_closed_with_nothing_of_it() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry(kind=Kind.REQUEST), log.entry(kind=Kind.REQUEST)])
        stored = log.store.entries[0]
        log.store.entries[0] = stored._replace(evidence=stored.evidence[:-1] + b"x")
        log.clock.advance(minutes=1)
        assert await log.sweeper.sweep() == 2
        altered, whole = log.store.entries[2:]
        opened = await log.sealer.open(altered.data_key_id, altered.leaf_hash, altered.evidence)
    assert (opened.party, opened.subject, opened.subject_key) == (b"{}", b"{}", "")
    assert "altered" in parse_canonical(opened.audit)["reason"]
    assert whole.subject_mac is not None


@pytest.mark.parametrize("outcome", [Kind.RELEASE, Kind.REFUSAL])
async def test_a_request_with_an_outcome_is_left_alone(outcome: Kind) -> None:
    async with Log(MemoryLogStore()).running() as log:
        exchange_id = os.urandom(16)
        await log.sequencer.append(
            [
                log.entry(exchange_id=exchange_id, kind=Kind.REQUEST),
                log.entry(exchange_id=exchange_id, kind=outcome),
            ]
        )
        log.clock.advance(minutes=1)
        assert await log.sweeper.sweep() == 0
    assert log.store.kept_marks.closed == 2


async def test_the_mark_stays_before_the_first_open_request() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry(), log.entry(kind=Kind.REQUEST), log.entry()])
        await log.sweeper.sweep()
        assert log.store.kept_marks == Marks(1, 0)
        log.clock.advance(minutes=1)
        await log.sweeper.sweep()
        await log.sweeper.sweep()
    assert log.store.kept_marks.closed == 4


async def test_a_restarted_sweeper_goes_on_where_the_last_ended() -> None:
    log = Log(MemoryLogStore())
    async with log.running():
        await log.sequencer.append([log.entry(), log.entry(kind=Kind.REQUEST)])
        await log.sweeper.sweep()
    log.clock.advance(minutes=1)
    later = Log(log.store, clock=log.clock, safe=log.safe)
    async with later.running():
        assert await later.sweeper.sweep() == 1


async def test_an_entry_id_may_be_used_again_after_a_day() -> None:
    async with Log(MemoryLogStore()).running() as log:
        entry = log.entry()
        await log.sequencer.append([entry])
        await log.checkpoints.publish()
        log.clock.advance(hours=23)
        young = log.entry()
        await log.sequencer.append([young])
        await log.sweeper.sweep()
        (kept,) = await log.sequencer.append([entry._replace(nonce=os.urandom(8))])
        await log.checkpoints.publish()
        log.clock.advance(hours=2)
        await log.sweeper.sweep()
        (taken,) = await log.sequencer.append([entry._replace(nonce=os.urandom(8))])
        (still,) = await log.sequencer.append([young._replace(nonce=os.urandom(8))])
    assert [kept.outcome, taken.outcome, still.outcome] == [
        Outcome.DUPLICATE,
        Outcome.APPENDED,
        Outcome.DUPLICATE,
    ]
    assert log.store.kept_marks.forgotten == 1
