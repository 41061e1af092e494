"""What the demo sector's data say, as frozen dataclasses: no I/O, no rules.

Every row says where it comes from (`source`) and how sure it is (`grade`): A, an official page or a
legal text; B, a professional or press page, or a copy of an official list; C, inferred, or ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Grade(StrEnum):
    """How sure a fact is."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True)
class Provenance:
    """Where a row comes from and how sure it is."""

    source: str
    grade: Grade


@dataclass(frozen=True)
class Labels:
    """A text in the languages of the country and in English; empty where none was found."""

    fr: str
    nl: str
    de: str
    en: str


@dataclass(frozen=True)
class Institution:
    """An institution. It may integrate persons in its `capacities`, "<sector>/<code>"."""

    id: str
    acronym_fr: str
    acronym_nl: str
    name: Labels
    sector: str
    network: str
    managing_institution: str
    capacities: tuple[str, ...]
    role: str
    provenance: Provenance


@dataclass(frozen=True)
class Application:
    """An application of an institution; `answers` says whether it is a source."""

    institution: str
    id: str
    label: str
    answers: bool
    provenance: Provenance

    @property
    def path(self) -> str:
        """ "<institution>/<application>", as the catalogue and certificates name it."""
        return f"{self.institution}/{self.id}"


@dataclass(frozen=True)
class Element:
    """An item of the information model. `sensitivity`: public, internal, personal, sensitive."""

    id: str
    labels: Labels
    type: str
    code_list: str
    sensitivity: str
    authentic_source: str
    legal_basis: str
    provenance: Provenance


@dataclass(frozen=True)
class Code:
    """A code of a list. The code "*" says that the list is kept elsewhere and not carried here."""

    list: str
    code: str
    labels: Labels
    provenance: Provenance


@dataclass(frozen=True)
class Service:
    """An exchange service. `question` and `answer` are full names of messages; `sources` are
    "<institution>/<application>"; `elements` are all that an answer can hold, in the order of its
    fields; `legal_contexts` are the purposes for which it may be asked."""

    id: str
    version: int
    title: Labels
    question: str
    answer: str
    sources: tuple[str, ...]
    source_capacities: tuple[str, ...]
    elements: tuple[str, ...]
    source_timeout_ms: int
    legal_contexts: tuple[str, ...]
    provenance: Provenance


@dataclass(frozen=True)
class Grant:
    """A row of a deliberation, for one recipient. The fields are those of authorization's `Grant`;
    `valid_from` is the first day, `valid_until` the first day after (None: no end)."""

    id: str
    deliberation: str
    prohibition: bool
    institution: str
    application: str
    service: str
    version: int
    elements: tuple[str, ...]
    purpose: str
    legal_basis: str
    caller_capacities: tuple[str, ...]
    source_capacities: tuple[str, ...]
    data_days_back: int
    data_max_days: int
    ways: tuple[str, ...]
    volume_per_day: int
    blocking: bool
    valid_from: date
    valid_until: date | None


@dataclass(frozen=True)
class Scope:
    """What the text of a deliberation allows; `recipients` are institutions, `valid_until` is the
    first day after (None: no end)."""

    recipients: tuple[str, ...]
    elements: tuple[str, ...]
    purposes: tuple[str, ...]
    valid_until: date | None


@dataclass(frozen=True)
class Deliberation:
    """A deliberation of the committee. A number that starts with "D/" is ours."""

    number: str
    title: Labels
    chamber: str
    decided_on: date
    submitted_by: str
    published_by: str
    note: str
    scope: Scope
    grants: tuple[Grant, ...]
    provenance: Provenance


@dataclass(frozen=True)
class Actor:
    """A person who acts. `roles` are names of options.v1.Role in lower case, without the prefix;
    `institution` is empty for who acts for the platform."""

    id: str
    name: str
    roles: tuple[str, ...]
    institution: str
    provenance: Provenance


@dataclass(frozen=True)
class Sector:
    """Everything that the demo sector says about itself."""

    institutions: tuple[Institution, ...]
    applications: tuple[Application, ...]
    elements: tuple[Element, ...]
    code_lists: dict[str, tuple[Code, ...]]
    services: tuple[Service, ...]
    deliberations: tuple[Deliberation, ...]
    actors: tuple[Actor, ...]

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The grants of all deliberations."""
        return tuple(grant for one in self.deliberations for grant in one.grants)

    def institution(self, institution: str) -> Institution:
        """The institution with this id; KeyError if there is none."""
        return {row.id: row for row in self.institutions}[institution]

    def service(self, service: str) -> Service:
        """The exchange service with this id; KeyError if there is none."""
        return {row.id: row for row in self.services}[service]

    def with_role(self, role: str) -> tuple[Actor, ...]:
        """The persons who hold a role."""
        return tuple(actor for actor in self.actors if role in actor.roles)
