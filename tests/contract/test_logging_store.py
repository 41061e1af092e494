"""One suite for the log's store in memory and for PostgreSQL."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.logging.model import (
    Checkpoint,
    DuplicateError,
    EntryId,
    Marks,
    NewEntry,
    ReceiptKey,
    RetentionClass,
    SealedEntry,
)
from services.logging.tree import FullTile
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError
from tests.support.log_store import MemoryLogStore
from tests.support.platform import OpenDatabase

TIME = 1_764_000_000_123_456


@pytest.fixture(params=["memory", "postgres", "next version"])
async def store(request: pytest.FixtureRequest, fresh_database: OpenDatabase) -> AsyncIterator[Any]:
    """A store of each kind."""
    if request.param == "memory":
        yield MemoryLogStore()
        return
    from services.logging.store import LogStore  # noqa: PLC0415 - psycopg, where it is used

    yield await LogStore.open(
        await fresh_database("services.logging", ahead=request.param == "next version"),
        "crossroads.test/log",
    )


def sealed(
    exchange_id: bytes | None = None,
    kind: Kind = Kind.REQUEST,
    attempt: int = 1,
    time: int = TIME,
    subject_mac: bytes | None = None,
) -> SealedEntry:
    """A sealed entry with random content."""
    entry = NewEntry(
        id=EntryId(exchange_id or os.urandom(16), int(kind), attempt),
        nonce=os.urandom(8),
        party=b"{}",
        subject=b"{}",
        audit=b"{}",
        question_mac=os.urandom(32) if kind is Kind.REQUEST else b"",
        deadline=time + 7 if kind is Kind.REQUEST else None,
    )
    return SealedEntry(
        entry=entry,
        recorded_at=time,
        leaf_hash=os.urandom(32),
        party_salt=b"",
        subject_hash=b"",
        audit_hash=b"",
        data_key_id=1,
        evidence=os.urandom(3000),
        subject_mac=subject_mac,
    )


async def append(store: Any, *entries: SealedEntry) -> None:
    """Append in a session of its own."""
    async with store.writer() as writer:
        head = await writer.take_over(None)
        assert await writer.append(head, entries)


async def test_what_was_appended_is_found_again_in_order(store: Any) -> None:
    entries = [sealed(time=TIME + place) for place in range(5)]
    await append(store, *entries[:2])
    await append(store, *entries[2:])
    assert await store.leaf_hashes(0, 9) == [each.leaf_hash for each in entries]
    assert await store.leaf_hashes(1, 3) == [each.leaf_hash for each in entries[1:3]]
    assert [await store.recorded_at(index) for index in (0, 4, 5)] == [TIME, TIME + 4, None]
    async with store.writer() as writer:
        head = await writer.take_over(None)
    assert (head.size, head.recorded_at) == (5, TIME + 4)


async def test_a_head_that_moved_takes_nothing(store: Any) -> None:
    async with store.writer() as writer:
        head = await writer.take_over(None)
        assert await writer.append(head, [sealed()])
        assert not await writer.append(head, [sealed()])
    assert len(await store.leaf_hashes(0, 9)) == 1


async def test_an_older_epoch_takes_nothing(store: Any) -> None:
    async with store.writer() as writer:
        old = await writer.take_over(None)
        new = await writer.take_over(old.epoch)
        assert new.epoch == old.epoch + 1
        assert await writer.take_over(old.epoch) is None
        assert not await writer.append(old, [sealed()])
        assert await writer.append(new, [sealed()])


async def test_an_entry_id_is_taken_once_and_its_batch_not_at_all(store: Any) -> None:
    first = sealed()
    await append(store, first)
    async with store.writer() as writer:
        head = await writer.take_over(None)
        with pytest.raises(DuplicateError):
            await writer.append(head, [sealed(), sealed(first.entry.id.exchange_id)])
        assert await writer.append(head, [sealed()])
    assert len(await store.leaf_hashes(0, 9)) == 2


async def test_a_known_id_shows_what_stands_under_it(store: Any) -> None:
    first = sealed()
    again = sealed(first.entry.id.exchange_id, attempt=4)
    await append(store, first, again)
    async with store.writer() as writer:
        found = await writer.find([first.entry.id, EntryId(bytes(16), 1, 1)])
    assert found.keys() == {first.entry.id}
    (known,) = found.values()
    assert (known.index, known.recorded_at, known.leaf_hash) == (0, TIME, first.leaf_hash)
    assert (known.nonce, known.question_mac) == (first.entry.nonce, first.entry.question_mac)
    assert known.last_attempt == 4
    assert (known.data_key_id, known.evidence) == (1, first.evidence)


async def test_a_forgotten_id_may_be_used_again(store: Any) -> None:
    first, second = sealed(), sealed()
    await append(store, first, second)
    assert await store.forget(0, 1) == 1
    await append(store, sealed(first.entry.id.exchange_id))
    async with store.writer() as writer:
        head = await writer.take_over(None)
        with pytest.raises(DuplicateError):
            await writer.append(head, [sealed(second.entry.id.exchange_id)])
    assert await store.forget(0, 1) == 0


@pytest.mark.parametrize("outcome", [Kind.RELEASE, Kind.REFUSAL, Kind.ABANDONED])
async def test_a_request_is_open_until_its_attempt_has_an_outcome(
    store: Any, outcome: Kind
) -> None:
    closed, other, pending = sealed(), sealed(), sealed(attempt=2)
    await append(store, closed, other, pending)
    await append(store, sealed(closed.entry.id.exchange_id, outcome))
    await append(store, sealed(pending.entry.id.exchange_id, outcome, attempt=1))
    waiting = await store.open_requests(0, 10)
    assert [each.index for each in waiting] == [1, 2]
    assert waiting[0].id == other.entry.id
    assert waiting[0].deadline == other.entry.deadline
    assert waiting[0].evidence == other.evidence
    assert [each.index for each in await store.open_requests(2, 10)] == [2]
    assert [each.index for each in await store.open_requests(0, 1)] == [1]


async def test_an_exchange_is_found_by_its_id(store: Any) -> None:
    first = sealed()
    await append(store, first, sealed())
    await append(store, sealed(first.entry.id.exchange_id, Kind.RELEASE, time=TIME + 5))
    found = await store.find_exchange(first.entry.id.exchange_id)
    assert [(each.index, each.id.kind, each.recorded_at) for each in found] == [
        (0, Kind.REQUEST, TIME),
        (2, Kind.RELEASE, TIME + 5),
    ]
    assert await store.find_exchange(bytes(16)) == []


async def test_a_subject_is_found_by_its_mac_newest_first(store: Any) -> None:
    mac = os.urandom(32)
    await append(store, sealed(subject_mac=mac), sealed(), sealed(subject_mac=mac))
    await append(store, sealed(subject_mac=os.urandom(32)))
    assert await store.find_subject(1, mac, 10) == [2, 0]
    assert await store.find_subject(1, mac, 1) == [2]
    assert await store.find_subject(2, mac, 10) == []


async def test_a_full_tile_is_kept_once(store: Any) -> None:
    first, second = os.urandom(8192), os.urandom(8192)
    await store.keep_tiles([FullTile(0, 0, first), FullTile(0, 1, second)])
    await store.keep_tiles([FullTile(0, 1, first), FullTile(1, 0, second)])
    assert await store.tiles(0, 0, 5) == {0: first, 1: second}
    assert await store.tiles(1, 0, 5) == {0: second}
    assert await store.tiles(0, 1, 1) == {}


async def test_a_checkpoint_is_replaced_only_by_a_larger_one(store: Any) -> None:
    now = datetime.now(UTC)
    assert (await store.checkpoint()).size == 0
    assert await store.publish(Checkpoint(5, bytes(32), "five"), now)
    assert not await store.publish(Checkpoint(5, bytes(32), "again"), now)
    assert not await store.publish(Checkpoint(4, bytes(32), "less"), now)
    assert await store.checkpoint() == Checkpoint(5, bytes(32), "five")
    assert await store.publish(Checkpoint(6, bytes(32), "six"), now)


async def test_keys_are_kept_once_for_each_class_and_month(store: Any) -> None:
    kept = await store.keep_data_key(RetentionClass.EXCHANGE, "2026-11-01", "transit", "wrapped")
    late = await store.keep_data_key(RetentionClass.EXCHANGE, "2026-11-01", "transit", "another")
    assert late == kept
    assert await store.find_data_key(RetentionClass.EXCHANGE, "2026-11-01") == kept
    assert await store.get_data_key(kept.id) == kept
    assert await store.find_data_key(RetentionClass.ADMINISTRATIVE, "2026-11-01") is None
    with pytest.raises(CrossroadsError, match="NOT_FOUND"):
        await store.get_data_key(99)


async def test_receipt_keys_come_newest_first(store: Any) -> None:
    keys = [ReceiptKey(index, os.urandom(32)) for index in (3, 9)]
    for key in keys:
        await store.keep_receipt_key(key)
    assert await store.receipt_keys() == keys[::-1]


async def test_marks_never_go_back(store: Any) -> None:
    assert await store.marks() == Marks(0, 0)
    await store.keep_marks(Marks(5, 2))
    await store.keep_marks(Marks(4, 3))
    assert await store.marks() == Marks(5, 3)
