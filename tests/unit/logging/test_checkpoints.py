"""Checkpoints: published forward only, and what keeps a sequencer from starting."""

import asyncio
import os
from dataclasses import replace

import pytest

from services.logging.model import Checkpoint, FencedError
from services.proof import checkpoint as c2sp
from services.proof import merkle
from services.proof.note import parse
from services.runtime.errors import CrossroadsError, Reason
from tests.support.log_store import MemoryLogStore
from tests.support.logs import ORIGIN, Log, NoteInMemory, Safe


async def grown(size: int) -> tuple[MemoryLogStore, Safe, NoteInMemory]:
    """A log of `size` entries, all of them published."""
    log = Log(MemoryLogStore())
    async with log.running():
        await log.sequencer.append([log.entry() for _ in range(size)])
        await log.checkpoints.publish()
    return log.store, log.safe, log.copy


async def test_a_checkpoint_verifies_and_says_size_and_root() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry() for _ in range(300)])
        await log.checkpoints.publish()
        published = await log.proofs.checkpoint()
    said = c2sp.verify(published.checkpoint.note, ORIGIN, published.verifier_keys)
    tree = merkle.Tree()
    tree.append(await log.store.leaf_hashes(0, 300))
    assert (said.size, said.root) == (300, tree.root())
    assert log.copy.note == published.checkpoint.note


async def test_checkpoints_follow_by_themselves_while_entries_arrive() -> None:
    async with Log(MemoryLogStore()).running() as log:
        task = asyncio.create_task(log.checkpoints.run())
        for size in (1, 2):
            await log.sequencer.append([log.entry()])
            async with asyncio.timeout(5):
                await log.copy.written.wait()
            log.copy.written.clear()
            assert log.checkpoints.newest.size == size
        task.cancel()
        await asyncio.wait({task})


async def test_a_checkpoint_that_failed_is_made_when_vault_is_back() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry()])
        log.safe.away = True
        with pytest.raises(CrossroadsError):
            await log.checkpoints.publish()
        log.safe.away = False
        await log.checkpoints.publish()
    assert log.store.published.size == 1


async def test_while_a_key_changes_both_sign_and_old_checkpoints_stay_verifiable() -> None:
    async with Log(MemoryLogStore()).running() as log:
        first, old = await one_more(log), log.checkpoints.verifier_keys
        log.safe.rotate()
        assert len(parse(await one_more(log)).signatures) == 1  # not noticed yet
        log.clock.advance(minutes=1)
        both, (new, *others) = await one_more(log), log.checkpoints.verifier_keys
        assert others == [*old]
        for key in (new, *old):
            assert c2sp.verify(both, ORIGIN, [key]).size == 3
        log.safe.signs_from = 2
        log.clock.advance(minutes=1)
        last = await one_more(log)
    assert c2sp.verify(first, ORIGIN, log.checkpoints.verifier_keys).size == 1
    assert c2sp.verify(last, ORIGIN, [new]).size == 4
    with pytest.raises(ValueError, match="not signed"):
        c2sp.verify(last, ORIGIN, old)


async def test_a_key_that_may_sign_no_more_costs_one_try() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await one_more(log)
        log.safe.rotate()
        log.safe.signs_from = 2
        with pytest.raises(CrossroadsError, match="signs no more"):
            await one_more(log)
        await log.checkpoints.publish()
    assert c2sp.verify(log.store.published.note, ORIGIN, log.checkpoints.verifier_keys[:1])


async def test_while_the_copy_cannot_be_written_entries_are_refused_and_the_copy_catches_up() -> (
    None
):
    async with Log(MemoryLogStore()).running() as log:
        log.copy.full = True
        await log.sequencer.append([log.entry()])
        with pytest.raises(CrossroadsError, match="full"):
            await log.checkpoints.publish()
        assert log.store.published.size == 1
        assert not log.checkpoints.copied
        with pytest.raises(CrossroadsError, match="copy of the newest") as refused:
            await log.sequencer.append([log.entry()])
        assert refused.value.reason is Reason.LOG_UNAVAILABLE
        assert refused.value.retry_after
        log.copy.full = False
        await log.checkpoints.publish()  # the same checkpoint: only its copy was missing
        assert log.copy.note == log.store.published.note
        await log.sequencer.append([log.entry()])


async def test_a_copy_of_cosignatures_that_fails_is_written_again() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await one_more(log)
        log.copy.full = True
        cosigned = replace(log.checkpoints.newest, note=log.checkpoints.newest.note + "cosigned")
        with pytest.raises(CrossroadsError, match="full"):
            await log.checkpoints.cosigned(cosigned)
        log.copy.full = False
        await log.checkpoints.publish()
    assert log.copy.note == cosigned.note
    assert log.checkpoints.copied


