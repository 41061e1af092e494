"""fsck: rebuilds the log from its entries and names the first thing that is not as it was written.

Contract: reads one state of the tables (`Snapshot`) in the order of the log and compares with it
everything that can be worked out again: leaves and rows from the evidence, tiles and roots from the
leaves, the subject index and its daily roots from the subjects, what stands in the lists of recent
ids and of receipt keys. Then with what was signed: the published checkpoint, and notes that were
kept elsewhere, which no one who changed the database can have changed too. Evidence whose Transit
key was erased can't be opened any more: of such an entry the leaf is compared, and nothing else;
but an act must say that it was erased.

Not compared, because nothing depends on it: the head's epoch, the instant of publication.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import orjson

from services.logging import rows
from services.logging.acts_check import ActsCheck
from services.logging.evidence_model import SubjectRoot
from services.logging.model import Checkpoint, DataKey, DifferenceError, Marks, ReceiptKey
from services.logging.regrowth import Claim, Regrowth
from services.logging.retention import act_id
from services.logging.rows import Keys
from services.logging.sealing import Opened
from services.logging.snapshot import (
    ActTables,
    EntryRow,
    HeadRow,
    HeldRow,
    RecentRow,
    SubjectRow,
    TermRow,
)
from services.logging.subjects import RootCheck
from services.proof import checkpoint as c2sp
from services.proof import note as notes
from services.proof.note import VerifierKey
from services.proof.record import Kind

STEP = 4096
"""How many entries between two words about the progress."""

R = TypeVar("R", RecentRow, SubjectRow, HeldRow, TermRow)
Progress = Callable[[int, int], None]


class Tables(Protocol):
    """One state of the log's tables; each stream in the order of the log."""

    async def head(self) -> HeadRow | None: ...
    async def checkpoint(self) -> Checkpoint | None: ...
    async def data_keys(self) -> list[DataKey]: ...
    async def receipt_keys(self) -> list[ReceiptKey]: ...
    async def marks(self) -> Marks: ...
    async def subject_roots(self) -> list[SubjectRoot]: ...
    async def acts(self, ids: Sequence[bytes]) -> set[bytes]: ...
    async def act_tables(self) -> ActTables: ...
    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]: ...
    async def tile_count(self) -> int: ...
    def entries(self) -> AsyncGenerator[EntryRow, None]: ...
    def recent(self) -> AsyncGenerator[RecentRow, None]: ...
    def subjects(self) -> AsyncGenerator[SubjectRow, None]: ...
    def held(self) -> AsyncGenerator[HeldRow, None]: ...
    def terms(self) -> AsyncGenerator[TermRow, None]: ...


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count, and what was kept elsewhere.

    `log` and `witnesses` are verifier keys; without `log`, signatures are not looked at. `held` are
    notes that the database can't have changed: the copy beside it, a witness's, an auditor's.
    """

    log: Sequence[VerifierKey] = ()
    witnesses: Sequence[VerifierKey] = ()
    held: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What fsck found. `difference` is the first one, "" when there is none.

    `entries` were compared, of which the evidence of `erased` can't be opened any more and that of
    `unopened` was not (no Vault); `published` is the size of the largest checkpoint.
    """

    entries: int
    published: int
    erased: int
    unopened: int
    root: bytes
    difference: str = ""


