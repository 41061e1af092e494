"""One row of the log, compared with what was sealed when it was written.

Contract: `open_row` opens the evidence and compares it with the leaf and the columns; the others
compare what stands about the same entry in other tables. DifferenceError names the entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.logging.model import (
    HOUR,
    OUTCOMES,
    DataKey,
    DifferenceError,
    EntryId,
    Marks,
    RetentionClass,
    instant,
    retention_class,
)
from services.logging.sealing import (
    KINDS,
    ROW,
    MonthKey,
    Opened,
    month_key,
    month_of,
    named_by,
    open_evidence,
    subject_mac,
    transit_key_of,
)
from services.logging.snapshot import EntryRow, RecentRow, SubjectRow
from services.proof import record
from services.proof.note import decode_base64
from services.proof.record import Kind

KEPT = 24 * HOUR
_COLUMNS = ("exchange_id", "kind", "attempt", "recorded_at", "deadline")


class Keys(Protocol):
    """Vault, as fsck needs it."""

    async def secret(self, transit_key: str, wrapped: str) -> bytes | None:
        """The data key in clear; None when its Transit key was erased.

        Raises ValueError when Vault does not take what is stored, UNAVAILABLE when it is away.
        """
        ...


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A data key as it is stored, and in clear unless it was erased or Vault was not asked."""

    kept: DataKey
    key: MonthKey | None


MonthKeys = Mapping[int, HeldKey]


async def month_keys(stored: Sequence[DataKey], keys: Keys | None) -> MonthKeys:
    """The keys of every class and month, by id."""
    held: dict[int, HeldKey] = {}
    for kept in stored:
        where = f"data_key {kept.id}"
        known = [each.value for each in RetentionClass]
        if kept.retention_class not in known:
            raise DifferenceError(f"{where}: unknown retention class")
        named = transit_key_of(kept.retention_class, kept.month)
        if kept.transit_key != named or not kept.month.endswith("-01"):
            raise DifferenceError(f"{where}: its Transit key is not that of its class and month")
        try:
            decode_base64(kept.wrapped.rpartition(":")[2], "wrapped")
            secret = await keys.secret(kept.transit_key, kept.wrapped) if keys else None
        except ValueError:
            raise DifferenceError(f"{where}: its wrapped key is not what Vault wrapped") from None
        held[kept.id] = HeldKey(kept, month_key(kept.id, secret) if secret else None)
    return held


def open_row(row: EntryRow, keys: MonthKeys) -> Opened | None:
    """The evidence of a row that is as it was written; None when its key is gone."""
    kind = KINDS.get(row.id.kind)
    held = keys.get(row.data_key_id)
    if kind is None:
        raise DifferenceError(f"entry {row.index}: kind {row.id.kind} does not exist")
    if held is None:
        raise DifferenceError(f"entry {row.index}: data key {row.data_key_id} does not exist")
    due = (retention_class(kind), month_of(instant(row.recorded_at)))
    if (held.kept.retention_class, held.kept.month) != due:
        raise DifferenceError(f"entry {row.index}: its data key is of another class or month")
    if held.key is None:
        return None
    try:
        opened = open_evidence(held.key, row.leaf_hash, row.evidence)
    except ValueError as error:
        raise DifferenceError(f"entry {row.index}: {error}") from None
    _check_columns(row, opened)
    if _leaf_hash(row, kind, opened) != row.leaf_hash:
        raise DifferenceError(f"entry {row.index}: its evidence does not hash to its leaf")
    return opened


def _check_columns(row: EntryRow, opened: Opened) -> None:
    sealed = ROW.unpack(opened.row)
    stored = (*row.id, row.recorded_at, row.deadline or 0)
    if sealed != stored:
        columns = zip(_COLUMNS, sealed, stored, strict=True)
        what = ", ".join(name for name, one, other in columns if one != other)
        raise DifferenceError(f"entry {row.index}: {what} is not what was sealed")


def _leaf_hash(row: EntryRow, kind: Kind, opened: Opened) -> bytes:
    return record.encode_json(
        kind,
        row.recorded_at // HOUR,
        party=opened.party,
        subject=opened.subject,
        audit=opened.audit,
        salts=opened.salts,
    ).leaf_hash


def check_recent(row: EntryRow, listed: Sequence[RecentRow], opened: Opened | None) -> None:
    """The entry's id among the recent ones, if it is still there."""
    for each in listed:
        if each.id != row.id or len(listed) > 1:
            raise DifferenceError(
                f"recent_entry: lists another id than that of entry {row.index}, or two"
            )
        if opened and named_by(each.nonce, each.question_mac) != opened.named:
            raise DifferenceError(f"recent_entry: nonce or question of entry {row.index} differs")


def check_subjects(
    row: EntryRow, indexed: Sequence[SubjectRow], opened: Opened | None, keys: MonthKeys
) -> None:
    """The entry in the index of subjects."""
    if any(each.data_key_id != row.data_key_id for each in indexed):
        raise DifferenceError(f"subject_entry: entry {row.index} is indexed under another key")
    if opened is None:
        return  # erased with the evidence
    key = keys[row.data_key_id].key
    assert key is not None
    due = [subject_mac(key, opened.subject_key.encode())] if opened.subject_key else []
    if [each.subject_mac for each in indexed] != due:
        raise DifferenceError(f"subject_entry: entry {row.index} is not found by its subject")


class Sweep:
    """What the sweeper's marks promise: old requests are closed, old ids forgotten, no others."""

    def __init__(self, *, marks: Marks, size: int, now: int) -> None:
        self._marks = marks
        self._young_from = now - KEPT
        self._open: dict[EntryId, int] = {}
        self._listing = False
        if not 0 <= marks.forgotten <= marks.closed <= size:
            raise DifferenceError("sweep: its marks must be forgotten <= closed <= size of the log")

    def entry(self, row: EntryRow, *, listed: bool) -> None:
        """Take the next entry, and whether its id is still among the recent ones."""
        exchange_id, kind, attempt = row.id
        if kind == Kind.REQUEST and row.index < self._marks.closed:
            self._open[row.id] = row.index
        elif kind in OUTCOMES:
            self._open.pop(EntryId(exchange_id, Kind.REQUEST, attempt), None)
        if listed and row.index < self._marks.forgotten:
            raise DifferenceError(
                f"recent_entry: the id of entry {row.index} is listed, though it was forgotten"
            )
        young = row.recorded_at >= self._young_from
        if not listed and (self._listing or (young and row.index >= self._marks.forgotten)):
            raise DifferenceError(f"recent_entry: the id of entry {row.index} is missing")
        self._listing = self._listing or listed

    def finish(self) -> None:
        """After the last entry."""
        for index in self._open.values():
            raise DifferenceError(
                f"sweep: its mark says that the request in entry {index} was closed; it was not"
            )
