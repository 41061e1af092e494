"""The SQL that puts one object of the registry: insert, or replace the whole row.

Contract: `put` runs inside the caller's transaction and names every column.
"""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

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
)
from services.runtime.postgres import Connection

_INSTITUTION = """
INSERT INTO institution (id, active, managing_institution, capacities,
    name_fr, name_nl, name_de, name_en, acronym_fr, acronym_nl, sector, act)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET active = excluded.active,
    managing_institution = excluded.managing_institution, capacities = excluded.capacities,
    name_fr = excluded.name_fr, name_nl = excluded.name_nl, name_de = excluded.name_de,
    name_en = excluded.name_en, acronym_fr = excluded.acronym_fr,
    acronym_nl = excluded.acronym_nl, sector = excluded.sector, act = excluded.act
"""
_APPLICATION = """
INSERT INTO application (institution, id, active, endpoint, act) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (institution, id) DO UPDATE SET active = excluded.active,
    endpoint = excluded.endpoint, act = excluded.act
"""
_PERSON = """
INSERT INTO person (id, roles, institution, act) VALUES (%s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET roles = excluded.roles, institution = excluded.institution,
    act = excluded.act
"""
_REVOCATION = """
INSERT INTO revocation (serial, revoked_at, act) VALUES (%s, %s, %s)
ON CONFLICT (serial) DO UPDATE SET revoked_at = excluded.revoked_at, act = excluded.act
"""
_ELEMENT = """
INSERT INTO data_element (id, label_fr, label_nl, label_de, label_en, type, code_list, sensitivity,
    authentic_source, legal_basis, deprecated, act)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET label_fr = excluded.label_fr, label_nl = excluded.label_nl,
    label_de = excluded.label_de, label_en = excluded.label_en, type = excluded.type,
    code_list = excluded.code_list, sensitivity = excluded.sensitivity,
    authentic_source = excluded.authentic_source, legal_basis = excluded.legal_basis,
    deprecated = excluded.deprecated, act = excluded.act
"""
_CODE = """
INSERT INTO code (list, code, label_fr, label_nl, label_de, label_en, act)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (list, code) DO UPDATE SET label_fr = excluded.label_fr, label_nl = excluded.label_nl,
    label_de = excluded.label_de, label_en = excluded.label_en, act = excluded.act
"""
_SERVICE = """
INSERT INTO exchange_service (id, version, title_fr, title_nl, title_de, title_en,
    question_message, answer_message, schema, sources, elements, source_timeout_ms, act)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id, version) DO UPDATE SET title_fr = excluded.title_fr, title_nl = excluded.title_nl,
    title_de = excluded.title_de, title_en = excluded.title_en,
    question_message = excluded.question_message, answer_message = excluded.answer_message,
    schema = excluded.schema, sources = excluded.sources, elements = excluded.elements,
    source_timeout_ms = excluded.source_timeout_ms, act = excluded.act
"""


async def put(conn: Connection, change: Change, act: UUID | None, at: datetime) -> None:
    """Put what the change says. `at` dates a revocation that names no instant."""
    statement, values = _statement(change, at)
    await conn.execute(statement, (*values, act))


def _statement(change: Change, at: datetime) -> tuple[LiteralString, tuple[object, ...]]:  # noqa: PLR0911 - one for each kind
    match change:
        case Institution(name=name):
            standing = (change.id, change.active, change.managing_institution)
            about = (change.acronym_fr, change.acronym_nl, change.sector)
            return _INSTITUTION, (*standing, list(change.capacities), *_labels(name), *about)
        case Application():
            return _APPLICATION, (change.institution, change.id, change.active, change.endpoint)
        case Person():
            return _PERSON, (change.id, sorted(change.roles), change.institution)
        case Revocation():
            return _REVOCATION, (change.serial, change.revoked_at or at)
        case DataElement():
            return _ELEMENT, (change.id, *_labels(change.labels), *_element(change))
        case Code():
            return _CODE, (change.list, change.code, *_labels(change.labels))
        case ExchangeService():
            return _SERVICE, (change.id, change.version, *_labels(change.title), *_service(change))


def _labels(labels: Labels) -> tuple[str, ...]:
    return (labels.fr, labels.nl, labels.de, labels.en)


def _element(element: DataElement) -> tuple[str | bool, ...]:
    return (
        element.type,
        element.code_list,
        element.sensitivity,
        element.authentic_source,
        element.legal_basis,
        element.deprecated,
    )


def _service(service: ExchangeService) -> tuple[object, ...]:
    return (
        service.question_message,
        service.answer_message,
        service.schema,
        list(service.sources),
        list(service.elements),
        service.source_timeout_ms,
    )
