"""Deliberations and the grants in them, as a committee writes and reads them. Pure.

Contract: `Grant` holds plain terms that may still be wrong (validation.py says how); the rows that
decisions are taken on are services.policy's. In days and volumes 0 means no limit. Instants are
aware and in UTC.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.policy import model as policy
from services.policy.model import instant
from services.proof.record import canonical_json


class State(StrEnum):
    """Where a deliberation stands. EXPIRED is never stored: see `Deliberation.standing`."""

    SUBMITTED = "SUBMITTED"
    PUBLISHED = "PUBLISHED"
    SUSPENDED = "SUSPENDED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class Chamber(StrEnum):
    """Which of the committee's two chambers decided (law of 5 September 2018)."""

    SOCIAL_SECURITY_AND_HEALTH = "SOCIAL_SECURITY_AND_HEALTH"
    FEDERAL_AUTHORITY = "FEDERAL_AUTHORITY"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One row of a deliberation. `id` is "<number>#<n>", n from 1 in the order of the rows.

    The recipient is one `institution`, or a group called `group_name` with its `institutions`. No
    recipient, no `application` and version 0 mean any; in a prohibition empty `service`,
    `elements`, `purpose` and `ways` too. `recorded_from` is None until publication.
    """

    id: str
    prohibition: bool = False
    institution: str = ""
    institutions: tuple[str, ...] = ()
    group_name: str = ""
    application: str = ""
    service: str = ""
    service_version: int = 0
    elements: tuple[str, ...] = ()
    purpose: str = ""
    legal_basis: str = ""
    caller_capacities: tuple[str, ...] = ()
    caller_phases: tuple[int, ...] = ()
    source_capacities: tuple[str, ...] = ()
    source_phases: tuple[int, ...] = ()
    data_days_back: int = 0
    data_max_days: int = 0
    ways: tuple[str, ...] = ()
    volume_per_day: int = 0
    blocking: bool = True
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    recorded_from: datetime | None = None
    recorded_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What the text of a deliberation allows; `valid_until` None: no end."""

    recipients: tuple[str, ...]
    elements: tuple[str, ...]
    purposes: tuple[str, ...]
    valid_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Deliberation:
    """A deliberation with its grants (all, a page of them, or none, as the caller asked).

    `version` counts its amendments from 1. `scope` is None where an early transcription gave none.
    `ends_at` is when the last of its rows ends that was not taken back; None: no end, or no row.
    """

    number: str
    title_fr: str
    title_nl: str
    title_de: str
    title_en: str
    chamber: Chamber
    decided_on: date
    grants: tuple[Grant, ...]
    submitted_by: str
    submitted_at: datetime
    act_id: UUID
    published_by: str = ""
    published_at: datetime | None = None
    text_fr: str = ""
    text_nl: str = ""
    text_de: str = ""
    scope: Scope | None = None
    version: int = 1
    state: State = State.SUBMITTED
    enters_into_force: datetime | None = None
    ends_at: datetime | None = None

    def standing(self, at: datetime) -> "Deliberation":
        """The same as it stands at an instant: EXPIRED where it ended by its date."""
        over = self.ends_at is not None and self.ends_at <= at
        if over and self.state in (State.PUBLISHED, State.SUSPENDED):
            return replace(self, state=State.EXPIRED)
        return self


@dataclass(frozen=True)
class PublishedGrant:
    """A grant that was published, with what its row says about the deliberation."""

    grant: Grant
    deliberation: str
    proposed_by: str
    approved_by: str


@dataclass(frozen=True)
class Publication:
    """What publishing a deliberation, or ending a grant, gave."""

    version: int
    log_index: int


@dataclass(frozen=True)
class Subscriber:
    """A service that watches the grants: the version it said it holds, and whether that is it."""

    name: str
    version: int
    confirmed: bool


