"""What an exchange is made of: question, integrations, what is admitted, reply. No I/O.

Periods are services.policy's: calendar days, half-open, an end of None is open. Keys of persons are
11 digits. Everything here is frozen; times are given, never read.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import NamedTuple

from services.policy.model import Period

EXCHANGE_TAG = b"crossroads exchange v1"
DECLARATION_TAG = b"crossroads declaration v1"
COUNT_TAG = b"crossroads count v1"

FIRST_REFUSAL = 2**30
"""Attempts from here on are refusals that no request goes before: drawn at random, so that they
take no request's number, and the same exchange can be refused again in one round to the log."""


class Caller(NamedTuple):
    """Who calls, from the certificate."""

    institution: str
    application: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `elements` empty: all that is granted; `period` None: no bound.

    `subject` is the key as asked; `payload` the question message; `ticket` the caller's own mark.
    """

    request_id: str
    service: str
    version: int
    subject: str
    purpose: str
    elements: frozenset[str] = frozenset()
    period: Period | None = None
    payload: bytes = b""
    ticket: str = ""


class Inquiry(NamedTuple):
    """What a source is asked. `period` is the part of the asked one that is granted."""

    exchange_id: bytes
    service: str
    version: int
    subject: str
    payload: bytes
    period: Period | None
    elements: frozenset[str]


class Logged(NamedTuple):
    """What became of an entry. A duplicate was not added: what stands there, and its MAC."""

    duplicate: bool
    log_index: int
    receipt: object = None
    question_mac: bytes = b""
    last_attempt: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """A version of an exchange service as the catalogue has it, without its messages.

    `sources` are (institution, application); `timeout` is in seconds, 0 for none of its own.
    """

    id: str
    version: int
    sources: tuple[Caller, ...]
    timeout: float


class Integration(NamedTuple):
    """An institution's statement that it has a file on a subject.

    Covers the days from `start` until the day before `end` (None: open).
    """

    institution: str
    subject: str
    capacity: str
    phase: int
    start: date
    end: date | None

    def meets(
        self, capacities: Sequence[str], phases: Sequence[str], period: Period | None
    ) -> bool:
        """Whether it is in one of these capacities and phases (none: any), on a day of `period`."""
        if capacities and self.capacity not in capacities:
            return False
        if phases and str(self.phase) not in phases:
            return False
        if period is None:
            return True
        begins_before = period.end is None or self.start < period.end
        return begins_before and (self.end is None or self.end > period.start)


Integrations = Mapping[str, Sequence[Integration]]
"""By institution: those of one subject."""


class Asked(NamedTuple):
    """A source to ask, and the data elements to keep of what it says."""

    source: Caller
    elements: frozenset[str]


@dataclass(frozen=True, slots=True)
class Admission:
    """What a decision comes to for one subject, once the integrations are known.

    `elements` is the union over `asked`; `period` is the part of the asked period that every grant
    used covers. `not_integrated`: a check failed that the grant does not let block.
    """

    elements: tuple[str, ...]
    grants: tuple[str, ...]
    deliberations: tuple[str, ...]
    asked: tuple[Asked, ...]
    period: Period | None
    not_integrated: bool

    def covers(self, other: "Admission") -> bool:
        """Whether all that `other` admits is admitted here as well."""
        own = {each.source: each.elements for each in self.asked}
        return (
            all(each.elements <= own.get(each.source, frozenset()) for each in other.asked)
            and _contains(self.period, other.period)
            and (other.not_integrated or not self.not_integrated)
        )


def _contains(outer: Period | None, inner: Period | None) -> bool:
    if outer is None:
        return True
    if inner is None or inner.start < outer.start:
        return False
    return outer.end is None or (inner.end is not None and inner.end <= outer.end)


class Outcome(IntEnum):
    """How a source fared; the numbers are those of the API."""

    ANSWERED = 1
    NOTHING = 2
    FAILED = 3


class Answer(NamedTuple):
    """What one source said; of the payload only what is granted."""

    source: Caller
    outcome: Outcome
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller gets. `receipt` is the log's, opaque here.

    `current_key` is "" unless the key that was asked had been replaced.
    """

    exchange_id: bytes
    attempt: int
    answers: tuple[Answer, ...]
    elements: tuple[str, ...]
    deliberations: tuple[str, ...]
    current_key: str
    not_integrated: bool
    receipt: object

    @property
    def size(self) -> int:
        """Octets that it takes in memory, about."""
        return 4096 + sum(len(each.payload) for each in self.answers)


def exchange_id(caller: Caller, request_id: str) -> bytes:
    """The 16 octets that stand for an exchange, whoever of us carries it out."""
    return _digest(EXCHANGE_TAG, caller.institution, caller.application, request_id)


def declaration_id(key: bytes, institution: str, declared: Integration) -> bytes:
    """The 16 octets that stand for one declaration: the same again is the same declaration.

    Keyed, for the log keeps them in clear and for ever: whoever reads them there must not find out
    whom they are about by trying all national numbers.
    """
    end = "" if declared.end is None else declared.end.isoformat()
    parts = (
        institution,
        declared.institution,
        declared.subject,
        declared.capacity,
        str(declared.phase),
        declared.start.isoformat(),
        end,
    )
    return hmac.digest(key, DECLARATION_TAG + _lengths(parts), "sha256")[:16]


def count_id(process: bytes, institution: str, minute: int) -> bytes:
    """The 16 octets that stand for what one process counted of an institution in a minute."""
    return _digest(COUNT_TAG, process.hex(), institution, str(minute))


def question_mac(key: bytes, question: Question) -> bytes:
    """HMAC-SHA-256 over the question: tells a repeat from another question under the same id.

    The ticket is the caller's own mark and no part of the question.
    """
    period = question.period
    parts = [
        question.service,
        str(question.version),
        question.subject,
        question.purpose,
        "" if period is None else period.start.isoformat(),
        "" if period is None or period.end is None else period.end.isoformat(),
        str(len(question.elements)),
        *sorted(question.elements),
    ]
    return hmac.digest(key, _lengths(parts) + question.payload, "sha256")


def _digest(tag: bytes, *parts: str) -> bytes:
    return hashlib.sha256(tag + _lengths(parts)).digest()[:16]


def _lengths(parts: Iterable[str]) -> bytes:
    """The parts, each after its length: no two lists of parts give the same octets."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
