"""A log's tables copied out of PostgreSQL, so that a test can change a bit and look again quickly.

Contract: `MemoryTables` is what `fsck` reads (`Tables`); `copy_tables` fills it from a snapshot.
"""

import copy
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace

from services.logging.evidence_model import SubjectRoot
from services.logging.fsck import Fsck, Report, Trust
from services.logging.model import Checkpoint, DataKey, Marks, ReceiptKey
from services.logging.snapshot import (
    ActTables,
    EntryRow,
    HeadRow,
    HeldRow,
    RecentRow,
    Snapshot,
    SubjectRow,
    TermRow,
)
from services.proof.note import VerifierKey
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError
from tests.support.logs import ORIGIN, Safe


@dataclass
class MemoryTables:
    """One state of a log's tables."""

    heads: list[HeadRow]
    published: list[Checkpoint]
    keys: list[DataKey]
    receipts: list[ReceiptKey]
    sweep: Marks
    kept_tiles: dict[tuple[int, int], bytes]
    entry: list[EntryRow] = field(default_factory=list)
    recent_entry: list[RecentRow] = field(default_factory=list)
    subject_entry: list[SubjectRow] = field(default_factory=list)
    roots: list[SubjectRoot] = field(default_factory=list)
    beside: ActTables = field(default_factory=ActTables)
    held_entry: list[HeldRow] = field(default_factory=list)
    term_entry: list[TermRow] = field(default_factory=list)

    def copy(self) -> "MemoryTables":
        """Another one, to be changed."""
        return copy.copy(
            replace(
                self,
                heads=[*self.heads],
                published=[*self.published],
                keys=[*self.keys],
                receipts=[*self.receipts],
                kept_tiles=dict(self.kept_tiles),
                entry=[*self.entry],
                recent_entry=[*self.recent_entry],
                subject_entry=[*self.subject_entry],
                roots=[*self.roots],
                held_entry=[*self.held_entry],
                term_entry=[*self.term_entry],
            )
        )

    async def head(self) -> HeadRow | None:
        """The head."""
        return self.heads[0] if self.heads else None

    async def checkpoint(self) -> Checkpoint | None:
        """What was published last."""
        return self.published[0] if self.published else None

    async def data_keys(self) -> list[DataKey]:
        """Every wrapped key."""
        return self.keys

    async def receipt_keys(self) -> list[ReceiptKey]:
        """Every receipt key."""
        return self.receipts

    async def marks(self) -> Marks:
        """The sweeper's marks."""
        return self.sweep

    async def subject_roots(self) -> list[SubjectRoot]:
        """The daily roots."""
        return self.roots

    async def acts(self, ids: Sequence[bytes]) -> set[bytes]:
        """Those under which an act stands."""
        found = {each.id.exchange_id for each in self.entry if each.id.kind == Kind.ADMINISTRATIVE}
        return found & set(ids)

    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        """Full tiles [start, end)."""
        found = ((each, self.kept_tiles.get((level, each))) for each in range(start, end))
        return {index: hashes for index, hashes in found if hashes is not None}

    async def tile_count(self) -> int:
        """How many tiles."""
        return len(self.kept_tiles)

    async def entries(self) -> AsyncGenerator[EntryRow, None]:
        """Every entry, ordered."""
        for row in sorted(self.entry, key=lambda row: row.index):
            yield row

    async def recent(self) -> AsyncGenerator[RecentRow, None]:
        """Recent ids, ordered."""
        for row in sorted(self.recent_entry, key=lambda row: row.index):
            yield row

    async def subjects(self) -> AsyncGenerator[SubjectRow, None]:
        """The subject index, ordered."""
        for row in sorted(self.subject_entry, key=lambda row: row.index):
            yield row

    async def act_tables(self) -> ActTables:
        """What stands beside the log."""
        return self.beside

    async def held(self) -> AsyncGenerator[HeldRow, None]:
        """What holds keep, ordered."""
        for row in sorted(self.held_entry, key=lambda row: row.index):
            yield row

    async def terms(self) -> AsyncGenerator[TermRow, None]:
        """The index of terms, ordered."""
        for row in sorted(self.term_entry, key=lambda row: row.index):
            yield row


async def copy_tables(snapshot: Snapshot) -> MemoryTables:
    """All that a snapshot holds."""
    head, published = await snapshot.head(), await snapshot.checkpoint()
    assert head is not None
    assert published is not None
    levels = range(4)
    return MemoryTables(
        heads=[head],
        published=[published],
        keys=await snapshot.data_keys(),
        receipts=await snapshot.receipt_keys(),
        sweep=await snapshot.marks(),
        kept_tiles={
            (level, index): hashes
            for level in levels
            for index, hashes in (await snapshot.tiles(level, 0, 1 << 40)).items()
        },
        entry=[row async for row in snapshot.entries()],
        recent_entry=[row async for row in snapshot.recent()],
        subject_entry=[row async for row in snapshot.subjects()],
        beside=await snapshot.act_tables(),
        held_entry=[row async for row in snapshot.held()],
        term_entry=[row async for row in snapshot.terms()],
        roots=await snapshot.subject_roots(),
    )


class SafeKeys:
    """Vault as fsck asks it, over a `Safe`."""

    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def secret(self, transit_key: str, wrapped: str) -> bytes | None:
        """The data key, None when its Transit key is gone."""
        if transit_key not in self._safe.data_keys:
            return None
        try:
            return await self._safe.unwrap(transit_key, wrapped)
        except CrossroadsError:
            raise ValueError("can't be unwrapped") from None


async def look(
    tables: MemoryTables | Snapshot, safe: Safe, now: int, *held: str, witnesses: bool = False
) -> Report:
    """One run of fsck that trusts the safe's key."""
    log = VerifierKey(ORIGIN, safe.key.public_key().public_bytes_raw())
    trust = Trust(log=[log], held=held)
    fsck = Fsck(tables=tables, origin=ORIGIN, keys=SafeKeys(safe), now=now, trust=trust)
    return await fsck.run()
