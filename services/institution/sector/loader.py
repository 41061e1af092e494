"""Reads the demo sector's data files into the model, and refuses what does not fit together."""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Any

from services.institution.sector import model
from services.institution.sector.schemas import elements_of

DATA = files("services.institution.sector") / "data"


@cache
def load() -> model.Sector:
    """The whole sector.

    Raises ValueError, with the row that is wrong, if a row refers to something that is not there.
    """
    institutions = tuple(_institution(row) for row in _rows("institutions.csv"))
    capacities = {row.id: row.capacities for row in institutions}
    sector = model.Sector(
        institutions=institutions,
        applications=tuple(_application(row) for row in _rows("applications.csv")),
        elements=tuple(_element(row) for row in _rows("elements.csv")),
        code_lists=_code_lists(),
        services=tuple(_service(row) for row in _toml("services.toml")["service"]),
        deliberations=tuple(
            _deliberation(row, capacities) for row in _toml("deliberations.toml")["deliberation"]
        ),
        actors=tuple(_actor(row) for row in _rows("persons.csv")),
    )
    _check(sector)
    return sector


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO((DATA / name).read_text(encoding="utf-8"), newline="")))


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((DATA / name).read_text(encoding="utf-8"))


def _provenance(row: dict[str, Any]) -> model.Provenance:
    return model.Provenance(source=row["source"], grade=model.Grade(row["grade"]))


def _labels(row: dict[str, Any], prefix: str = "label_") -> model.Labels:
    fr, nl, de, en = (row.get(f"{prefix}{language}", "") for language in ("fr", "nl", "de", "en"))
    return model.Labels(fr=fr, nl=nl, de=de, en=en)


def _institution(row: dict[str, str]) -> model.Institution:
    return model.Institution(
        id=row["id"],
        acronym_fr=row["acronym_fr"],
        acronym_nl=row["acronym_nl"],
        name=_labels(row, "name_"),
        sector=row["sector"],
        network=row["network"],
        managing_institution=row["managing_institution"],
        capacities=tuple(row["capacities"].split()),
        role=row["role"],
        provenance=_provenance(row),
    )


def _application(row: dict[str, str]) -> model.Application:
    return model.Application(
        institution=row["institution"],
        id=row["id"],
        label=row["label"],
        answers=row["answers"] == "yes",
        provenance=_provenance(row),
    )


def _element(row: dict[str, str]) -> model.Element:
    return model.Element(
        id=row["id"],
        labels=_labels(row),
        type=row["type"],
        code_list=row["code_list"],
        sensitivity=row["sensitivity"],
        authentic_source=row["authentic_source"],
        legal_basis=row["legal_basis"],
        provenance=_provenance(row),
    )


def _code_lists() -> dict[str, tuple[model.Code, ...]]:
    lists: defaultdict[str, list[model.Code]] = defaultdict(list)
    for row in _rows("codes.csv"):
        code = model.Code(
            list=row["list"], code=row["code"], labels=_labels(row), provenance=_provenance(row)
        )
        lists[code.list].append(code)
    return {name: tuple(codes) for name, codes in lists.items()}


def _service(row: dict[str, Any]) -> model.Service:
    return model.Service(
        id=row["id"],
        version=row["version"],
        title=_labels(row["title"], ""),
        question=row["question"],
        answer=row["answer"],
        sources=tuple(row["sources"]),
        source_capacities=tuple(row["source_capacities"]),
        elements=elements_of(row["answer"]),
        source_timeout_ms=row["source_timeout_ms"],
        legal_contexts=tuple(row["legal_contexts"]),
        provenance=_provenance(row),
    )


def _deliberation(
    row: dict[str, Any], capacities: dict[str, tuple[str, ...]]
) -> model.Deliberation:
    grants: list[model.Grant] = []
    for grant in row["grant"]:
        for recipient in grant["recipients"]:
            number = f"{row['number']}#{len(grants) + 1}"
            grants.append(_grant(grant, recipient, number, capacities))
    return model.Deliberation(
        number=row["number"],
        title=_labels(row["title"], ""),
        chamber=row["chamber"],
        decided_on=row["decided_on"],
        submitted_by=row["submitted_by"],
        published_by=row["published_by"],
        note=row["note"],
        scope=_scope(row["scope"]),
        grants=tuple(grants),
        provenance=_provenance(row),
    )


def _scope(row: dict[str, Any]) -> model.Scope:
    return model.Scope(
        recipients=tuple(row["recipients"]),
        elements=tuple(row["elements"]),
        purposes=tuple(row["purposes"]),
        valid_until=row.get("valid_until"),
    )


def _grant(
    row: dict[str, Any], recipient: str, number: str, capacities: dict[str, tuple[str, ...]]
) -> model.Grant:
    institution, _, application = recipient.partition("/")
    held = capacities.get(institution, ())
    return model.Grant(
        id=number,
        deliberation=number.partition("#")[0],
        prohibition=row.get("prohibition", False),
        institution=institution,
        application=application,
        service=row["service"],
        version=row["version"],
        elements=tuple(row["elements"]),
        purpose=row["purpose"],
        legal_basis=row["legal_basis"],
        # A deliberation names the capacities of all its recipients; each has some of them.
        caller_capacities=tuple(one for one in row["caller_capacities"] if one in held),
        source_capacities=tuple(row["source_capacities"]),
        data_days_back=row.get("data_days_back", 0),
        data_max_days=row.get("data_max_days", 0),
        ways=tuple(row["ways"]),
        volume_per_day=row.get("volume_per_day", 0),
        blocking=row.get("blocking", True),
        valid_from=row["valid_from"],
        valid_until=row.get("valid_until"),
    )


def _actor(row: dict[str, str]) -> model.Actor:
    return model.Actor(
        id=row["id"],
        name=row["name"],
        roles=tuple(row["roles"].split()),
        institution=row["institution"],
        provenance=_provenance(row),
    )


def _check(sector: model.Sector) -> None:
    institutions = {row.id: row for row in sector.institutions}
    applications = {row.path for row in sector.applications}
    elements = {row.id for row in sector.elements}
    services = {(row.id, row.version): row for row in sector.services}
    capacities = {row.code for row in sector.code_lists["capacity"]}
    for row in sector.institutions:
        _within(row.id, row.capacities, capacities)
        _within(
            row.id, [row.managing_institution] if row.managing_institution else [], institutions
        )
    for element in sector.elements:
        _within(element.id, [element.authentic_source], institutions)
        _within(element.id, [element.code_list] if element.code_list else [], _lists(sector))
    for service in sector.services:
        _within(service.id, service.elements, elements)
        _within(service.id, service.sources, applications)
        elements_of(service.question)
    for grant in sector.grants:
        _within(grant.id, [grant.institution], institutions)
        if grant.application:
            _within(grant.id, [f"{grant.institution}/{grant.application}"], applications)
        service = services[grant.service, grant.version]
        _within(grant.id, grant.elements, service.elements)
        _within(grant.id, [] if grant.prohibition else [grant.purpose], service.legal_contexts)
        if not grant.prohibition and not grant.caller_capacities:
            raise ValueError(f"{grant.id} names no capacity that its recipient has")
        _within(grant.id, grant.source_capacities, service.source_capacities)


def _lists(sector: model.Sector) -> set[str]:
    # Codes of the list "institution" are the ids of the institutions themselves.
    return {*sector.code_lists, "institution"}


def _within(row: str, wanted: Any, known: Any) -> None:
    if missing := [one for one in wanted if one not in known]:
        raise ValueError(f"{row} refers to what is not in the sector: {', '.join(missing)}")
