"""What registry holds, which changes narrow access, and who gains by a change. Pure.

Contract: a `Change` is the whole new state of one object; an act is a set of them. `Known` is the
state of the registry that a set of changes is judged against.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

ID_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"
"""Ids of institutions, applications and persons: they stand in certificates (SPIFFE, DNS)."""

MINIMUM_ADMINISTRATORS = 3
MINIMUM_THRESHOLD = 2


class Role(StrEnum):
    """What a person may do: the names of options.v1.Role without their prefix."""

    ADMINISTRATOR = "ADMINISTRATOR"
    COMMITTEE = "COMMITTEE"
    SECURITY_OFFICER = "SECURITY_OFFICER"
    AUDITOR = "AUDITOR"
    AGENT = "AGENT"
    CHAMBER_SOCIAL_SECURITY_AND_HEALTH = "CHAMBER_SOCIAL_SECURITY_AND_HEALTH"
    CHAMBER_FEDERAL_AUTHORITY = "CHAMBER_FEDERAL_AUTHORITY"


@dataclass(frozen=True)
class Labels:
    """A text in the languages of the country."""

    fr: str = ""
    nl: str = ""
    de: str = ""
    en: str = ""


@dataclass(frozen=True)
class Institution:
    """An institution. `capacities`: in which it may integrate persons, "<sector>/<code>"."""

    id: str
    active: bool
    managing_institution: str = ""
    capacities: tuple[str, ...] = ()
    name: Labels = Labels()
    acronym_fr: str = ""
    acronym_nl: str = ""
    sector: str = ""


@dataclass(frozen=True)
class Application:
    """An application of an institution: what a certificate names. `endpoint`: host:port, or ""."""

    institution: str
    id: str
    active: bool
    endpoint: str = ""

    @property
    def name(self) -> str:
        """ "<institution>/<application>", as services name their sources."""
        return f"{self.institution}/{self.id}"


@dataclass(frozen=True)
class Person:
    """A person who acts. `institution` is the one acted for; "" is the platform."""

    id: str
    roles: frozenset[Role]
    institution: str = ""


@dataclass(frozen=True)
class Revocation:
    """A certificate that is no longer good. `serial`: lower-case hexadecimal, no leading zeros."""

    serial: str
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class DataElement:
    """One item of the information model."""

    id: str
    labels: Labels
    type: str
    code_list: str
    sensitivity: str
    authentic_source: str
    legal_basis: str
    deprecated: bool = False


@dataclass(frozen=True)
class Code:
    """A code of a code list, with its meaning."""

    list: str
    code: str
    labels: Labels


@dataclass(frozen=True)
class ExchangeService:
    """A question that can be asked, with the schema of its messages (a FileDescriptorSet)."""

    id: str
    version: int
    title: Labels
    question_message: str
    answer_message: str
    schema: bytes
    sources: tuple[str, ...]
    elements: tuple[str, ...]
    source_timeout_ms: int


Change = Institution | Application | Person | Revocation | DataElement | Code | ExchangeService

FIELD_OF: Mapping[type, str] = {
    Institution: "put_institution",
    Application: "put_application",
    Person: "put_person",
    Revocation: "revoke_certificate",
    DataElement: "put_element",
    Code: "put_code",
    ExchangeService: "put_exchange_service",
}
"""The field of the API's Change that holds each kind: what error messages name."""


@dataclass(frozen=True)
class SchemaFacts:
    """What a schema declares: full name of each message → data elements that its fields hold,
    those of the messages inside it included."""

    messages: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Genesis:
    """The first act: who the administrators were, how many an act needs, where the log has it."""

    administrators: tuple[str, ...]
    threshold: int
    log_index: int
    recorded_at: datetime


@dataclass(frozen=True)
class Versions:
    """Versions of the two watched tables after an act; None where it changed nothing there."""

    directory: int | None
    catalogue: int | None


@dataclass(frozen=True)
class Act:
    """A set of changes with its history. `encoded` is the changes as they were proposed (wire.py):
    what the digest in the log is taken over."""

    id: UUID
    reason: str
    changes: tuple[Change, ...]
    encoded: bytes
    proposer: str
    proposed_at: datetime
    approvers: tuple[str, ...] = ()
    applied_at: datetime | None = None
    log_index: int | None = None


@dataclass(frozen=True)
class Progress:
    """Where an act stands: approvals still missing; once there are none, what applying it gave."""

    act_id: UUID
    missing: int
    log_index: int | None = None
    versions: Versions = Versions(None, None)


@dataclass(frozen=True)
class Known:
    """The state that changes are judged against."""

    institutions: Mapping[str, Institution] = field(default_factory=dict)
    applications: Mapping[str, Application] = field(default_factory=dict)
    persons: Mapping[str, Person] = field(default_factory=dict)
    elements: frozenset[str] = frozenset()

    def with_changes(self, changes: Iterable[Change]) -> "Known":
        """The state after these changes."""
        institutions, applications = dict(self.institutions), dict(self.applications)
        persons, elements = dict(self.persons), set(self.elements)
        for change in changes:
            match change:
                case Institution():
                    institutions[change.id] = change
                case Application():
                    applications[change.name] = change
                case Person():
                    persons[change.id] = change
                case DataElement():
                    elements.add(change.id)
        return Known(institutions, applications, persons, frozenset(elements))

    @property
    def administrators(self) -> frozenset[str]:
        """Ids of the persons who are administrators."""
        return frozenset(p.id for p in self.persons.values() if Role.ADMINISTRATOR in p.roles)


def narrows(change: Change, known: Known) -> bool:
    """Whether the change can only take access away, so that one person is enough.

    Architecture, "Trust": administrative acts need two persons where they widen access. An
    administrator's role is no such case: who takes it away changes who decides.
    """
    match change:
        case Revocation():
            return True
        case Institution():
            old = known.institutions.get(change.id)
            return (
                old is not None
                and change.active <= old.active
                and set(change.capacities) <= set(old.capacities)
                and change.managing_institution in ("", old.managing_institution)
                and change
                == replace(
                    old,
                    active=change.active,
                    capacities=change.capacities,
                    managing_institution=change.managing_institution,
                )
            )
        case Application():
            app = known.applications.get(change.name)
            return (
                app is not None
                and change.active <= app.active
                and change.endpoint in ("", app.endpoint)
            )
        case Person():
            person = known.persons.get(change.id)
            return (
                person is not None
                and change.roles <= person.roles
                and change.institution == person.institution
                and (Role.ADMINISTRATOR in change.roles) == (Role.ADMINISTRATOR in person.roles)
            )
    return False


def gains(person: str, changes: Sequence[Change], known: Known) -> bool:
    """Whether the person gains by these changes: its own roles, or its institution's access.

    The institution's managing institution gains with it: it declares integrations in its place.
    """
    acting = known.persons.get(person)
    own = acting.institution if acting else ""
    for change in changes:
        if narrows(change, known):
            continue
        match change:
            case Institution() if own and own in (change.id, change.managing_institution):
                return True
            case Application() if own and own == change.institution:
                return True
            case Person() if change.id == person or (own and own == change.institution):
                return True
    return False


def counted(act: Act, known: Known) -> tuple[str, ...]:
    """Who counts for the act's threshold: distinct, administrator still, and gaining nothing."""
    persons = dict.fromkeys((act.proposer, *act.approvers))
    return tuple(
        p for p in persons if p in known.administrators and not gains(p, act.changes, known)
    )
