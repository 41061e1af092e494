"""Tiles of a log's tree, as C2SP tlog-tiles: 256 hashes each, paths, widths, and reading nodes.

Contract: tile (level, index) holds the nodes at tree level 8 * level with indices
[256 * index, 256 * (index + 1)); the rightmost of a level may be partial. Tiles and entry bundles
are bytes as they are served. ValueError with the reason for anything that is not one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from services.proof.merkle import HASH_SIZE, fold, node_hash, range_nodes

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_LEVEL = 63
ENTRIES = "tile/entries/"

_PATH = re.compile(
    r"tile/(?:(?P<level>0|[1-9]\d?)|entries)/"
    r"(?P<index>(?:x\d{3}/)*\d{3})(?:\.p/(?P<width>[1-9]\d{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's coordinates; `width` is 256 for a full one. Of a bundle of entries `level` is -1."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is served below the log's prefix, `tile/0/x001/x234/067.p/12`."""
        name = "entries" if self.level < 0 else str(self.level)
        suffix = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{name}/{_number(self.index)}{suffix}"


def parse_path(path: str) -> Tile:
    """The tile or bundle at a path; ValueError if no tile has this path."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError("tile: not the path of a tile")
    level = -1 if match["level"] is None else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = WIDTH if match["width"] is None else int(match["width"])
    # One path for each tile: no leading x000, no partial tile of 256 or more.
    if level > MAX_LEVEL or _number(index) != match["index"] or (match["width"] and width >= WIDTH):
        raise ValueError("tile: not the path of a tile")
    return Tile(level, index, width)


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes tile (level, index) holds in a tree of `size` leaves: 0 if there is none."""
    return max(0, min(WIDTH, (size >> HEIGHT * max(level, 0)) - index * WIDTH))


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """The tiles of the tree of `new` leaves that the tree of `old` lacks, level by level."""
    level = 0
    while new >> HEIGHT * level:
        first = (old >> HEIGHT * level) >> HEIGHT
        last = ((new >> HEIGHT * level) - 1) >> HEIGHT
        for index in range(first, last + 1):
            width = width_at(level, index, new)
            if width != width_at(level, index, old):
                yield Tile(level, index, width)
        level += 1


def tiles_of(size: int) -> Iterator[Tile]:
    """All tiles of a tree, level by level."""
    return tiles_between(0, size)


def tile_of(level: int, index: int, size: int) -> Tile:
    """The tile from which the perfect node (level, index) of the tree can be had.

    ValueError if the tree of `size` leaves has no such node.
    """
    if level < 0 or index < 0 or (index + 1) << level > size:
        raise ValueError("node: not a perfect node of the tree")
    tile_level, height = divmod(level, HEIGHT)
    tile_index = index << height >> HEIGHT
    return Tile(tile_level, tile_index, width_at(tile_level, tile_index, size))


def node_in(data: bytes, tile: Tile, level: int, index: int) -> bytes:
    """The hash of node (level, index), out of the bytes of its tile.

    `data` may be wider than the tile; ValueError if it is narrower or no sequence of hashes.
    """
    if len(data) % HASH_SIZE or len(data) < tile.width * HASH_SIZE:
        raise ValueError("tile: not as many hashes as its width says")
    height = level - HEIGHT * tile.level
    if not 0 <= height < HEIGHT:
        raise ValueError("node: not in this tile")
    start = ((index << height) - tile.index * WIDTH) * HASH_SIZE
    row = [data[i : i + HASH_SIZE] for i in range(start, start + (HASH_SIZE << height), HASH_SIZE)]
    if start < 0 or len(row[-1]) != HASH_SIZE:
        raise ValueError("node: not in this tile")
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


class TileReader:
    """Gives the nodes of one tree from its tiles; what `merkle.build` reads with.

    `read_tile` gives a tile's bytes, that tile's or a wider one's; each is asked for once.
    """

    def __init__(self, *, size: int, read_tile: Callable[[Tile], bytes]) -> None:
        self._size = size
        self._read_tile = read_tile
        self._tiles: dict[Tile, bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of a perfect node."""
        tile = tile_of(level, index, self._size)
        data = self._tiles.get(tile)
        if data is None:
            data = self._tiles[tile] = self._read_tile(tile)
        return node_in(data, tile, level, index)

    def root(self) -> bytes:
        """The root of the tree."""
        return fold([self(level, index) for level, index in range_nodes(0, self._size)])


def bundle(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: each entry behind its length in two bytes; ValueError beyond 65,535."""
    parts = []
    for entry in entries:
        if len(entry) > 0xFFFF:
            raise ValueError("bundle: an entry is longer than 65,535 bytes")
        parts.append(len(entry).to_bytes(2, "big") + entry)
    return b"".join(parts)


def parse_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle; ValueError if it ends within one or holds none or too many."""
    entries = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise ValueError("bundle: ends within an entry")
        entries.append(data[at + 2 : end])
        at = end
    if not 1 <= len(entries) <= WIDTH:
        raise ValueError(f"bundle: must hold 1 to {WIDTH} entries")
    return entries


def _number(index: int) -> str:
    """An index as groups of three digits, all but the last after an x: x001/x234/067."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))