async def one_more(log: Log) -> str:
    """The note of a checkpoint after another entry."""
    await log.sequencer.append([log.entry()])
    await log.checkpoints.publish()
    return log.checkpoints.newest.note


async def test_a_publish_whose_answer_was_lost_is_recognised() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry()])
        root = log.store.entries[0].leaf_hash
        log.store.published = Checkpoint(1, root, "the note")
        await log.checkpoints.publish()
    assert log.checkpoints.newest.note == "the note"


async def test_a_publisher_that_fell_behind_ends() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry()])
        log.store.published = Checkpoint(7, bytes(32), "of another")
        with pytest.raises(FencedError):
            await log.checkpoints.publish()
    assert log.store.published.size == 7


async def test_a_log_starts_again_where_it_stood() -> None:
    store, safe, copy = await grown(600)
    log = Log(store, safe=safe, copy=copy)
    async with log.running():
        assert log.checkpoints.newest.size == 600
        (done,) = await log.sequencer.append([log.entry()])
        await log.checkpoints.publish()
    assert done.index == 600
    assert store.published.size == 601


async def test_entries_without_a_checkpoint_get_one_after_a_restart() -> None:
    store, safe, copy = await grown(10)
    log = Log(store, safe=safe, copy=copy)
    async with log.running():
        await log.sequencer.append([log.entry()])
    late = Log(store, safe=safe, copy=copy)
    async with late.running():
        await late.checkpoints.publish()
    assert store.published.size == 11


async def test_an_entry_left_without_a_checkpoint_yesterday_does_not_block_today() -> None:
    store, safe, copy = await grown(10)
    log = Log(store, safe=safe, copy=copy)
    async with log.running():
        await log.sequencer.append([log.entry()])
    log.clock.advance(days=1)
    late = Log(store, safe=safe, copy=copy, clock=log.clock)
    async with late.running():
        with pytest.raises(CrossroadsError, match="for an hour"):
            await late.sequencer.append([late.entry()])
        await late.checkpoints.publish()
        await late.sequencer.append([late.entry()])


async def start(store: MemoryLogStore, safe: Safe, copy: NoteInMemory) -> None:
    async with Log(store, safe=safe, copy=copy).running():
        pass


async def test_a_log_smaller_than_its_checkpoint_does_not_start() -> None:
    store, safe, copy = await grown(600)
    del store.entries[599:]
    with pytest.raises(FencedError, match="600"):
        await start(store, safe, copy)


async def test_a_database_that_was_put_back_does_not_start() -> None:
    store, safe, copy = await grown(600)
    del store.entries[500:]
    store.published = Checkpoint(0, b"", "")
    with pytest.raises(FencedError, match="restored"):
        await start(store, safe, copy)


async def test_a_copy_that_was_damaged_stops_the_start() -> None:
    store, safe, copy = await grown(600)
    for damaged in (copy.note[:40], copy.note + "x", "\0"):
        copy.note = damaged
        with pytest.raises(FencedError, match="damaged"):
            await start(store, safe, copy)


@pytest.mark.parametrize("index", [0, 255, 300, 599])
async def test_a_log_whose_leaf_was_changed_does_not_start(index: int) -> None:
    store, safe, copy = await grown(600)
    store.entries[index] = store.entries[index]._replace(leaf_hash=os.urandom(32))
    if index < 512:  # the leaf is read from its tile
        tile = bytearray(store.kept_tiles[0, index // 256])
        tile[index % 256 * 32] ^= 1
        store.kept_tiles[0, index // 256] = bytes(tile)
    with pytest.raises(FencedError, match="not the published one"):
        await start(store, safe, copy)


async def test_acknowledged_entries_that_vanish_end_the_sequencer() -> None:
    log = Log(MemoryLogStore())
    async with log.running():
        await log.sequencer.append([log.entry(), log.entry()])
        del log.store.entries[1:]
        log.store.lost = "before"
        with pytest.raises(CrossroadsError):
            await log.sequencer.append([log.entry()])
        assert log.task
        with pytest.raises(FencedError, match="acknowledged"):
            await log.task


async def test_there_is_no_checkpoint_before_the_first() -> None:
    async with Log(MemoryLogStore()).running() as log:
        with pytest.raises(CrossroadsError) as refused:
            await log.proofs.checkpoint()
    assert refused.value.reason is Reason.NOT_FOUND
    assert refused.value.retry_after


async def test_nothing_is_published_twice() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry()])
        await log.checkpoints.publish()
        note = log.checkpoints.newest.note
        log.safe.away = True
        await log.checkpoints.publish()
    assert log.checkpoints.newest.note == note
