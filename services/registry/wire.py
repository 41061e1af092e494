"""Between the API's messages and the model: changes, acts, and the rows of the watched tables.

Contract: a change without content, or with a role that does not exist, is INVALID_ARGUMENT.
`encode` is deterministic (there are no maps in these messages): the digest in the log is taken
over it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.options.v1 import options_pb2
from crossroads.registry.v1 import registry_service_pb2 as api
from crossroads.trust.v1 import trust_pb2
from services.registry.model import (
    Application,
    Change,
    Code,
    DataElement,
    ExchangeService,
    Institution,
    Labels,
    Person,
    Revocation,
    Role,
)
from services.runtime.errors import invalid
from services.runtime.watch.rows import Change as RowChange


def changes_from(messages: Sequence[api.Change]) -> tuple[Change, ...]:
    """The changes of a request."""
    return tuple(_change_from(message, f"changes[{i}]") for i, message in enumerate(messages))


def encode(messages: Iterable[api.Change]) -> bytes:
    """The changes alone, as they are kept and digested."""
    request = api.ProposeActRequest(changes=messages)
    return request.SerializeToString(deterministic=True)


def decode(encoded: bytes) -> Sequence[api.Change]:
    """The changes that `encode` wrote."""
    return api.ProposeActRequest.FromString(encoded).changes


def _change_from(message: api.Change, path: str) -> Change:
    kind = message.WhichOneof("change")
    if kind is None:
        raise invalid(path, "holds no change; set one of its fields")
    if kind == "put_person":
        person = message.put_person
        return Person(person.id, _roles(person.roles, path), person.institution)
    return _FROM[kind](getattr(message, kind))


def _roles(roles: Iterable[int], path: str) -> frozenset[Role]:
    found = set()
    for index, number in enumerate(roles):
        name = (
            options_pb2.Role.Name(number)  # type: ignore[arg-type]
            if number in options_pb2.Role.values()
            else ""
        )
        if not name or number == options_pb2.ROLE_UNSPECIFIED:
            raise invalid(f"{path}.put_person.roles[{index}]", "is no role; name one")
        found.add(Role(name.removeprefix("ROLE_")))
    return frozenset(found)


def application_from(message: trust_pb2.Application) -> Application:
    """What a certificate names."""
    return Application(message.institution, message.id, message.active, message.endpoint)


def revocation_from(message: trust_pb2.Revocation) -> Revocation:
    """A certificate that is no longer good; without an instant it is the one of applying."""
    at = instant_from(message.revoked_at) if message.HasField("revoked_at") else None
    return Revocation(message.serial, at)


def code_from(message: api.Code) -> Code:
    """A code with its meaning."""
    return Code(message.list, message.code, labels_from(message.labels))


def labels_from(message: api.Labels) -> Labels:
    """A text in four languages."""
    return Labels(message.fr, message.nl, message.de, message.en)


def labels_to(labels: Labels) -> api.Labels:
    """A text in four languages."""
    return api.Labels(fr=labels.fr, nl=labels.nl, de=labels.de, en=labels.en)


def institution_from(message: api.Institution) -> Institution:
    """An institution with what is published about it."""
    return Institution(
        id=message.trust.id,
        active=message.trust.active,
        managing_institution=message.trust.managing_institution,
        capacities=tuple(message.trust.capacities),
        name=labels_from(message.name),
        acronym_fr=message.acronym_fr,
        acronym_nl=message.acronym_nl,
        sector=message.sector,
    )


def institution_to(value: Institution) -> api.Institution:
    """An institution with what is published about it."""
    return api.Institution(
        trust=_trust(value),
        name=labels_to(value.name),
        acronym_fr=value.acronym_fr,
        acronym_nl=value.acronym_nl,
        sector=value.sector,
    )


def element_from(message: api.DataElement) -> DataElement:
    """An item of the information model."""
    return DataElement(
        id=message.id,
        labels=labels_from(message.labels),
        type=message.type,
        code_list=message.code_list,
        sensitivity=message.sensitivity,
        authentic_source=message.authentic_source,
        legal_basis=message.legal_basis,
        deprecated=message.deprecated,
    )


def element_to(value: DataElement) -> api.DataElement:
    """An item of the information model."""
    return api.DataElement(
        id=value.id,
        labels=labels_to(value.labels),
        type=value.type,
        code_list=value.code_list,
        sensitivity=value.sensitivity,
        authentic_source=value.authentic_source,
        legal_basis=value.legal_basis,
        deprecated=value.deprecated,
    )


def code_to(value: Code) -> api.Code:
    """A code with its meaning."""
    return api.Code(list=value.list, code=value.code, labels=labels_to(value.labels))


def service_from(message: api.ExchangeService) -> ExchangeService:
    """A question that can be asked."""
    return ExchangeService(
        id=message.id,
        version=message.version,
        title=labels_from(message.title),
        question_message=message.question_message,
        answer_message=message.answer_message,
        schema=message.schema,
        sources=tuple(message.sources),
        elements=tuple(message.elements),
        source_timeout_ms=message.source_timeout_ms,
    )


def service_to(value: ExchangeService) -> api.ExchangeService:
    """A question that can be asked."""
    return api.ExchangeService(
        id=value.id,
        version=value.version,
        title=labels_to(value.title),
        question_message=value.question_message,
        answer_message=value.answer_message,
        schema=value.schema,
        sources=value.sources,
        elements=value.elements,
        source_timeout_ms=value.source_timeout_ms,
    )


def directory_row(change: Change, now: datetime) -> RowChange | None:
    """The row of WatchDirectory that a change puts, or None."""
    match change:
        case Institution():
            entry = trust_pb2.Entry(institution=_trust(change))
            return _row(f"institution/{change.id}", entry)
        case Application():
            app = trust_pb2.Application(
                institution=change.institution,
                id=change.id,
                active=change.active,
                endpoint=change.endpoint,
            )
            return _row(f"application/{change.name}", trust_pb2.Entry(application=app))
        case Person():
            roles = sorted(options_pb2.Role.Value(f"ROLE_{role}") for role in change.roles)
            person = trust_pb2.Person(id=change.id, roles=roles, institution=change.institution)
            return _row(f"person/{change.id}", trust_pb2.Entry(person=person))
        case Revocation():
            revocation = trust_pb2.Revocation(
                serial=change.serial, revoked_at=instant_to(change.revoked_at or now)
            )
            return _row(f"revocation/{change.serial}", trust_pb2.Entry(revocation=revocation))
    return None


def catalogue_row(change: Change) -> RowChange | None:
    """The row of WatchCatalogue that a change puts, or None."""
    match change:
        case ExchangeService():
            key = f"service/{change.id}/{change.version}"
            return _row(key, api.CatalogueEntry(service=service_to(change)))
        case DataElement():
            return _row(f"element/{change.id}", api.CatalogueEntry(element=element_to(change)))
    return None


def instant_to(at: datetime) -> Timestamp:
    """An aware instant."""
    stamp = Timestamp()
    stamp.FromDatetime(at.astimezone(UTC))
    return stamp


def instant_from(stamp: Timestamp) -> datetime:
    """An aware instant in UTC."""
    return stamp.ToDatetime(tzinfo=UTC)


def _trust(value: Institution) -> trust_pb2.Institution:
    return trust_pb2.Institution(
        id=value.id,
        active=value.active,
        managing_institution=value.managing_institution,
        capacities=value.capacities,
    )


def _row(key: str, message: trust_pb2.Entry | api.CatalogueEntry) -> RowChange:
    return RowChange(key, message.SerializeToString(deterministic=True))


_FROM: Mapping[str, Callable[[Any], Change]] = {
    "put_institution": institution_from,
    "put_application": application_from,
    "revoke_certificate": revocation_from,
    "put_element": element_from,
    "put_code": code_from,
    "put_exchange_service": service_from,
}
