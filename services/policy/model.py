"""What a decision is made of: grants, prohibitions, requests and decisions.

Contract: frozen values and pure rules, no I/O and no clock. Dates are calendar days in UTC, periods
are half-open `[start, end)`, instants are aware datetimes, `None` as an end means "no end known".
A grant is a row that a committee can read (architecture.md, "The decision"). What each decision
makes anew is a named tuple: a frozen dataclass of ten fields takes 2 us more to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

NOBODY: frozenset[str] = frozenset()

made = tuple.__new__
"""Makes a named tuple of a tuple that holds all its values in order. Its own constructor takes
0.2 us more, by the names 0.6: what a decision makes by the dozen is made by this."""


class Way(StrEnum):
    """How an exchange reaches its caller."""

    ONLINE = "online"
    ASYNCHRONOUS = "asynchronous"
    EVENT = "event"
    BATCH = "batch"


class Condition(StrEnum):
    """What a grant demands, in the order in which it is looked at; the first failure counts.

    SERVICE occurs in explanations only: a decision never looks at grants for another service.
    """

    SERVICE = "service"
    APPLICATION = "application"
    SERVICE_VERSION = "service_version"
    WAY = "way"
    PURPOSE = "purpose"
    IN_FORCE = "in_force"
    DATA_PERIOD = "data_period"
    ELEMENTS = "elements"
    PROHIBITED = "prohibited"


class Outcome(StrEnum):
    """The coarse reason that the caller gets: permitted, or how far its nearest grant came.

    It speaks of published grants only, never of the subject.
    """

    PERMITTED = "permitted"
    NO_GRANT = "no_grant"
    APPLICATION = "application"
    SERVICE_VERSION = "service_version"
    WAY = "way"
    PURPOSE = "purpose"
    IN_FORCE = "in_force"
    DATA_PERIOD = "data_period"
    ELEMENTS = "elements"
    PROHIBITED = "prohibited"


@dataclass(frozen=True, slots=True)
class Period:
    """Calendar days from `start` until the day before `end`; ValueError when it holds no day."""

    start: date
    end: date | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.start:
            raise ValueError("period: end must be after start (the end is not part of the period)")

    def canonical(self) -> list[str | None]:
        """`[start, end]` as ISO 8601 dates."""
        return [self.start.isoformat(), None if self.end is None else self.end.isoformat()]


@dataclass(frozen=True, slots=True)
class DataPeriod:
    """How many days back data may reach, and how many days one question may span."""

    days_back: int | None = None
    max_days: int | None = None

    def __post_init__(self) -> None:
        if self.days_back is not None and self.days_back < 0:
            raise ValueError("data_period.days_back: must not be negative")
        if self.max_days is not None and self.max_days < 1:
            raise ValueError("data_period.max_days: must be at least 1")

    @property
    def limited(self) -> bool:
        """Whether it limits anything."""
        return self.days_back is not None or self.max_days is not None


UNLIMITED = DataPeriod()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One row of the table: what a deliberation gives, or (`prohibition`) takes away.

    `id` is unique for each row: a correction or an end is recorded as a row of its own, and closes
    the old one's recorded period. The recipient is one `institution`, or a group: `institutions`
    are its members when the row was written, `group_name` its name for people. No recipient, empty
    `application` and `service_version` 0 mean any. In a prohibition empty `service`, `elements`,
    `purpose` and `ways` mean any too, and its capacities, phases, data period, volume and blocking
    are not read: it takes away whatever they say. Capacities are codes such as "18/1", phases
    numbers such as "2", empty where any will do.
    ValueError names the field that is wrong.
    """

    id: str
    deliberation: str
    version: int = 1
    article: str = ""
    prohibition: bool = False
    institution: str = ""
    institutions: frozenset[str] = NOBODY
    group_name: str = ""
    application: str = ""
    service: str = ""
    service_version: int = 0
    elements: frozenset[str] = NOBODY
    purpose: str = ""
    legal_basis: str = ""
    caller_capacities: frozenset[str] = NOBODY
    caller_phases: frozenset[str] = NOBODY
    source_capacities: frozenset[str] = NOBODY
    source_phases: frozenset[str] = NOBODY
    data_period: DataPeriod = UNLIMITED
    ways: frozenset[Way] = frozenset()
    volume_per_day: int | None = None
    blocking: bool = True
    valid_from: datetime
    valid_until: datetime | None = None
    recorded_from: datetime
    recorded_until: datetime | None = None
    proposed_by: str = ""
    approved_by: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("grant.id: must not be empty")
        if self.institution and self.institutions:
            raise ValueError("grant.institutions: one institution or those of a group, not both")
        if "" in self.institutions or (self.group_name and not self.institutions):
            raise ValueError("grant.institutions: a group names its members")
        if self.prohibition:
            pass
        elif not (self.service and self.elements and self.purpose and self.ways):
            raise ValueError("grant: service, elements, purpose and ways must not be empty")
        if self.valid_from.tzinfo is None or self.recorded_from.tzinfo is None:
            raise ValueError("grant: instants must have a time zone")
        for until in (self.valid_until, self.recorded_until):
            if until is not None and until.tzinfo is None:
                raise ValueError("grant: instants must have a time zone")

    @property
    def recipients(self) -> frozenset[str]:
        """The institutions that it concerns; empty: all."""
        return frozenset((self.institution,)) if self.institution else self.institutions

    def concerns(self, institution: str) -> bool:
        """Whether it gives to this institution, or takes from it."""
        recipients = self.recipients
        return not recipients or institution in recipients


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A question to decide on, without its subject. Empty `elements`: all that is granted."""

    institution: str
    application: str
    service: str
    service_version: int
    purpose: str
    way: Way = Way.ONLINE
    elements: frozenset[str] = NOBODY
    period: Period | None = None

    def canonical(self) -> dict[str, Any]:
        """The request as JSON types, for the log; `Request.of` is its inverse."""
        return {
            "application": self.application,
            "elements": sorted(self.elements),
            "institution": self.institution,
            "period": None if self.period is None else self.period.canonical(),
            "purpose": self.purpose,
            "service": self.service,
            "service_version": self.service_version,
            "way": self.way.value,
        }

    @classmethod
    def of(cls, logged: Mapping[str, Any]) -> Request:
        """The request that `canonical` wrote; KeyError or ValueError if it is none."""
        period = logged["period"]
        if period is not None:
            start, end = period
            until = None if end is None else date.fromisoformat(end)
            period = Period(date.fromisoformat(start), until)
        return cls(
            institution=logged["institution"],
            application=logged["application"],
            service=logged["service"],
            service_version=logged["service_version"],
            purpose=logged["purpose"],
            way=Way(logged["way"]),
            elements=frozenset(logged["elements"]),
            period=period,
        )


class Permission(NamedTuple):
    """What one grant lets pass, and on which terms; the tuples are sorted.

    `period` is the part of the asked period that the grant covers; None only where neither the
    request nor the grant names one. The exchange may use the elements only if the subject is
    integrated at the caller and at the source in one of the capacities and phases (empty: any).
    """

    grant: str
    deliberation: str
    elements: tuple[str, ...]
    caller_capacities: tuple[str, ...]
    caller_phases: tuple[str, ...]
    source_capacities: tuple[str, ...]
    source_phases: tuple[str, ...]
    blocking: bool
    volume_per_day: int | None
    period: Period | None

    def canonical(self) -> dict[str, Any]:
        """What only this decision says; the other terms are in the row, which the digest fixes."""
        return {
            "deliberation": self.deliberation,
            "elements": list(self.elements),
            "grant": self.grant,
            "period": None if self.period is None else self.period.canonical(),
        }


class Failure(NamedTuple):
    """The first condition of a grant that did not hold."""

    grant: str
    condition: Condition


class Decision(NamedTuple):
    """What may pass, why, and on which table it was decided.

    `elements` is the union over `permissions`. `permissions` and `failed` are in order of grant id
    and name every grant of this institution and service that was on record at `known_at`.
    `prohibitions` are those that took something away.
    """

    permitted: bool
    reason: Outcome
    elements: tuple[str, ...]
    permissions: tuple[Permission, ...]
    prohibitions: tuple[str, ...]
    failed: tuple[Failure, ...]
    table_version: int
    table_digest: bytes
    valid_at: datetime
    known_at: datetime

    @property
    def grants(self) -> tuple[str, ...]:
        """The ids of the grants that were considered, sorted."""
        return tuple(sorted([p.grant for p in self.permissions] + [f.grant for f in self.failed]))

    def canonical(self) -> dict[str, Any]:
        """The decision as JSON types (RFC 8785 without floats), the same for the same decision."""
        return {
            "elements": list(self.elements),
            "failed": [[f.grant, f.condition.value] for f in self.failed],
            "known_at": instant(self.known_at),
            "permissions": [p.canonical() for p in self.permissions],
            "permitted": self.permitted,
            "prohibitions": list(self.prohibitions),
            "reason": self.reason.value,
            "table_digest": self.table_digest.hex(),
            "table_version": self.table_version,
            "valid_at": instant(self.valid_at),
        }


class Near(NamedTuple):
    """A grant that came near, and every condition of it that does not hold (empty: it permits)."""

    grant: str
    deliberation: str
    failed: tuple[Condition, ...]


class Explanation(NamedTuple):
    """A decision and the grants that came near it, in order of id.

    Near are all grants of this institution for this service, and its grants for other services, of
    which `omitted` more exist than are told.
    """

    decision: Decision
    near: tuple[Near, ...]
    omitted: int


def instant(at: datetime) -> str:
    """An aware instant as RFC 3339 in UTC with microseconds, `2026-11-24T08:00:00.000000Z`."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
