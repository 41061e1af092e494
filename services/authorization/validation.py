"""Whether a deliberation's grants fit the catalogue and are complete. Pure.

Contract: `validate` raises INVALID_ARGUMENT that names every wrong field
("deliberation.grants[3].elements[1]") with the remedy. It looks at what registry says now: a
deliberation is judged when it is submitted and again when it is published.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from services.authorization.model import Grant, Scope
from services.policy.model import Way
from services.runtime.errors import CrossroadsError, FieldViolation, Reason

MAX_VIOLATIONS = 20
"""More than these are not listed: the message must stay small."""

_CODE = re.compile(r"[A-Z0-9][A-Z0-9_.:-]{0,62}")
_CAPACITY = re.compile(r"[A-Z0-9]{1,3}/[A-Z0-9_]{1,20}")
_WAYS = frozenset(way.name for way in Way)

Problem = tuple[str, str]


class Catalogue(Protocol):
    """What registry says of institutions, applications and exchange services."""

    def institution_active(self, institution: str) -> bool | None:
        """Whether it is active; None if there is no such institution."""
        ...

    def application_active(self, institution: str, application: str) -> bool | None:
        """Whether it is active; None if there is no such application."""
        ...

    def elements(self, service: str, version: int) -> frozenset[str] | None:
        """What an answer may hold; of any version where that is 0. None: no such service."""
        ...

    def declared(self, element: str) -> bool:
        """Whether the information model has this data element."""
        ...


def validate(
    grants: Sequence[Grant], catalogue: Catalogue, scope: Scope | None, path: str = "deliberation"
) -> None:
    """Raise INVALID_ARGUMENT unless every grant is complete, refers to what exists, and is no wider
    than the scope, where there is one. `path` is where the grants are in the request."""
    violations = [
        FieldViolation(f"{path}.grants[{index}].{field}", text)
        for index, grant in enumerate(grants)
        for field, text in _problems(grant, catalogue, scope)
    ]
    if scope is not None:
        violations += [
            FieldViolation(f"{path}.scope.{field}", text)
            for field, text in _unknown(scope, catalogue)
        ]
    if violations:
        first = violations[0]
        raise CrossroadsError(
            Reason.INVALID_ARGUMENT,
            f"{first.field}: {first.description}",
            fields=violations[:MAX_VIOLATIONS],
        )


def _problems(grant: Grant, catalogue: Catalogue, scope: Scope | None) -> Iterator[Problem]:
    if not grant.prohibition:
        yield from _required(grant)
        if scope is not None:
            yield from wider(grant, scope)
    yield from _recipient(grant, catalogue)
    yield from _content(grant, catalogue)
    yield from _forms(grant)


def wider(grant: Grant, scope: Scope) -> Iterator[Problem]:
    """Where a grant gives more than the text of its deliberation allows."""
    beyond = "is not in the scope of the deliberation; its text must allow what a grant gives"
    if grant.institution and grant.institution not in scope.recipients:
        yield "institution", beyond
    for index, institution in enumerate(grant.institutions):
        if institution not in scope.recipients:
            yield f"institutions[{index}]", beyond
    for index, element in enumerate(grant.elements):
        if element not in scope.elements:
            yield f"elements[{index}]", beyond
    if grant.purpose not in scope.purposes:
        yield "purpose", beyond
    until = scope.valid_until
    if until is not None and (grant.valid_until is None or grant.valid_until > until):
        yield "valid_until", "is later than the scope of the deliberation allows"


def _unknown(scope: Scope, catalogue: Catalogue) -> Iterator[Problem]:
    for index, element in enumerate(scope.elements):
        if not catalogue.declared(element):
            yield f"elements[{index}]", f"no data element {element} in the information model"
    for index, recipient in enumerate(scope.recipients):
        if catalogue.institution_active(recipient) is None:
            yield f"recipients[{index}]", f"no institution {recipient}; registry must know it first"


def _required(grant: Grant) -> Iterator[Problem]:
    """What a grant must say, and a prohibition may leave open."""
    for field in ("institution", "service", "elements", "purpose", "ways"):
        if not (getattr(grant, field) or (field == "institution" and grant.institutions)):
            yield field, "is missing; a grant names it (only a prohibition may leave it open)"


def _recipient(grant: Grant, catalogue: Catalogue) -> Iterator[Problem]:
    if grant.institution and grant.institutions:
        yield "institutions", "name one institution, or those of a group, not both"
    if grant.group_name and not grant.institutions:
        yield "institutions", "are missing; a group names its members"
    if grant.institutions and not grant.group_name:
        yield "group_name", "is missing; say what the group is called"
    if grant.institution:
        yield from _institution("institution", grant.institution, grant.application, catalogue)
    elif grant.application and not grant.institutions:
        yield "application", "names an application of no institution; name the institution"
    for index, member in enumerate(grant.institutions):
        yield from _institution(f"institutions[{index}]", member, grant.application, catalogue)


def _institution(
    field: str, institution: str, application: str, catalogue: Catalogue
) -> Iterator[Problem]:
    active = catalogue.institution_active(institution)
    if active is None:
        yield field, f"no institution {institution or '(empty)'}; registry must know it first"
        return
    if not active:
        yield field, f"{institution} is closed; name the institution that took over"
    if application:
        running = catalogue.application_active(institution, application)
        if running is None:
            yield (
                "application",
                f"{institution} has no application {application}; registry must know it first",
            )
        elif not running:
            yield "application", f"{application} of {institution} is closed; name another"


def _content(grant: Grant, catalogue: Catalogue) -> Iterator[Problem]:
    offered: frozenset[str] | None = None
    if grant.service:
        offered = catalogue.elements(grant.service, grant.service_version)
        if offered is None:
            version = f" in version {grant.service_version}" if grant.service_version else ""
            yield (
                "service" if not grant.service_version else "service_version",
                f"the catalogue has no service {grant.service}{version}; name one that it has",
            )
    for index, element in enumerate(grant.elements):
        if not catalogue.declared(element):
            yield f"elements[{index}]", f"no data element {element} in the information model"
        elif offered is not None and element not in offered:
            yield f"elements[{index}]", f"an answer of {grant.service} never holds {element}"


def _forms(grant: Grant) -> Iterator[Problem]:
    if grant.purpose and not _CODE.fullmatch(grant.purpose):
        yield "purpose", "is a code of the list of purposes: A-Z, 0-9, _, . : and -"
    for field in ("caller_capacities", "source_capacities"):
        for index, capacity in enumerate(getattr(grant, field)):
            if not _CAPACITY.fullmatch(capacity):
                yield f"{field}[{index}]", 'is "<sector>/<code>", for example "18/1"'
    for index, way in enumerate(grant.ways):
        if way not in _WAYS:
            yield f"ways[{index}]", f"is one of {', '.join(sorted(_WAYS))}"
    if grant.valid_from is None:
        yield "valid_from", "is missing; say when it enters into force"
    elif grant.valid_until is not None and grant.valid_until <= grant.valid_from:
        yield "valid_until", "is after valid_from, or left out for no end"
