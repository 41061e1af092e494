"""What the log knows: entries, what became of them, the head, checkpoints. No I/O.

Instants are whole microseconds since 1970-01-01T00:00Z: exact, what PostgreSQL keeps, and an entry
costs no object for them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import NamedTuple

from services.proof.receipt import Receipt
from services.proof.record import Kind

HOUR = 3_600_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OUTCOMES = (Kind.RELEASE, Kind.REFUSAL, Kind.ABANDONED)
"""Kinds that close the request of the same exchange and attempt."""

ATTEMPT_MAX = 2**31 - 1


def microseconds(instant: datetime) -> int:
    """An aware instant as microseconds since the epoch."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def instant(value: int) -> datetime:
    """Microseconds since the epoch as an aware instant in UTC."""
    return EPOCH + timedelta(microseconds=value)


class DuplicateError(Exception):
    """An entry id of the batch exists already; nothing of the batch was appended."""


class FencedError(Exception):
    """This sequencer may not write (any more): another took over, or what is stored is not what
    was acknowledged. Its process must end."""


class DifferenceError(Exception):
    """What is stored is not what was written: what, and where."""


class RetentionClass(StrEnum):
    """How long evidence stays readable: one Transit key for each class and month."""

    EXCHANGE = "exchange"
    ADMINISTRATIVE = "administrative"


_EXCHANGE_KINDS = frozenset({Kind.REQUEST, Kind.RELEASE, Kind.REFUSAL, Kind.ABANDONED, Kind.COUNT})


def retention_class(kind: int) -> RetentionClass:
    """The class that an entry of this kind belongs to."""
    if kind in _EXCHANGE_KINDS:
        return RetentionClass.EXCHANGE
    return RetentionClass.ADMINISTRATIVE


class EntryId(NamedTuple):
    """What makes an append idempotent; `exchange_id` is 16 octets."""

    exchange_id: bytes
    kind: int
    attempt: int


class NewEntry(NamedTuple):
    """An entry to be appended. Sections are canonical JSON; `deadline` in microseconds.

    A tuple, because thousands are made each second.
    """

    id: EntryId
    nonce: bytes
    party: bytes
    subject: bytes
    audit: bytes
    question_mac: bytes = b""
    subject_key: str = ""
    deadline: int | None = None
    receipt: bool = False

    @property
    def size(self) -> int:
        """Octets that the entry holds in a queue, about."""
        return len(self.party) + len(self.subject) + len(self.audit) + 256


class SealedEntry(NamedTuple):
    """An entry ready to be stored: hashed and encrypted, not yet numbered."""

    entry: NewEntry
    recorded_at: int
    leaf_hash: bytes
    party_salt: bytes
    subject_hash: bytes
    audit_hash: bytes
    data_key_id: int
    evidence: bytes
    subject_mac: bytes | None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """What stands under an entry id, and the highest attempt of that exchange and kind."""

    index: int
    recorded_at: int
    leaf_hash: bytes
    nonce: bytes
    question_mac: bytes
    last_attempt: int
    data_key_id: int
    evidence: bytes


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """One entry of an exchange, as FindExchange shows it."""

    index: int
    id: EntryId
    leaf_hash: bytes
    recorded_at: int


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that has no outcome yet."""

    index: int
    id: EntryId
    deadline: int
    leaf_hash: bytes
    data_key_id: int
    evidence: bytes


class Marks(NamedTuple):
    """How far the sweeper came: every request before `closed` has an outcome, every entry id before
    `forgotten` may be used again."""

    closed: int
    forgotten: int


class Outcome(IntEnum):
    """Whether an entry was taken."""

    APPENDED = 1
    DUPLICATE = 2


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What became of one entry; the last three fields are for duplicates."""

    outcome: Outcome
    index: int
    leaf_hash: bytes
    receipt: Receipt | None = None
    question_mac: bytes = b""
    nonce: bytes = b""
    last_attempt: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """The head row of a log, as its sequencer took it over."""

    log_id: int
    size: int
    epoch: int
    recorded_at: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A published checkpoint: the tree's size and root, and the signed note that says so."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class DataKey:
    """A wrapped data key of one retention class and month (the month's first day)."""

    id: int
    retention_class: RetentionClass
    month: str
    transit_key: str
    wrapped: str


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """The public half of a key that signs receipts, and the leaf that holds it."""

    index: int
    public_key: bytes
