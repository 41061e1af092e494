"""The errors that operations raise and callers get back.

Contract: an operation raises `CrossroadsError` with a `Reason`; the server turns it into a
google.rpc.Status, the channel turns that Status into the same exception again. This module imports
nothing heavy, so that operations may import it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """Why a call failed: the names of crossroads.errors.v1.Reason without their prefix."""

    UNSPECIFIED = "UNSPECIFIED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    INVALID_KEY = "INVALID_KEY"
    INVALID_PAYLOAD = "INVALID_PAYLOAD"
    DEADLINE_REQUIRED = "DEADLINE_REQUIRED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    CALLER_NOT_ALLOWED = "CALLER_NOT_ALLOWED"
    UNKNOWN_SERVICE = "UNKNOWN_SERVICE"
    NOT_AUTHORIZED = "NOT_AUTHORIZED"
    NOT_INTEGRATED = "NOT_INTEGRATED"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    SOURCE_INVALID = "SOURCE_INVALID"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    LEASE_EXPIRED = "LEASE_EXPIRED"
    LOG_UNAVAILABLE = "LOG_UNAVAILABLE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    SECOND_PERSON_REQUIRED = "SECOND_PERSON_REQUIRED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    CONFLICT = "CONFLICT"


MOST_FIELDS = 20
"""How many wrong fields an error names."""

RETRYABLE = frozenset(
    {
        Reason.SOURCE_UNAVAILABLE,
        Reason.SOURCE_INVALID,
        Reason.LEASE_EXPIRED,
        Reason.LOG_UNAVAILABLE,
        Reason.STORE_UNAVAILABLE,
        Reason.OVERLOADED,
        Reason.UNAVAILABLE,
        Reason.CONFLICT,
    }
)
"""Reasons after which the same call, made again later, may succeed."""


@dataclass(frozen=True)
class FieldViolation:
    """One field of the request that is wrong: its path, and what it should be."""

    field: str
    description: str


class CrossroadsError(Exception):
    """A call that failed for a reason that its caller can act on.

    `message` says what happened and what the caller can do; it holds no personal identifier.
    Of `fields` the first twenty are kept: they travel in a header, of which gRPC takes 8 KiB.
    `retry_after` is in seconds. `metadata` travels in ErrorInfo.metadata. `trace_id` (32 hex
    digits) is set on errors that came from another process, "" otherwise.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        fields: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
        metadata: Mapping[str, str] = MappingProxyType({}),
        trace_id: str = "",
    ) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.fields = tuple(fields[:MOST_FIELDS])
        self.retry_after = retry_after
        self.metadata = metadata
        self.trace_id = trace_id

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.reason in RETRYABLE

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def malformed(violations: Sequence[FieldViolation]) -> CrossroadsError:
    """The error for a request whose fields break their rules: the first of them, and how many."""
    named = [f"{each.field} {each.description}" for each in violations[:MOST_FIELDS]]
    more = [f"and {len(violations) - MOST_FIELDS} more"] if violations[MOST_FIELDS:] else []
    return CrossroadsError(
        Reason.INVALID_ARGUMENT,
        f"correct these fields: {'; '.join(named + more)}",
        fields=violations,
    )


def invalid(field: str, description: str) -> CrossroadsError:
    """The error for one malformed field of a request."""
    return CrossroadsError(
        Reason.INVALID_ARGUMENT,
        f"correct {field}: {description}",
        fields=(FieldViolation(field, description),),
    )
