"""The log's checkpoint and tiles: only what leads to the signed root, and only what continues."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crossroads.publication.v1 import publication_service_pb2 as api
from services.proof import tiles
from services.proof.merkle import Tree
from services.proof.tiles import TileReader
from services.publication.model import Collection
from services.runtime.errors import Reason
from tests.support.public import PublicLog
from tests.unit.publication.world import World

LOG = Collection.LOG


def read(world: World, size: int) -> bytes:
    """The root that a reader of the tiles comes to."""

    def tile(one: tiles.Tile) -> bytes:
        return world.store.tiles[one.level, one.index]

    return TileReader(size=size, read_tile=tile).root()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=4, unique=True))
async def test_tiles_give_the_root_however_the_log_grows(sizes: list[int]) -> None:
    world, old = World(most=1 << 24), 0
    for place, size in enumerate(sorted(sizes)):
        await world.push_log(old, size, place / 10)
        old = size
        tree = Tree()
        tree.append(world.log.leaves(size))
        assert read(world, size) == tree.root()
        shown = world.store.documents["log/checkpoint"].content.decode()
        assert world.log.verify(shown).size == size


async def test_log_of_more_than_two_levels_is_taken() -> None:
    world = World(most=1 << 24)
    await world.push_log(0, 65_535)
    await world.push_log(65_535, 65_800, 1)
    assert {level for level, _ in world.store.tiles} == {0, 1, 2}


async def test_checkpoint_with_more_cosignatures_replaces_the_one_of_the_same_size() -> None:
    world = World()
    await world.push_log(0, 300)
    (note,) = world.log.items(300, 300)
    assert isinstance(note, api.Checkpoint)
    assert await world.push(LOG, [note], version=300, minutes=1)


async def test_a_change_in_any_tile_is_refused() -> None:
    world = World()
    await world.push_log(0, 300)
    for place, each in enumerate(world.log.items(300, 800)):
        if isinstance(each, api.Tile):
            for at in (0, len(each.hashes) // 2, len(each.hashes) - 1):
                items = world.log.items(300, 800)
                items[place].hashes = changed(each.hashes, at)  # type: ignore[attr-defined]
                error = await world.refused(LOG, items, version=800, minutes=1)
                assert error.reason is Reason.INVALID_ARGUMENT


def changed(octets: bytes, at: int) -> bytes:
    """The octets with one bit of one of them changed."""
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]


async def test_missing_surplus_and_misplaced_tiles_are_refused() -> None:
    world = World()
    await world.push_log(0, 300)
    items: list[Any] = world.log.items(300, 800)
    swapped = [items[0], items[2], items[1], *items[3:]]
    for wrong in (items[:-1], [*items, items[-1]], swapped, items[1:], [*items, items[0]], []):
        error = await world.refused(LOG, wrong, version=800, minutes=1)
        assert error.reason is Reason.INVALID_ARGUMENT


async def test_another_history_under_the_same_key_is_refused() -> None:
    world = World()
    await world.push_log(0, 300)
    fork = PublicLog(world.log.key, first=1000)
    error = await world.refused(LOG, fork.items(300, 800), version=800, minutes=1)
    assert "does not continue what is kept" in error.message
    error = await world.refused(LOG, fork.items(300, 300), version=300, minutes=1)
    assert "do not give the root" in error.message


async def test_smaller_log_is_refused() -> None:
    world = World()
    await world.push_log(0, 300)
    error = await world.refused(LOG, world.log.items(0, 200), version=200, minutes=1)
    assert error.reason is Reason.FAILED_PRECONDITION


async def test_checkpoint_of_an_unknown_key_or_another_size_is_refused() -> None:
    world = World()
    error = await world.refused(LOG, PublicLog().items(0, 3), version=3)
    assert error.fields[0].field == "checkpoint"
    error = await world.refused(LOG, world.log.items(0, 3), version=4)
    assert error.fields[0].field == "snapshot.version"