@dataclass(frozen=True)
class Asker:
    """Who asks: a person, or an institution's application, or else a service of the platform."""

    institution: str = ""
    application: str = ""
    person: str = ""


def gaining(grants: Iterable[Grant]) -> frozenset[str]:
    """The institutions that gain by these grants: a prohibition gives nothing."""
    return frozenset(
        institution
        for grant in grants
        if not grant.prohibition
        for institution in (grant.institutions or (grant.institution,))
    )


def bound(grants: Iterable[Grant]) -> frozenset[str]:
    """The institutions that prohibitions among these name: they gain where one ends."""
    return frozenset(
        institution
        for grant in grants
        if grant.prohibition
        for institution in (grant.institutions or (grant.institution,))
        if institution
    )


def binds_everybody(grant: Grant) -> bool:
    """Whether this prohibits without naming an institution."""
    return grant.prohibition and not grant.institution and not grant.institutions


def described(scope: Scope | None) -> dict[str, Any] | None:
    """A scope as JSON types; None for none."""
    if scope is None:
        return None
    until = scope.valid_until
    return {
        "elements": list(scope.elements),
        "purposes": list(scope.purposes),
        "recipients": list(scope.recipients),
        "valid_until": None if until is None else instant(until),
    }


def terms(grant: Grant) -> dict[str, Any]:
    """What a grant says, as JSON types: all but when it was recorded."""
    return {
        "application": grant.application,
        "blocking": grant.blocking,
        "caller_capacities": list(grant.caller_capacities),
        "caller_phases": list(grant.caller_phases),
        "data_days_back": grant.data_days_back,
        "data_max_days": grant.data_max_days,
        "elements": list(grant.elements),
        "id": grant.id,
        "group_name": grant.group_name,
        "institution": grant.institution,
        "institutions": list(grant.institutions),
        "legal_basis": grant.legal_basis,
        "prohibition": grant.prohibition,
        "purpose": grant.purpose,
        "service": grant.service,
        "service_version": grant.service_version,
        "source_capacities": list(grant.source_capacities),
        "source_phases": list(grant.source_phases),
        "valid_from": None if grant.valid_from is None else instant(grant.valid_from),
        "valid_until": None if grant.valid_until is None else instant(grant.valid_until),
        "volume_per_day": grant.volume_per_day,
        "ways": list(grant.ways),
    }


def digest(grants: tuple[Grant, ...]) -> bytes:
    """SHA-256 over the terms of the grants, a line of canonical JSON each: what the log fixes."""
    whole = hashlib.sha256()
    for grant in grants:
        whole.update(canonical_json(terms(grant)) + b"\n")
    return whole.digest()


def row(grant: Grant, deliberation: str, recorded_from: datetime) -> policy.Grant:
    """The row that decisions would be taken on; ValueError where validation would refuse it."""
    if grant.valid_from is None:
        raise ValueError("grant.valid_from: is missing")
    return policy.Grant(
        id=grant.id,
        deliberation=deliberation,
        prohibition=grant.prohibition,
        institution=grant.institution,
        institutions=frozenset(grant.institutions),
        group_name=grant.group_name,
        application=grant.application,
        service=grant.service,
        service_version=grant.service_version,
        elements=frozenset(grant.elements),
        purpose=grant.purpose,
        legal_basis=grant.legal_basis,
        caller_capacities=frozenset(grant.caller_capacities),
        caller_phases=frozenset(map(str, grant.caller_phases)),
        source_capacities=frozenset(grant.source_capacities),
        source_phases=frozenset(map(str, grant.source_phases)),
        data_period=policy.DataPeriod(grant.data_days_back or None, grant.data_max_days or None),
        ways=frozenset(policy.Way(way.lower()) for way in grant.ways),
        volume_per_day=grant.volume_per_day or None,
        blocking=grant.blocking,
        valid_from=grant.valid_from,
        valid_until=grant.valid_until,
        recorded_from=recorded_from,
    )
