"""The log's store in memory: what unit tests run on, held to the same contract as PostgreSQL.

`lost` makes the next append fail as a broken connection does: "before" the commit or "after" it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from services.logging.model import (
    OUTCOMES,
    Checkpoint,
    DataKey,
    DuplicateError,
    EntryId,
    Head,
    LoggedEntry,
    Marks,
    OpenRequest,
    ReceiptKey,
    RetentionClass,
    SealedEntry,
    StoredEntry,
)
from services.logging.tree import FullTile
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason


class MemoryLogStore:
    """One log; also its writer."""

    def __init__(self) -> None:
        self.entries: list[SealedEntry] = []
        self.recent: dict[EntryId, int] = {}
        self.kept_tiles: dict[tuple[int, int], bytes] = {}
        self.keys: list[DataKey] = []
        self.receipts: list[ReceiptKey] = []
        self.published = Checkpoint(0, b"", "")
        self.kept_marks = Marks(0, 0)
        self.epoch = 0
        self.batches: list[int] = []
        self.lost = ""
        self.gate: asyncio.Event | None = None

    @asynccontextmanager
    async def writer(self, epoch: int | None = None) -> AsyncIterator["MemoryLogStore"]:
        """A session."""
        yield self

    async def take_over(self, epoch: int | None) -> Head | None:
        """Raise the epoch."""
        if epoch is not None and epoch != self.epoch:
            return None
        self.epoch += 1
        return Head(1, len(self.entries), self.epoch, self._last())

    async def beat(self) -> None:
        """Nothing: this session does not end."""

    async def append(self, head: Head, entries: Sequence[SealedEntry]) -> bool:
        """Append at the head."""
        if self.gate is not None:
            await self.gate.wait()
        lost, self.lost = self.lost, ""
        if lost == "before":
            raise _lost()
        if (head.size, head.epoch) != (len(self.entries), self.epoch):
            return False
        ids = [each.entry.id for each in entries]
        if len(set(ids)) < len(ids) or not self.recent.keys().isdisjoint(ids):
            raise DuplicateError
        self.recent |= {each: head.size + place for place, each in enumerate(ids)}
        self.entries += entries
        self.batches.append(len(entries))
        if lost == "after":
            raise _lost()
        return True

    async def find(self, ids: Sequence[EntryId]) -> dict[EntryId, StoredEntry]:
        """Those of `ids` that exist."""
        found = {}
        for each in ids:
            if each in self.recent:
                index = self.recent[each]
                sealed = self.entries[index]
                found[each] = StoredEntry(
                    index=index,
                    recorded_at=sealed.recorded_at,
                    leaf_hash=sealed.leaf_hash,
                    nonce=sealed.entry.nonce,
                    question_mac=sealed.entry.question_mac,
                    last_attempt=max(
                        e.attempt
                        for e in self.recent
                        if (e.exchange_id, e.kind) == (each.exchange_id, each.kind)
                    ),
                    data_key_id=sealed.data_key_id,
                    evidence=sealed.evidence,
                )
        return found

    def _last(self) -> int:
        return self.entries[-1].recorded_at if self.entries else 0

    async def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes of [start, end)."""
        return [each.leaf_hash for each in self.entries[start:end]]

    async def recorded_at(self, index: int) -> int | None:
        """When the entry at `index` was recorded."""
        return self.entries[index].recorded_at if index < len(self.entries) else None

    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        """Full tiles [start, end) of a level."""
        return {
            index: self.kept_tiles[level, index]
            for index in range(start, end)
            if (level, index) in self.kept_tiles
        }

    async def keep_tiles(self, tiles: Sequence[FullTile]) -> None:
        """Keep full tiles."""
        for tile in tiles:
            self.kept_tiles.setdefault((tile.level, tile.index), tile.hashes)

    async def checkpoint(self) -> Checkpoint:
        """The newest published checkpoint."""
        return self.published

    async def publish(self, checkpoint: Checkpoint, at: datetime) -> bool:
        """Publish by compare-and-set."""
        if checkpoint.size <= self.published.size:
            return False
        self.published = checkpoint
        return True

    async def cosign(self, checkpoint: Checkpoint) -> None:
        """Replace the note of a checkpoint."""
        if (checkpoint.size, checkpoint.root) == (self.published.size, self.published.root):
            self.published = checkpoint

    async def keep_receipt_key(self, key: ReceiptKey) -> None:
        """Remember a receipt key."""
        self.receipts.insert(0, key)

    async def receipt_keys(self) -> list[ReceiptKey]:
        """The receipt keys, newest first."""
        return self.receipts

    async def find_data_key(self, retention: RetentionClass, month: str) -> DataKey | None:
        """The key of a class and month."""
        for key in self.keys:
            if (key.retention_class, key.month) == (retention, month):
                return key
        return None

    async def get_data_key(self, data_key_id: int) -> DataKey:
        """The key of that id."""
        if not 0 < data_key_id <= len(self.keys):
            raise CrossroadsError(Reason.NOT_FOUND, "no such data key")
        return self.keys[data_key_id - 1]

    async def keep_data_key(
        self, retention: RetentionClass, month: str, transit_key: str, wrapped: str
    ) -> DataKey:
        """Keep a key, unless there is one."""
        kept = await self.find_data_key(retention, month)
        if kept is None:
            kept = DataKey(len(self.keys) + 1, retention, month, transit_key, wrapped)
            self.keys.append(kept)
        return kept

    async def find_exchange(self, exchange_id: bytes) -> list[LoggedEntry]:
        """The entries of one exchange."""
        return [
            LoggedEntry(index, each.entry.id, each.leaf_hash, each.recorded_at)
            for index, each in enumerate(self.entries)
            if each.entry.id.exchange_id == exchange_id
        ]

    async def find_subject(self, data_key_id: int, subject_mac: bytes, limit: int) -> list[int]:
        """Leaf indices of a subject, newest first."""
        found = [
            index
            for index, each in enumerate(self.entries)
            if (each.data_key_id, each.subject_mac) == (data_key_id, subject_mac)
        ]
        return found[::-1][:limit]

    async def open_requests(self, start: int, limit: int) -> list[OpenRequest]:
        """Requests from `start` that have no outcome."""
        found = []
        for index, each in enumerate(self.entries):
            exchange_id, kind, attempt = each.entry.id
            done = any(EntryId(exchange_id, int(k), attempt) in self.recent for k in OUTCOMES)
            if index >= start and kind == Kind.REQUEST and not done:
                assert each.entry.deadline is not None
                found.append(
                    OpenRequest(
                        index=index,
                        id=each.entry.id,
                        deadline=each.entry.deadline,
                        leaf_hash=each.leaf_hash,
                        data_key_id=each.data_key_id,
                        evidence=each.evidence,
                    )
                )
        return found[:limit]

    async def marks(self) -> Marks:
        """How far the sweeper came."""
        return self.kept_marks

    async def keep_marks(self, marks: Marks) -> None:
        """Remember how far the sweeper came."""
        self.kept_marks = Marks(*map(max, zip(self.kept_marks, marks, strict=True)))

    async def forget(self, start: int, end: int) -> int:
        """Forget the entry ids of [start, end)."""
        old = [each for each, index in self.recent.items() if start <= index < end]
        for each in old:
            del self.recent[each]
        return len(old)


def _lost() -> CrossroadsError:
    return CrossroadsError(Reason.STORE_UNAVAILABLE, "the log's database does not answer")
