"""Tiles: the specification's examples, and every node out of them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.proof import merkle, tiles
from services.proof.merkle import Tree
from services.proof.tiles import Tile, TileReader
from tests.unit.proof.trees import leaf_hashes


def test_specification_s_example_of_70000_leaves() -> None:
    widths = Counter((t.level, t.width) for t in tiles.tiles_of(70_000))
    assert widths == {(0, 256): 273, (0, 112): 1, (1, 256): 1, (1, 17): 1, (2, 1): 1}


def test_specification_s_example_of_256_leaves() -> None:
    assert list(tiles.tiles_of(256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(63, 0), "tile/63/000"),
        (Tile(1, 999, 17), "tile/1/999.p/17"),
        (Tile(2, 1000, 1), "tile/2/x001/000.p/1"),
        (Tile(-1, 5), "tile/entries/005"),
        (Tile(-1, 5, 255), "tile/entries/005.p/255"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tiles.parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/1",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x1234/067",
        "tile/0/001.p/0",
        "tile/0/001.p/01",
        "tile/0/001.p/256",
        "tile/0/001.p/",
        "tile/0/001/",
        "/tile/0/001",
        "tile/0/../001",
        "tile/0/\u0660\u0660\u0661",
        "tile/entries/1",
        "tile/0/001\n",
    ],
)
def test_what_is_no_path_of_a_tile_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        tiles.parse_path(path)


@given(st.integers(-1, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_paths_are_read_as_they_are_written(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert tiles.parse_path(tile.path) == tile


def stored(hashes: list[bytes]) -> dict[Tile, bytes]:
    """All tiles of a tree, made level by level from their definition."""
    made: dict[Tile, bytes] = {}
    row, level = hashes, 0
    while row:
        for start in range(0, len(row), 256):
            part = row[start : start + 256]
            made[Tile(level, start // 256, len(part))] = b"".join(part)
        full = range(0, len(row) - 255, 256)
        row = [merkle.fold(perfect(row[start : start + 256])) for start in full]
        level += 1
    return made


def perfect(row: list[bytes]) -> list[bytes]:
    """The one node above a row of 256."""
    tree = Tree()
    tree.append(row)
    return list(tree.edge)


SIZES = (1, 2, 255, 256, 257, 700, 65_535, 65_536, 65_793)
HASHES = leaf_hashes(max(SIZES))


@pytest.mark.parametrize("size", SIZES)
def test_tiles_give_root_and_proofs(size: int) -> None:
    made = stored(HASHES[:size])
    assert set(made) == set(tiles.tiles_of(size))
    tree = Tree()
    tree.append(HASHES[:size])
    reader = TileReader(size=size, read_tile=made.__getitem__)
    assert reader.root() == tree.root()
    for index in {0, size // 2, size - 1}:
        proof = merkle.inclusion_proof(index, size, reader)
        merkle.verify_inclusion(index, size, HASHES[index], proof, tree.root())
    for size1 in {1, size // 2 or 1, size}:
        first = Tree()
        first.append(HASHES[:size1])
        proof = merkle.consistency_proof(size1, size, reader)
        merkle.verify_consistency(size1, size, proof, first.root(), tree.root())


def test_a_tile_is_read_once() -> None:
    made = stored(HASHES[:700])
    reads: Counter[Tile] = Counter()

    def read(tile: Tile) -> bytes:
        reads[tile] += 1
        return made[tile]

    reader = TileReader(size=700, read_tile=read)
    merkle.inclusion_proof(3, 700, reader)
    merkle.inclusion_proof(4, 700, reader)
    assert set(reads.values()) == {1}


def test_wider_tile_serves_for_a_partial_one() -> None:
    made = stored(HASHES[:256])
    reader = TileReader(size=100, read_tile=lambda t: made[Tile(t.level, t.index)])
    tree = Tree()
    tree.append(HASHES[:100])
    assert reader.root() == tree.root()


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_growth_writes_exactly_the_tiles_that_differ(one: int, other: int) -> None:
    old, new = sorted((one, other))
    before, after = set(tiles.tiles_of(old)), set(tiles.tiles_of(new))
    grown = list(tiles.tiles_between(old, new))
    assert set(grown) == after - before
    assert len(set(grown)) == len(grown)


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(0, 12), st.integers(0, 3000))
def test_node_is_in_the_tile_that_is_named(size: int, level: int, index: int) -> None:
    if (index + 1) << level > size:
        with pytest.raises(ValueError, match="not a perfect node"):
            tiles.tile_of(level, index, size)
        return
    tile = tiles.tile_of(level, index, size)
    assert tile in set(tiles.tiles_of(size))


@pytest.mark.parametrize(
    ("data", "tile", "level", "index", "reason"),
    [
        (b"\x00" * 33, Tile(0, 0, 1), 0, 0, "width"),
        (b"\x00" * 32, Tile(0, 0, 2), 0, 0, "width"),
        (b"", Tile(0, 0, 1), 0, 0, "width"),
        (b"\x00" * 64, Tile(0, 0, 2), 0, 2, "not in this tile"),
        (b"\x00" * 64, Tile(0, 1, 2), 0, 0, "not in this tile"),
        (b"\x00" * 64, Tile(0, 0, 2), 8, 0, "not in this tile"),
        (b"\x00" * 64, Tile(1, 0, 2), 0, 0, "not in this tile"),
    ],
    ids=lambda value: len(value) if isinstance(value, bytes) else repr(value),
)
def test_node_is_not_read_from_what_does_not_hold_it(
    data: bytes, tile: Tile, level: int, index: int, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        tiles.node_in(data, tile, level, index)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=256))
def test_bundle_is_read_as_it_was_written(entries: list[bytes]) -> None:
    assert tiles.parse_bundle(tiles.bundle(entries)) == entries


@given(st.binary(max_size=80))
def test_what_is_no_bundle_is_refused_and_the_rest_has_one_form(data: bytes) -> None:
    try:
        entries = tiles.parse_bundle(data)
    except ValueError:
        return
    assert tiles.bundle(entries) == data


def test_bundles_beyond_their_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        tiles.bundle([b"\x00" * 65_536])
    with pytest.raises(ValueError, match="1 to 256"):
        tiles.parse_bundle(b"\x00\x00" * 257)
    for cut in (b"\x00", b"\x00\x02\x01"):
        with pytest.raises(ValueError, match="ends within"):
            tiles.parse_bundle(cut)
