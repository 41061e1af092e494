"""Rows of the watched tables of authorization, identity and registry, by key."""

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.identity.v1 import identity_service_pb2 as identity
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.trust.v1 import trust_pb2 as trust
from tests.support import exchange_schemas as schemas

SERVICE = "employment_periods"
OTHER_SERVICE = "insurability"
PURPOSE = "unemployment_benefit"


def institution(name: str, *capacities: str, managed_by: str = "") -> tuple[str, trust.Entry]:
    row = trust.Institution(
        id=name, active=True, capacities=capacities, managing_institution=managed_by
    )
    return f"institution/{name}", trust.Entry(institution=row)


def application(
    owner: str, name: str, endpoint: str = "", *, active: bool = True
) -> tuple[str, trust.Entry]:
    row = trust.Application(institution=owner, id=name, active=active, endpoint=endpoint)
    return f"application/{owner}/{name}", trust.Entry(application=row)


def grant(**changes: Any) -> tuple[str, authorization.Grant]:
    """CAPAC may read employers and starts of employments, for unemployment benefit."""
    values: dict[str, Any] = {
        "id": "20/096#1",
        "deliberation": "20/096",
        "institution": "capac",
        "service": SERVICE,
        "elements": ["employment.employer", "employment.start"],
        "purpose": PURPOSE,
        "caller_capacities": ["18/1"],
        "source_capacities": ["12/10"],
        "ways": [authorization.WAY_ONLINE],
        "blocking": True,
        "valid_from": stamp(datetime(2020, 1, 1, tzinfo=UTC)),
        "recorded_from": stamp(datetime(2020, 1, 1, tzinfo=UTC)),
    }
    row = authorization.Grant(**{**values, **changes})
    return row.id, row


def ended(ago: timedelta = timedelta(0), **changes: Any) -> tuple[str, authorization.Grant]:
    """The same, no longer in force."""
    return grant(valid_until=stamp(datetime.now(UTC) - ago), **changes)


def service(version: int = 1, timeout_ms: int = 1000, **changes: Any) -> tuple[str, Any]:
    """The exchange service in the catalogue."""
    values: dict[str, Any] = {
        "id": SERVICE,
        "version": version,
        "question_message": f"{schemas.PACKAGE}.Question",
        "answer_message": f"{schemas.PACKAGE}.Answer",
        "schema": schemas.schema(),
        "sources": ["onss/dmfa"],
        "elements": sorted(schemas.ELEMENTS),
        "source_timeout_ms": timeout_ms,
    }
    row = registry.ExchangeService(**{**values, **changes})
    return f"service/{row.id}/{version}", registry.CatalogueEntry(service=row)


def person(name: str, *roles: int, institution: str = "") -> tuple[str, trust.Entry]:
    """A person who acts: roles of options.v1."""
    row = trust.Person(id=name, roles=roles, institution=institution)  # type: ignore[arg-type]
    return f"person/{name}", trust.Entry(person=row)


def element(name: str) -> tuple[str, Any]:
    """A data element in the catalogue."""
    return f"element/{name}", registry.CatalogueEntry(element=registry.DataElement(id=name))


def replacement(old: str, current: str) -> tuple[str, identity.Replacement]:
    return old, identity.Replacement(old_niss=old, current_niss=current)


def stamp(instant: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp
