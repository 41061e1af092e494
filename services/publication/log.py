"""The log's checkpoint and tiles, taken only when all of them lead to the checkpoint's root.

Contract: the items of a push are the checkpoint, then the tiles that the size shown now lacks, as
`tiles_between` has them. What is kept never changes, so that a new checkpoint always continues the
one before.
"""

from collections.abc import Callable, Iterator

from services.proof.checkpoint import Checkpoint
from services.proof.merkle import EMPTY_ROOT, HASH_SIZE, Tree, node_hash
from services.proof.tiles import HEIGHT, WIDTH, Tile, tiles_between
from services.publication.log_pages import log_pages
from services.publication.model import (
    CheckpointItem,
    Collection,
    Document,
    Snapshot,
    TileItem,
    Value,
)
from services.publication.operations import Transaction
from services.runtime.errors import invalid

CHECKPOINT = f"{Collection.LOG}/checkpoint"
Verify = Callable[[str], Checkpoint]


class LogEditor:
    """Takes one push. `verify` gives the checkpoint in a note, or ValueError: not believed."""

    def __init__(
        self, snapshot: Snapshot, shown: Snapshot | None, tx: Transaction, *, verify: Verify
    ) -> None:
        self._snapshot = snapshot
        self._old = 0 if shown is None else shown.version
        self._tx = tx
        self._verify = verify
        self._note = ""
        self._checkpoint: Checkpoint | None = None
        self._expected: Iterator[Tile] = iter(())
        self._filled: dict[tuple[int, int], bytes] = {}
        """Roots of the tiles that became full, by level and index: hashes of the level above."""

    async def take(self, value: Value) -> None:
        """The checkpoint, then a tile."""
        if isinstance(value, CheckpointItem) and self._checkpoint is None:
            self._begin(value.note)
        elif isinstance(value, TileItem) and self._checkpoint is not None:
            await self._tile(value)
        else:
            raise invalid("item", "the log is one checkpoint, then tiles")

    async def finish(self) -> None:
        """All tiles are there, and give the root that the checkpoint states."""
        checkpoint = self._checkpoint
        if checkpoint is None or next(self._expected, None) is not None:
            raise invalid("item", "a checkpoint or a tile is missing")
        if await self._root(checkpoint.size) != checkpoint.root:
            raise invalid("item", "the tiles do not give the root that the checkpoint states")
        await self._tx.put(Document(CHECKPOINT, self._note.encode()))
        for page in log_pages(checkpoint, self._note, self._snapshot.made_at):
            await self._tx.put(page)

    def _begin(self, note: str) -> None:
        try:
            checkpoint = self._verify(note)
        except ValueError as error:
            raise invalid("checkpoint", str(error)) from None
        if checkpoint.size != self._snapshot.version:
            raise invalid("snapshot.version", "is not the size that the checkpoint states")
        self._note, self._checkpoint = note, checkpoint
        self._expected = tiles_between(self._old, checkpoint.size)

    async def _tile(self, item: TileItem) -> None:
        tile = next(self._expected, None)
        name = f"tile {item.level}/{item.index}"
        width = len(item.hashes) // HASH_SIZE
        if tile != Tile(item.level, item.index, width) or len(item.hashes) % HASH_SIZE:
            raise invalid("item", f"{name} is not the tile that is missing next")
        kept = await self._tx.tile(item.level, item.index)
        if not item.hashes.startswith(kept):
            raise invalid("item", f"{name} does not continue what is kept")
        if item.level:
            for place in range(len(kept) // HASH_SIZE, width):
                child = self._filled.get((item.level - 1, item.index * WIDTH + place))
                if child != item.hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]:
                    raise invalid("item", f"{name} does not hold the roots of the tiles below")
        if width == WIDTH:
            self._filled[item.level, item.index] = tile_root(item.hashes)
        await self._tx.put_tile(item.level, item.index, item.hashes)

    async def _root(self, size: int) -> bytes:
        """The root of the tree: what fills no tile hangs last in the level above."""
        last: list[bytes] = []
        level = 0
        while count := size >> HEIGHT * level:
            row: list[bytes] = []
            if width := count % WIDTH:
                hashes = await self._tx.tile(level, count // WIDTH)
                row = _split(hashes)[:width]
            if row or last:
                tree = Tree()
                tree.append([*row, *last])
                last = [tree.root()]
            level += 1
        return last[0] if last else EMPTY_ROOT


def tile_root(hashes: bytes) -> bytes:
    """The root over a full tile."""
    row = _split(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
