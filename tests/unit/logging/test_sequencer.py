"""The sequencer on a store in memory: order, batches, duplicates, refusals, fencing."""

import asyncio
import os
from datetime import timedelta

import pytest

from services.logging.model import FencedError, Outcome
from services.logging.sequencer import Limits
from services.proof.receipt import verify_receipt
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from tests.support.log_store import MemoryLogStore
from tests.support.logs import Log


@pytest.fixture
def store() -> MemoryLogStore:
    return MemoryLogStore()


async def until_open(log: Log) -> None:
    async with asyncio.timeout(5):
        await log.sequencer.opened()


async def test_entries_get_indices_in_their_order(store: MemoryLogStore) -> None:
    async with Log(store).running() as log:
        first = await log.sequencer.append([log.entry() for _ in range(3)])
        second = await log.sequencer.append([log.entry()])
    assert [each.index for each in (*first, *second)] == [0, 1, 2, 3]
    assert [each.leaf_hash for each in (*first, *second)] == [
        each.leaf_hash for each in store.entries
    ]


async def test_entries_gather_while_a_batch_is_under_way(store: MemoryLogStore) -> None:
    async with Log(store).running() as log:
        store.gate = asyncio.Event()
        waiting = [asyncio.create_task(log.sequencer.append([log.entry()])) for _ in range(9)]
        await asyncio.sleep(0.01)
        store.gate.set()
        done = await asyncio.gather(*waiting)
    assert [each.index for (each,) in done] == list(range(9))
    assert len(store.batches) <= 2


async def test_a_batch_has_its_limit_and_keeps_submissions_whole(store: MemoryLogStore) -> None:
    async with Log(store, limits=Limits(batch_entries=4)).running() as log:
        store.gate = asyncio.Event()
        sizes = [1, 3, 2, 9, 1]
        waiting = [
            asyncio.create_task(log.sequencer.append([log.entry() for _ in range(size)]))
            for size in sizes
        ]
        await asyncio.sleep(0.01)
        store.gate.set()
        await asyncio.gather(*waiting)
    assert store.batches == [4, 2, 9, 1]


async def test_an_entry_id_that_exists_is_answered_with_what_stands_there(
    store: MemoryLogStore,
) -> None:
    async with Log(store).running() as log:
        exchange_id = os.urandom(16)
        entry = log.entry(exchange_id=exchange_id, kind=Kind.REQUEST, question_mac=b"question")
        (first,) = await log.sequencer.append([entry])
        await log.sequencer.append(
            [log.entry(exchange_id=exchange_id, kind=Kind.REQUEST, attempt=3)]
        )
        other = log.entry(exchange_id=exchange_id, kind=Kind.REQUEST, question_mac=b"another")
        before, duplicate, after = await log.sequencer.append([log.entry(), other, log.entry()])
    assert duplicate.outcome is Outcome.DUPLICATE
    assert (duplicate.index, duplicate.leaf_hash) == (first.index, first.leaf_hash)
    assert (duplicate.question_mac, duplicate.nonce) == (b"question", entry.nonce)
    assert duplicate.last_attempt == 3
    assert [before.index, after.index] == [2, 3]
    assert len(store.entries) == 4


async def test_the_appenders_own_repeat_is_answered_as_appended(store: MemoryLogStore) -> None:
    async with Log(store).running() as log:
        entry = log.entry(kind=Kind.RELEASE, receipt=True)
        (first,) = await log.sequencer.append([entry])
        (again,) = await log.sequencer.append([entry])
    assert (again.outcome, again.index) == (Outcome.APPENDED, first.index)
    assert again.receipt
    assert again.receipt == first.receipt
    assert len(store.entries) == 1


async def test_one_id_twice_in_a_batch_is_appended_once(store: MemoryLogStore) -> None:
    async with Log(store).running() as log:
        entry = log.entry(question_mac=b"one")
        other = entry._replace(nonce=os.urandom(8), question_mac=b"two")
        first, repeat, duplicate = await log.sequencer.append([entry, entry, other])
    assert first == repeat
    assert duplicate.outcome is Outcome.DUPLICATE
    assert (duplicate.index, duplicate.question_mac) == (first.index, b"one")
    assert len(store.entries) == 1


async def test_a_receipt_verifies_under_the_key_that_is_a_leaf(store: MemoryLogStore) -> None:
    async with Log(store).running(key=True) as log:
        plain, asked = await log.sequencer.append([log.entry(), log.entry(receipt=True)])
    assert plain.receipt is None
    assert asked.receipt
    assert (asked.receipt.index, asked.receipt.leaf_hash) == (asked.index, asked.leaf_hash)
    verify_receipt(asked.receipt, store.receipts[0].public_key)
    assert store.receipts[0].public_key.hex().encode() in log.receipts.key_entry().party
    assert store.entries[0].entry.id.kind == Kind.KEY


