"""The demo sector as messages of the API: what administrators propose and a committee decides.

Contract: pure; the same sector and addresses give the same messages.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.options.v1 import options_pb2
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.trust.v1 import trust_pb2
from services.cli.demo.sources import endpoint
from services.institution.sector import (
    Actor,
    Application,
    Code,
    Deliberation,
    Element,
    Grant,
    Institution,
    Labels,
    Scope,
    Sector,
    Service,
    schemas,
)


def changes(sector: Sector, ports: Mapping[str, int]) -> Iterator[registry.Change]:
    """Everything that registry holds of the sector, as one act."""
    administrators = {each.id for each in sector.with_role("administrator")}
    for institution in sector.institutions:
        yield registry.Change(put_institution=_institution(institution))
    for application in sector.applications:
        yield registry.Change(put_application=_application(application, ports))
    for actor in sector.actors:
        if actor.id not in administrators:  # the genesis enrolled those
            yield registry.Change(put_person=_person(actor))
    for codes in sector.code_lists.values():
        for code in codes:
            yield registry.Change(put_code=_code(code))
    for element in sector.elements:
        yield registry.Change(put_element=_element(element))
    for service in sector.services:
        yield registry.Change(put_exchange_service=_service(service))


def deliberation(one: Deliberation) -> authorization.Deliberation:
    """A deliberation as it is submitted."""
    return authorization.Deliberation(
        number=one.number,
        title_fr=one.title.fr,
        title_nl=one.title.nl,
        title_de=one.title.de,
        title_en=one.title.en,
        chamber=authorization.Chamber.Value(f"CHAMBER_{one.chamber.upper()}"),
        decided_on=one.decided_on.isoformat(),
        scope=_scope(one.scope),
        grants=map(_grant, one.grants),
    )


def _institution(one: Institution) -> registry.Institution:
    trust = trust_pb2.Institution(
        id=one.id,
        active=True,
        managing_institution=one.managing_institution,
        capacities=one.capacities,
    )
    return registry.Institution(
        trust=trust,
        name=_labels(one.name),
        acronym_fr=one.acronym_fr,
        acronym_nl=one.acronym_nl,
        sector=one.sector,
    )


def _application(one: Application, ports: Mapping[str, int]) -> trust_pb2.Application:
    return trust_pb2.Application(
        institution=one.institution,
        id=one.id,
        active=True,
        endpoint=endpoint(one.path, ports) if one.answers else "",
    )


def _person(one: Actor) -> trust_pb2.Person:
    roles = [options_pb2.Role.Value(f"ROLE_{role.upper()}") for role in one.roles]
    return trust_pb2.Person(id=one.id, roles=roles, institution=one.institution)


def _code(one: Code) -> registry.Code:
    return registry.Code(list=one.list, code=one.code, labels=_labels(one.labels))


def _element(one: Element) -> registry.DataElement:
    return registry.DataElement(
        id=one.id,
        labels=_labels(one.labels),
        type=one.type,
        code_list=one.code_list,
        sensitivity=one.sensitivity,
        authentic_source=one.authentic_source,
        legal_basis=one.legal_basis,
    )


def _service(one: Service) -> registry.ExchangeService:
    return registry.ExchangeService(
        id=one.id,
        version=one.version,
        title=_labels(one.title),
        question_message=one.question,
        answer_message=one.answer,
        schema=schemas.schema_of(one.question, one.answer),
        sources=one.sources,
        elements=one.elements,
        source_timeout_ms=one.source_timeout_ms,
    )


def _scope(one: Scope) -> authorization.Scope:
    return authorization.Scope(
        recipients=one.recipients,
        elements=one.elements,
        purposes=one.purposes,
        valid_until=None if one.valid_until is None else _midnight(one.valid_until),
    )


def _grant(one: Grant) -> authorization.Grant:
    grant = authorization.Grant(
        prohibition=one.prohibition,
        institution=one.institution,
        application=one.application,
        service=one.service,
        service_version=one.version,
        elements=one.elements,
        purpose=one.purpose,
        legal_basis=one.legal_basis,
        caller_capacities=one.caller_capacities,
        source_capacities=one.source_capacities,
        data_days_back=one.data_days_back,
        data_max_days=one.data_max_days,
        ways=[authorization.Way.Value(f"WAY_{way.upper()}") for way in one.ways],
        volume_per_day=one.volume_per_day,
        blocking=one.blocking,
        valid_from=_midnight(one.valid_from),
    )
    if one.valid_until is not None:
        grant.valid_until.CopyFrom(_midnight(one.valid_until))
    return grant


def _labels(labels: Labels) -> registry.Labels:
    return registry.Labels(fr=labels.fr, nl=labels.nl, de=labels.de, en=labels.en)


def _midnight(day: date) -> Timestamp:
    """When a day begins. In UTC: the demo needs no time zone data."""
    stamp: Any = Timestamp()
    stamp.FromDatetime(datetime.combine(day, time(), UTC))
    made: Timestamp = stamp
    return made