class Fsck:
    """One run over one state of a log."""

    def __init__(
        self,
        *,
        tables: Tables,
        origin: str,
        keys: Keys | None,
        now: int,
        trust: Trust = Trust(),
        progress: Progress = lambda _done, _all: None,
    ) -> None:
        """`keys` unwraps month keys; None leaves evidence closed. `now` in microseconds."""
        self._tables = tables
        self._origin = origin
        self._keys = keys
        self._now = now
        self._trust = trust
        self._progress = progress
        self._receipt_keys: dict[int, str | None] = {}
        self._last_of_run: set[int] = set()
        self._erased = self._unopened = self._count = self._published = 0
        self._tree: Regrowth | None = None

    async def run(self) -> Report:
        """Look at everything until the first difference. Raises UNAVAILABLE (Vault, database)."""
        difference = ""
        try:
            await self._compare()
        except DifferenceError as found:
            difference = str(found)
        return Report(
            entries=self._count,
            published=self._published,
            erased=self._erased,
            unopened=self._unopened,
            root=self._tree.root() if self._tree else b"",
            difference=difference,
        )

    async def _compare(self) -> None:
        head = await self._tables.head()
        if head is None:
            raise DifferenceError(f"the database knows no log of the origin {self._origin}")
        claims = await self._claims(head)
        self._published = max((claim.size for claim in claims), default=0)
        month_keys = await rows.month_keys(await self._tables.data_keys(), self._keys)
        await self._check_erasures(month_keys)
        self._tree = Regrowth(tiles=self._tables.tiles, claims=claims)
        await self._walk(head, month_keys)
        await self._tree.finish(await self._tables.tile_count())
        self._compare_receipt_keys(await self._tables.receipt_keys(), head)

    async def _check_erasures(self, month_keys: rows.MonthKeys) -> None:
        """A key that is gone was erased by an act, not by somebody who had something to hide."""
        if self._keys is None:
            return
        gone = {act_id("erase", each): each for each, held in month_keys.items() if not held.key}
        for unsaid in gone.keys() - await self._tables.acts([*gone]):
            raise DifferenceError(
                f"data_key {gone[unsaid]}: its Transit key is gone, and no entry says that it was"
                " erased"
            )

    async def _claims(self, head: HeadRow) -> list[Claim]:
        """What was signed about the log, in the database and elsewhere."""
        published = await self._tables.checkpoint()
        if published is None:
            raise DifferenceError("the row of the published checkpoint is missing")
        kept = "a checkpoint kept elsewhere"
        claims = [self._claim(note, kept, head) for note in self._trust.held]
        if published.size or published.root or published.note:
            where = "the published checkpoint"
            claim = self._claim(published.note, where, head)
            if (claim.size, claim.root) != (published.size, published.root):
                raise DifferenceError(f"{where}: its note says another size or root than its row")
            if any(held.size > claim.size for held in claims):
                raise DifferenceError(f"{where} is older than one that is kept elsewhere")
            claims.append(claim)
        elif claims:
            raise DifferenceError("there is no published checkpoint, but one is kept elsewhere")
        return claims

    def _claim(self, note: str, where: str, head: HeadRow) -> Claim:
        """The size and root of a note, whose every signature must be by somebody known."""
        try:
            if self._trust.log:
                said = c2sp.verify_keys(note, self._origin, self._trust.log)
                self._check_witnesses(note)
            else:
                said = c2sp.parse(note)
        except ValueError as error:
            raise DifferenceError(f"{where}: {error}") from None
        if said.origin != self._origin:
            raise DifferenceError(f"{where}: of the log {said.origin}")
        if said.size > head.size:
            raise DifferenceError(
                f"{where} is of {said.size} entries, the log has {head.size}: was an older"
                " database put back?"
            )
        return Claim(said.size, said.root, where)

    def _check_witnesses(self, note: str) -> None:
        """Raises ValueError for a signature that nobody known made: it may be an altered one."""
        keys = (*self._trust.log, *self._trust.witnesses)
        known = {(key.name, key.key_id) for key in keys}
        signatures = notes.verify(note, keys).signatures
        if self._trust.witnesses and any((s.name, s.key_id) not in known for s in signatures):
            raise ValueError("note: a signature is by nobody known")

    async def _walk(self, head: HeadRow, month_keys: rows.MonthKeys) -> None:
        assert self._tree is not None
        tables = self._tables
        roots = RootCheck(await tables.subject_roots())
        sweep = rows.Sweep(marks=await tables.marks(), size=head.size, now=self._now)
        beside = await tables.act_tables()
        acts = ActsCheck(tables=beside, month_keys=month_keys, size=head.size)
        await acts.load(self._keys)
        before = 0
        async with AsyncExitStack() as stack:
            entries = await stack.enter_async_context(aclosing(tables.entries()))
            recent = await _ordered(stack, tables.recent(), "recent_entry")
            subjects = await _ordered(stack, tables.subjects(), "subject_entry")
            held = await _ordered(stack, tables.held(), "held_entry")
            terms = await _ordered(stack, tables.terms(), "term_entry")
            async for row in entries:
                self._check_place(row, before, head)
                listed, indexed = await recent.take(row.index), await subjects.take(row.index)
                opened = rows.open_row(row, month_keys)
                rows.check_recent(row, listed, opened)
                rows.check_subjects(row, indexed, opened, month_keys)
                sweep.entry(row, listed=bool(listed))
                _require(roots.entry(row.index, [each.subject_mac for each in indexed], opened))
                acts.entry(row, opened, await held.take(row.index), await terms.take(row.index))
                self._note_key(row, opened)
                await self._tree.add(row.leaf_hash)
                before = row.recorded_at
                self._tally(head, opened)
            self._check_end(head, before)
            for end in (recent.end, subjects.end, held.end, terms.end):
                await end()
        sweep.finish()
        acts.end()
        _require(roots.end())

    def _tally(self, head: HeadRow, opened: Opened | None) -> None:
        self._count += 1
        self._erased += opened is None and self._keys is not None
        self._unopened += self._keys is None
        if self._count % STEP == 0:
            self._progress(self._count, head.size)

    def _check_end(self, head: HeadRow, before: int) -> None:
        if self._count != head.size:
            raise DifferenceError(
                f"entry {self._count} is missing: the head says {head.size} entries"
            )
        if before != head.recorded_at and head.size:
            raise DifferenceError("log_head: says another time than the last entry")

    def _check_place(self, row: EntryRow, before: int, head: HeadRow) -> None:
        if row.index != self._count:
            raise DifferenceError(f"entry {self._count} is missing")
        if row.index >= head.size:
            raise DifferenceError(f"entry {row.index} is beyond the head, which says {head.size}")
        if row.recorded_at < before:
            raise DifferenceError(f"entry {row.index} was recorded before the one that it follows")

    def _note_key(self, row: EntryRow, opened: Opened | None) -> None:
        """Remember the leaves that hold keys of receipts."""
        if row.id.kind == Kind.KEY:
            self._receipt_keys[row.index] = _receipt_key(opened) if opened else None
        elif row.index - 1 in self._receipt_keys:
            # Something was logged under that key; two keys in a row mean that the first never was
            # used: its process ended before it could say where the leaf is.
            self._last_of_run.add(row.index - 1)

    def _compare_receipt_keys(self, listed: Iterable[ReceiptKey], head: HeadRow) -> None:
        kept = {each.index: each.public_key.hex() for each in listed}
        for index, key in kept.items():
            if not 0 <= index < head.size or index not in self._receipt_keys:
                raise DifferenceError(f"receipt_key: entry {index} holds no key")
            if self._receipt_keys[index] not in (None, key):
                raise DifferenceError(f"receipt_key: entry {index} holds another key")
        for index in sorted(self._last_of_run - kept.keys()):
            if self._receipt_keys[index]:
                raise DifferenceError(f"receipt_key: the key in entry {index} is not listed")