async def test_times_never_go_back(store: MemoryLogStore) -> None:
    log = Log(store)
    async with log.running():
        await log.sequencer.append([log.entry()])
        log.clock.advance(seconds=-90)
        await log.sequencer.append([log.entry()])
    restarted = Log(store, clock=log.clock, safe=log.safe)
    async with restarted.running():
        await restarted.sequencer.append([log.entry()])
    times = [each.recorded_at for each in store.entries]
    assert times == sorted(times)


async def test_a_section_that_is_not_canonical_is_refused_and_nothing_appended(
    store: MemoryLogStore,
) -> None:
    async with Log(store).running() as log:
        with pytest.raises(CrossroadsError, match=r"entries\[1\]") as refused:
            await log.sequencer.append([log.entry(), log.entry()._replace(party=b'{"b":1, "a":2}')])
    assert refused.value.reason is Reason.INVALID_ARGUMENT
    assert store.entries == []


@pytest.mark.parametrize(
    "limits", [Limits(waiting_entries=3), Limits(waiting_bytes=1500)], ids=["entries", "octets"]
)
async def test_a_full_queue_refuses_and_keeps_what_it_took(
    store: MemoryLogStore, limits: Limits
) -> None:
    async with Log(store, limits=limits).running() as log:
        store.gate = asyncio.Event()
        flying = asyncio.create_task(log.sequencer.append([log.entry()]))
        await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(log.sequencer.append([log.entry()])) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(CrossroadsError) as refused:
            await log.sequencer.append([log.entry() for _ in range(3)])
        store.gate.set()
        await asyncio.gather(flying, *waiting)
    assert refused.value.reason is Reason.OVERLOADED
    assert refused.value.retry_after
    assert len(store.entries) == 4


async def test_who_gave_up_while_waiting_is_not_logged(store: MemoryLogStore) -> None:
    async with Log(store).running() as log:
        store.gate = asyncio.Event()
        flying = asyncio.create_task(log.sequencer.append([log.entry()]))
        await asyncio.sleep(0.01)
        gone = asyncio.create_task(log.sequencer.append([log.entry()]))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.wait({gone})
        store.gate.set()
        await flying
        await log.sequencer.append([log.entry()])
    assert store.batches == [1, 1]


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_nothing_is_acknowledged_when_the_fate_of_a_commit_is_unknown(
    store: MemoryLogStore, lost: str
) -> None:
    async with Log(store).running() as log:
        await log.sequencer.append([log.entry()])
        epoch = store.epoch
        store.lost = lost
        entry = log.entry()
        with pytest.raises(CrossroadsError) as refused:
            await log.sequencer.append([entry])
        assert refused.value.reason is Reason.LOG_UNAVAILABLE
        with pytest.raises(CrossroadsError):
            await log.sequencer.append([log.entry()])
        await until_open(log)
        assert store.epoch == epoch + 1
        (again,) = await log.sequencer.append([entry])
        (after,) = await log.sequencer.append([log.entry()])
        await log.checkpoints.publish()
    assert (again.outcome, again.index, after.index) == (Outcome.APPENDED, 1, 2)
    assert [each.entry.id for each in store.entries].count(entry.id) == 1
    assert log.checkpoints.newest.size == 3


async def test_everybody_who_waits_is_refused_when_the_database_goes(
    store: MemoryLogStore,
) -> None:
    async with Log(store).running() as log:
        store.gate, store.lost = asyncio.Event(), "before"
        waiting = [asyncio.create_task(log.sequencer.append([log.entry()])) for _ in range(4)]
        await asyncio.sleep(0.01)
        store.gate.set()
        done = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(each) for each in done} == {str(done[0])}
    assert isinstance(done[0], CrossroadsError)
    assert store.entries == []


async def test_a_takeover_ends_the_old_sequencer(store: MemoryLogStore) -> None:
    old, new = Log(store), Log(store)
    new.safe = old.safe
    async with old.running():
        await old.sequencer.append([old.entry()])
        async with Log(store, safe=old.safe).running() as new:
            with pytest.raises(CrossroadsError) as refused:
                await old.sequencer.append([old.entry()])
            assert old.task
            with pytest.raises(FencedError):
                await old.task
            (done,) = await new.sequencer.append([new.entry()])
    assert refused.value.reason is Reason.LOG_UNAVAILABLE
    assert done.index == 1
    assert not old.sequencer.open


async def test_entries_are_refused_when_no_checkpoint_came_for_an_hour(
    store: MemoryLogStore,
) -> None:
    async with Log(store).running() as log:
        await log.sequencer.append([log.entry()])
        log.safe.away = True
        with pytest.raises(CrossroadsError):
            await log.checkpoints.publish()
        log.clock.advance(minutes=59)
        await log.sequencer.append([log.entry()])
        log.clock.advance(minutes=2)
        with pytest.raises(CrossroadsError) as refused:
            await log.sequencer.append([log.entry()])
        log.safe.away = False
        await log.checkpoints.publish()
        log.clock.advance(hours=9)  # a night without exchanges
        await log.sequencer.append([log.entry()])
    assert refused.value.reason is Reason.LOG_UNAVAILABLE
    assert timedelta(seconds=refused.value.retry_after or 0) > timedelta()
