"""The Merkle tree as it grows: its right edge in memory, full tiles for the store, any node.

Contract: the tree is that of RFC 6962; a tile (C2SP tlog-tiles) holds 256 hashes, of leaves at
level 0, of full tiles of the level below above that. A node (level, index) covers the leaves
[index << level, (index + 1) << level). Only complete nodes are ever asked for: they never change.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.logging.model import FencedError
from services.proof import merkle, tiles

HASH = merkle.HASH_SIZE
CACHED_TILES = 512
SAVED_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class FullTile:
    """A full tile."""

    level: int
    index: int
    hashes: bytes


class TileStore(Protocol):
    """Where leaves and full tiles are kept."""

    async def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes of [start, end), in order."""
        ...

    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        """Full tiles [start, end) of a level, by index."""
        ...

    async def keep_tiles(self, tiles: Sequence[FullTile]) -> None:
        """Keep full tiles."""
        ...


class Edge:
    """The right edge: at each level the hashes that fill no tile yet. From them comes the root."""

    def __init__(self, levels: Iterable[Sequence[bytes]] = ()) -> None:
        self.levels = [list(level) for level in levels] or [[]]
        self._full = [0] * len(self.levels)
        above = 0
        for level in range(len(self.levels) - 1, -1, -1):
            self._full[level] = above
            above = above * tiles.WIDTH + len(self.levels[level])
        self.size = above

    def add(self, leaf_hashes: Iterable[bytes]) -> list[FullTile]:
        """Take the next leaves; the tiles that they filled."""
        full: list[FullTile] = []
        for leaf_hash in leaf_hashes:
            self.levels[0].append(leaf_hash)
            self.size += 1
            if len(self.levels[0]) == tiles.WIDTH:
                self._carry(full)
        return full

    def _carry(self, full: list[FullTile]) -> None:
        level = 0
        while len(self.levels[level]) == tiles.WIDTH:
            hashes = self.levels[level]
            full.append(FullTile(level, self._full[level], b"".join(hashes)))
            self._full[level] += 1
            self.levels[level] = []
            if level + 1 == len(self.levels):
                self.levels.append([])
                self._full.append(0)
            level += 1
            self.levels[level].append(tree_root(hashes))

    def root(self) -> bytes:
        """The root over all leaves. What an edge lacks to a full tile hangs last, like a leaf."""
        if self.size == 0:
            return merkle.EMPTY_ROOT
        ragged: list[bytes] = []
        for hashes in self.levels:
            row = [*hashes, *ragged]
            ragged = [tree_root(row)] if row else []
        return ragged[0]

    def tile(self, level: int, index: int) -> list[bytes] | None:
        """The hashes of the unfilled tile at that place, if that is where it stands."""
        if level < len(self.levels) and self._full[level] == index:
            return self.levels[level]
        return None


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """The RFC 6962 root over hashes of leaves (or of equally large subtrees, the last ragged).

    Pairing neighbours level by level, the odd one out passing up, is the same as splitting at the
    largest power of two.
    """
    row = list(hashes)
    node_hash = merkle.node_hash
    while len(row) > 1:
        paired = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            paired.append(row[-1])
        row = paired
    return row[0]


class Tree:
    """The edge with what is stored behind it. One task may change it at a time."""

    def __init__(self, *, store: TileStore) -> None:
        self._store = store
        self._edge = Edge()
        self._unsaved: list[FullTile] = []
        self._cache: dict[tuple[int, int], bytes] = {}

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._edge.size

    def root(self) -> bytes:
        """The root over all of them."""
        return self._edge.root()

    def add(self, leaf_hashes: Iterable[bytes]) -> None:
        """Take the next leaves."""
        self._unsaved += self._edge.add(leaf_hashes)

    async def save(self) -> None:
        """Store the tiles that were filled since. Raises STORE_UNAVAILABLE; then they stay.

        A tile and those that it completes above go together: `load` relies on it.
        """
        while self._unsaved:
            cut = SAVED_TOGETHER
            while cut < len(self._unsaved) and self._unsaved[cut].level:
                cut += 1
            saved = self._unsaved[:cut]
            await self._store.keep_tiles(saved)
            for tile in saved:
                self._remember(tile.level, tile.index, tile.hashes)
            del self._unsaved[:cut]

    async def load(self, size: int) -> None:
        """Grow to `size` from what is stored. Raises FencedError when leaves are missing."""
        if self.size == 0:
            self._edge = await self._stored_edge(size)
        step = 4096
        for start in range(self.size, size, step):
            leaves = await self._store.leaf_hashes(start, min(start + step, size))
            self.add(leaves)
            await self.save()
        if self.size != size:
            raise FencedError(f"the log holds {self.size} of the {size} entries that its head says")

    async def _stored_edge(self, size: int) -> Edge:
        """The edge after the last stored full tile of level 0, from the tiles of all levels."""
        levels: list[list[bytes]] = [[]]
        level, count = 0, await self._stored_tiles(size // tiles.WIDTH)
        while count:
            # Each full tile of this level is a hash one level up; of those hashes, the ones that
            # fill tiles up there are stored up there.
            start = count // tiles.WIDTH * tiles.WIDTH
            stored = await self._store.tiles(level, start, count)
            if len(stored) != count - start:
                raise FencedError(f"tiles of level {level} are missing; run fsck")
            levels.append([tree_root(_split(stored[index])) for index in range(start, count)])
            level, count = level + 1, start // tiles.WIDTH
        return Edge(levels)

    async def _stored_tiles(self, most: int) -> int:
        """How many tiles of level 0 are stored without a gap at the end, at most `most`."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            if await self._store.tiles(0, middle - 1, middle):
                low = middle
            else:
                high = middle - 1
        return low

    async def nodes(self, wanted: Iterable[merkle.Node]) -> dict[merkle.Node, bytes]:
        """The hashes of complete nodes (level, index) of this tree."""
        standing = {node: tiles.tile_of(*node, self.size) for node in wanted}
        places = {(tile.level, tile.index) for tile in standing.values()}
        # At once: what is not in memory takes a round trip to the database.
        held = await asyncio.gather(*(self.tile(*place) for place in places))
        hashes = dict(zip(places, held, strict=True))
        found: dict[merkle.Node, bytes] = {}
        for (level, index), tile in standing.items():
            row = hashes[tile.level, tile.index]
            # The edge may have grown, or been filled, meanwhile: that changes no complete node.
            full = tiles.Tile(tile.level, tile.index, len(row) // HASH)
            found[level, index] = tiles.node_in(row, full, level, index)
        return found

    async def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile that this tree has, as many as there are."""
        edge = self._edge.tile(level, index)
        if edge is not None:
            return b"".join(edge)
        for tile in self._unsaved:
            if tile.level == level and tile.index == index:
                return tile.hashes
        hashes = self._cache.get((level, index))
        if hashes is None:
            stored = await self._store.tiles(level, index, index + 1)
            if index not in stored:
                raise FencedError(f"tile {index} of level {level} is missing; run fsck")
            hashes = stored[index]
            self._remember(level, index, hashes)
        return hashes

    def _remember(self, level: int, index: int, hashes: bytes) -> None:
        while len(self._cache) >= CACHED_TILES:
            del self._cache[next(iter(self._cache))]
        self._cache[(level, index)] = hashes


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH] for at in range(0, len(hashes), HASH)]