class Ordered(Generic[R]):
    """A stream of rows in the order of the log, taken entry by entry."""

    def __init__(self, stream: AsyncIterator[R], name: str) -> None:
        self._stream: AsyncIterator[R] = stream
        self._name = name
        self._next: R | None = None
        self._started = False

    async def take(self, index: int) -> list[R]:
        """The rows of that entry. Raises DifferenceError for rows of an entry before it."""
        if not self._started:
            self._started = True
            await self._advance()
        taken: list[R] = []
        while self._next is not None and self._next.index <= index:
            if self._next.index < index:
                raise self._stray(self._next)
            taken.append(self._next)
            await self._advance()
        return taken

    async def end(self) -> None:
        """Raises DifferenceError when rows are left."""
        if not self._started:
            await self._advance()
        if self._next is not None:
            raise self._stray(self._next)

    async def _advance(self) -> None:
        self._next = await anext(self._stream, None)

    def _stray(self, row: R) -> DifferenceError:
        return DifferenceError(f"{self._name}: a row names entry {row.index}, which is not there")


async def _ordered(stack: AsyncExitStack, stream: AsyncGenerator[R, None], name: str) -> Ordered[R]:
    return Ordered(await stack.enter_async_context(aclosing(stream)), name)


def _require(fault: str) -> None:
    if fault:
        raise DifferenceError(fault)


def _receipt_key(opened: Opened) -> str | None:
    """The key in an entry of kind KEY, if it is one that signs receipts."""
    party = orjson.loads(opened.party)
    return party.get("key") if party.get("use") == "receipts" else None
