"""The growing tree, its tiles and its nodes, against the reference in services.proof."""

import os
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.logging.model import FencedError
from services.logging.tree import Edge, Tree, tree_root
from services.proof import merkle
from tests.support.log_store import MemoryLogStore

LEAVES = [sha256(number.to_bytes(4, "big")).digest() for number in range(70_000)]


class Stored(MemoryLogStore):
    """A store whose entries are just leaf hashes."""

    def __init__(self, leaves: list[bytes]) -> None:
        super().__init__()
        self.leaves = leaves

    async def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        return self.leaves[start:end]


def root_of(size: int) -> bytes:
    tree = merkle.Tree()
    tree.append(LEAVES[:size])
    return tree.root()


async def built(tree: Tree, plan: merkle.Plan) -> list[bytes]:
    found = await tree.nodes(merkle.nodes_of(plan))
    return merkle.build(plan, lambda level, index: found[level, index])


@given(st.integers(0, 1500))
def test_the_edge_has_the_root_of_rfc_6962(size: int) -> None:
    edge = Edge()
    edge.add(LEAVES[:size])
    assert edge.size == size
    assert edge.root() == root_of(size)


@given(st.integers(1, 300))
def test_pairing_neighbours_is_splitting_at_the_largest_power_of_two(size: int) -> None:
    assert tree_root(LEAVES[:size]) == root_of(size)


def test_the_edge_is_right_across_two_levels_of_tiles() -> None:
    edge = Edge()
    for start in range(0, 70_000, 7_000):
        edge.add(LEAVES[start : start + 7_000])
        assert edge.root() == root_of(start + 7_000)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1000, 65_536, 66_049, 70_000])
async def test_a_tree_that_is_loaded_is_the_one_that_was_grown(size: int) -> None:
    store = Stored(LEAVES)
    grown = Tree(store=store)
    grown.add(LEAVES[:size])
    await grown.save()
    store.leaves = [b"" if size - at > 512 else leaf for at, leaf in enumerate(LEAVES)]
    loaded = Tree(store=store)
    await loaded.load(size)
    assert (loaded.size, loaded.root()) == (size, root_of(size))


@pytest.mark.parametrize("size", [1, 255, 257, 1000, 65_537, 69_999])
async def test_proofs_verify_from_tiles_and_the_edge(size: int) -> None:
    store = Stored(LEAVES)
    tree = Tree(store=store)
    await tree.load(size)
    tree.add(LEAVES[size:70_000])  # grown further: the proofs of the smaller tree stay
    for index in {0, size // 2, size - 1}:
        proof = await built(tree, merkle.inclusion_plan(index, size))
        merkle.verify_inclusion(index, size, LEAVES[index], proof, root_of(size))
    for first in {1, size // 3 + 1, size}:
        proof = await built(tree, merkle.consistency_plan(first, size))
        merkle.verify_consistency(first, size, proof, root_of(first), root_of(size))


async def test_a_tree_that_stopped_between_tiles_and_checkpoint_goes_on() -> None:
    store = Stored(LEAVES)
    tree = Tree(store=store)
    await tree.load(66_000)  # tiles up to 65,792 are stored
    again = Tree(store=store)
    await again.load(60_000)  # the checkpoint that was published
    assert again.root() == root_of(60_000)
    await again.load(66_100)
    assert again.root() == root_of(66_100)


async def test_missing_leaves_are_noticed() -> None:
    with pytest.raises(FencedError, match="holds 9 of the 10"):
        await Tree(store=Stored(LEAVES[:9])).load(10)


async def test_a_missing_tile_is_noticed() -> None:
    store = Stored(LEAVES)
    await Tree(store=store).load(70_000)
    del store.kept_tiles[1, 0]
    with pytest.raises(FencedError, match="missing"):
        await Tree(store=store).load(70_000)


async def test_a_damaged_tile_gives_another_root() -> None:
    store = Stored(LEAVES)
    await Tree(store=store).load(1000)
    store.kept_tiles[0, 1] = os.urandom(8192)
    tree = Tree(store=store)
    await tree.load(1000)
    assert tree.root() != root_of(1000)
