"""The tree grown again from the leaves, compared with the tiles that are stored and with roots that
were signed."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from services.logging.model import DifferenceError
from services.logging.tree import HASH, Edge, FullTile
from services.proof import merkle, tiles

Fetch = Callable[[int, int, int], Awaitable[dict[int, bytes]]]
"""Full tiles [start, end) of a level, by their index."""

AHEAD = 64
"""How many tiles of the lowest level are fetched at once."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody signed: the root of the tree of `size` entries; `where` it stands."""

    size: int
    root: bytes
    where: str


class Regrowth:
    """Takes leaf after leaf. Raises DifferenceError at the first that does not fit."""

    def __init__(self, *, tiles: Fetch, claims: Iterable[Claim]) -> None:
        self._fetch = tiles
        self._claims: dict[int, list[Claim]] = {}
        for claim in claims:
            self._claims.setdefault(claim.size, []).append(claim)
        for claim in self._claims.get(0, ()):
            if claim.root != merkle.EMPTY_ROOT:
                raise DifferenceError(f"{claim.where}: the empty log has another root")
        self._signed = max(self._claims, default=0)
        self._edge = Edge()
        self._waiting: list[bytes] = []
        self._fetched: dict[int, bytes] = {}
        self._seen = 0

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return self._edge.root()

    async def add(self, leaf_hash: bytes) -> None:
        """Take the next leaf."""
        self._waiting.append(leaf_hash)
        size = self._edge.size + len(self._waiting)
        if size % tiles.WIDTH == 0 or size in self._claims:
            await self._flush()
            self._compare_roots(size)

    async def finish(self, stored: int) -> None:
        """After the last leaf: `stored` tiles are there in all, on every level."""
        await self._flush()
        if stored != self._seen:
            raise DifferenceError(f"tile: {stored} are stored, the entries fill {self._seen}")

    async def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for tile in self._edge.add(waiting):
            await self._compare_tile(tile)

    def _compare_roots(self, size: int) -> None:
        for claim in self._claims.get(size, ()):
            if claim.root != self._edge.root():
                raise DifferenceError(
                    f"{claim.where}: the first {size} entries have another root than it says"
                )

    async def _compare_tile(self, tile: FullTile) -> None:
        stored = await self._stored(tile.level, tile.index)
        if stored is None:
            # Tiles are stored before the checkpoint that covers them; later ones may yet come.
            if (tile.index + 1) << tiles.HEIGHT * (tile.level + 1) <= self._signed:
                raise DifferenceError(f"tile {tile.index} of level {tile.level} is missing")
            return
        self._seen += 1
        if stored != tile.hashes:
            pairs = zip(stored, tile.hashes, strict=False)
            octet = next((at for at, (one, other) in enumerate(pairs) if one != other), 0)
            first = (tile.index * tiles.WIDTH + octet // HASH) << tiles.HEIGHT * tile.level
            raise DifferenceError(
                f"tile {tile.index} of level {tile.level} differs from the entries from {first} on"
            )

    async def _stored(self, level: int, index: int) -> bytes | None:
        if level:
            return (await self._fetch(level, index, index + 1)).get(index)
        if index % AHEAD == 0:
            self._fetched = await self._fetch(0, index, index + AHEAD)
        return self._fetched.get(index)
