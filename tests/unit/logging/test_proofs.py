"""Proofs are about published checkpoints, and verify with services.proof."""

import pytest

from services.proof import checkpoint as c2sp
from services.proof import merkle
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from tests.support.log_store import MemoryLogStore
from tests.support.logs import Log


async def test_every_leaf_of_a_checkpoint_is_proved() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry() for _ in range(259)])
        await log.checkpoints.publish()
        root = c2sp.parse(log.checkpoints.newest.note).root
        for index in range(259):
            proof = await log.proofs.inclusion(index, 0)
            assert proof.leaf_hash == log.store.entries[index].leaf_hash
            merkle.verify_inclusion(index, proof.tree_size, proof.leaf_hash, proof.hashes, root)
    assert proof.checkpoint == log.checkpoints.newest.note


async def test_an_older_tree_size_is_proved_without_a_checkpoint() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry() for _ in range(5)])
        await log.checkpoints.publish()
        root = c2sp.parse(log.checkpoints.newest.note).root
        await log.sequencer.append([log.entry()])
        await log.checkpoints.publish()
        proof = await log.proofs.inclusion(3, 5)
        later = c2sp.parse(log.checkpoints.newest.note).root
        consistency = await log.proofs.consistency(5, 6)
    merkle.verify_inclusion(3, 5, proof.leaf_hash, proof.hashes, root)
    merkle.verify_consistency(5, 6, consistency, root, later)
    assert proof.checkpoint == ""


@pytest.mark.parametrize(("index", "size"), [(2, 0), (2, 3), (0, 9), (9, 0)])
async def test_what_no_checkpoint_covers_yet_is_not_found_for_now(index: int, size: int) -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry(), log.entry()])
        await log.checkpoints.publish()
        await log.sequencer.append([log.entry()])
        with pytest.raises(CrossroadsError) as refused:
            await log.proofs.inclusion(index, size)
    assert refused.value.reason is Reason.NOT_FOUND
    assert refused.value.retry_after == 1.0


async def test_sizes_that_make_no_sense_are_refused() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry() for _ in range(4)])
        await log.checkpoints.publish()
        with pytest.raises(CrossroadsError, match="index"):
            await log.proofs.inclusion(2, 2)
        for first, second in ((0, 3), (3, 2)):
            with pytest.raises(CrossroadsError, match="first_size"):
                await log.proofs.consistency(first, second)
        with pytest.raises(CrossroadsError, match="NOT_FOUND"):
            await log.proofs.consistency(2, 5)


async def test_an_exchange_shows_its_entries() -> None:
    async with Log(MemoryLogStore()).running() as log:
        request = log.entry(kind=Kind.REQUEST)
        release = log.entry(exchange_id=request.id.exchange_id, kind=Kind.RELEASE)
        await log.sequencer.append([request, log.entry(), release])
        found = await log.proofs.exchange(request.id.exchange_id)
        with pytest.raises(CrossroadsError, match="NOT_FOUND"):
            await log.proofs.exchange(bytes(16))
    assert [(each.index, each.id.kind) for each in found] == [(0, Kind.REQUEST), (2, Kind.RELEASE)]
