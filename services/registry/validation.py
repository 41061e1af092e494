"""Whether a set of changes fits the registry: forms, and references to what is there.

Contract: `validate` raises INVALID_ARGUMENT that names every wrong field
("changes[3].put_application.institution") with the remedy. Changes of one set may refer to each
other in any order. Pure.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from services.registry.model import (
    FIELD_OF,
    ID_PATTERN,
    Application,
    Change,
    Code,
    DataElement,
    ExchangeService,
    Institution,
    Known,
    Person,
    Revocation,
    Role,
    SchemaFacts,
)
from services.runtime.errors import CrossroadsError, FieldViolation, Reason

SENSITIVITIES = ("public", "internal", "personal", "sensitive")

_ID = re.compile(ID_PATTERN)
_CAPACITY = re.compile(r"[A-Z0-9]{1,3}/[A-Z0-9_]{1,20}")
_ENDPOINT = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,253}:[0-9]{1,5}")
_SERIAL = re.compile(r"(?!0)[0-9a-f]{1,40}")

Problem = tuple[str, str]
ReadSchema = Callable[[bytes], SchemaFacts]
"""Reads a serialized FileDescriptorSet; raises ValueError with what is wrong with it."""


def validate(changes: Sequence[Change], known: Known, read_schema: ReadSchema) -> None:
    """Raise INVALID_ARGUMENT unless the changes, taken together, fit the state `known`."""
    after = known.with_changes(changes)
    violations: list[FieldViolation] = []
    seen: set[tuple[str, ...]] = set()
    for index, change in enumerate(changes):
        path = f"changes[{index}].{FIELD_OF[type(change)]}"
        if identity(change) in seen:
            violations.append(FieldViolation(path, "changes the same object twice; say it once"))
        seen.add(identity(change))
        violations += [
            FieldViolation(f"{path}.{field}", text)
            for field, text in _problems(change, after, read_schema)
        ]
    if violations:
        first = violations[0]
        raise CrossroadsError(
            Reason.INVALID_ARGUMENT,
            f"{first.field}: {first.description}",
            fields=violations,
        )


def identity(change: Change) -> tuple[str, ...]:
    """What names the object that a change is about."""
    match change:
        case Application():
            return ("application", change.name)
        case Revocation():
            return ("revocation", change.serial)
        case Code():
            return ("code", change.list, change.code)
        case ExchangeService():
            return ("service", change.id, str(change.version))
    return (type(change).__name__, change.id)


def _problems(change: Change, after: Known, read_schema: ReadSchema) -> Iterator[Problem]:
    match change:
        case Institution():
            yield from _institution(change, after)
        case Application():
            yield from _application(change, after)
        case Person():
            yield from _person(change, after)
        case Revocation():
            if not _SERIAL.fullmatch(change.serial):
                yield "serial", "is lower-case hexadecimal without separators or leading zeros"
        case DataElement():
            yield from _element(change, after)
        case Code():
            if not change.list or not change.code:
                yield "list" if not change.list else "code", "is missing; name it"
        case ExchangeService():
            yield from _service(change, after, read_schema)


def _id(field: str, value: str) -> Iterator[Problem]:
    if not _ID.fullmatch(value):
        yield field, "is 1 to 63 of a-z, 0-9 and -, and does not start with -"


def _institution(change: Institution, after: Known) -> Iterator[Problem]:
    yield from _id("trust.id", change.id)
    managing = change.managing_institution
    if managing and managing not in after.institutions:
        yield "trust.managing_institution", "no such institution; put it first, or in the same act"
    if managing == change.id and managing:
        yield "trust.managing_institution", "is the institution itself; leave it empty"
    for index, capacity in enumerate(change.capacities):
        if not _CAPACITY.fullmatch(capacity):
            yield f"trust.capacities[{index}]", 'is "<sector>/<code>", for example "17/101"'


def _application(change: Application, after: Known) -> Iterator[Problem]:
    yield from _id("id", change.id)
    if change.institution not in after.institutions:
        yield "institution", "no such institution; put it first, or in the same act"
    if change.endpoint and not _ENDPOINT.fullmatch(change.endpoint):
        yield "endpoint", "is host:port, or empty for an application that only asks"


def _person(change: Person, after: Known) -> Iterator[Problem]:
    yield from _id("id", change.id)
    if change.institution and change.institution not in after.institutions:
        yield "institution", "no such institution; put it first, or in the same act"
    if Role.SECURITY_OFFICER in change.roles and not change.institution:
        yield "institution", "a security officer is of one institution; name it"


def _element(change: DataElement, after: Known) -> Iterator[Problem]:
    if change.sensitivity not in SENSITIVITIES:
        yield "sensitivity", f"is one of {', '.join(SENSITIVITIES)}"
    if not change.type:
        yield "type", "is missing; name it"
    if change.authentic_source not in after.institutions:
        yield "authentic_source", "no such institution; put it first, or in the same act"


def _service(change: ExchangeService, after: Known, read_schema: ReadSchema) -> Iterator[Problem]:
    for index, source in enumerate(change.sources):
        application = after.applications.get(source)
        if application is None:
            yield (
                f"sources[{index}]",
                'no such application; put "<institution>/<application>" first, or in the same act',
            )
        elif application.active and not application.endpoint:
            yield f"sources[{index}]", "this application has no endpoint to answer at; give it one"
    for index, element in enumerate(change.elements):
        if element not in after.elements:
            yield (
                f"elements[{index}]",
                f"no data element {element}; put it first, or in the same act",
            )
    yield from _schema(change, read_schema)


def _schema(change: ExchangeService, read_schema: ReadSchema) -> Iterator[Problem]:
    try:
        facts = read_schema(change.schema)
    except ValueError as error:
        yield "schema", f"{error}; build it with protoc --include_imports --descriptor_set_out"
        return
    for field, message in (
        ("question_message", change.question_message),
        ("answer_message", change.answer_message),
    ):
        if message not in facts.messages:
            yield field, "the schema has no such message; give its full name"
    undeclared = facts.messages.get(change.answer_message, frozenset()) - set(change.elements)
    if undeclared:
        named = ", ".join(sorted(undeclared)[:5])
        yield "elements", f"fields of the answer hold {named}; declare what the answer may hold"
