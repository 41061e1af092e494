"""Between the API's messages and the model: deliberations, grants, and the rows that decisions use.

Contract: `deliberation_from` takes the terms only; ids, recorded periods and persons are the
service's to set. `policy_grant` reads a published row; ValueError if it is none.
"""

from datetime import UTC, date, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.authorization.v1 import authorization_service_pb2 as api
from services.authorization.model import Chamber, Deliberation, Grant, PublishedGrant, Scope
from services.policy import model as policy
from services.policy.index import Interner
from services.runtime.errors import invalid

_NOBODY = UUID(int=0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def deliberation_from(message: api.Deliberation) -> Deliberation:
    """What is submitted: its terms, not yet by whom and when."""
    try:
        decided_on = date.fromisoformat(message.decided_on)
    except ValueError:
        raise invalid("deliberation.decided_on", "is no date; write it YYYY-MM-DD") from None
    return Deliberation(
        number=message.number,
        title_fr=message.title_fr,
        title_nl=message.title_nl,
        title_de=message.title_de,
        title_en=message.title_en,
        chamber=Chamber(api.Chamber.Name(message.chamber).removeprefix("CHAMBER_")),
        decided_on=decided_on,
        grants=tuple(
            grant_from(grant, f"{message.number}#{n}") for n, grant in enumerate(message.grants, 1)
        ),
        text_fr=message.text_fr,
        text_nl=message.text_nl,
        text_de=message.text_de,
        scope=scope_from(message.scope) if message.HasField("scope") else None,
        submitted_by="",
        submitted_at=_EPOCH,
        act_id=_NOBODY,
    )


def deliberation_to(value: Deliberation) -> api.Deliberation:
    """A deliberation with the grants that it holds."""
    return api.Deliberation(
        number=value.number,
        title_fr=value.title_fr,
        title_nl=value.title_nl,
        title_de=value.title_de,
        title_en=value.title_en,
        chamber=api.Chamber.Value(f"CHAMBER_{value.chamber}"),
        decided_on=value.decided_on.isoformat(),
        submitted_by=value.submitted_by,
        published_by=value.published_by,
        published_at=stamp(value.published_at),
        text_fr=value.text_fr,
        text_nl=value.text_nl,
        text_de=value.text_de,
        scope=scope_to(value.scope),
        version=value.version,
        state=api.DeliberationState.Value(f"DELIBERATION_STATE_{value.state}"),
        enters_into_force=stamp(value.enters_into_force),
        grants=(
            grant_to(PublishedGrant(g, value.number, value.submitted_by, value.published_by))
            for g in value.grants
        ),
    )


def grant_from(message: api.Grant, grant_id: str) -> Grant:
    """The terms of a grant, under that id."""
    return Grant(
        id=grant_id,
        prohibition=message.prohibition,
        institution=message.institution,
        institutions=tuple(message.institutions),
        group_name=message.group_name,
        application=message.application,
        service=message.service,
        service_version=message.service_version,
        elements=tuple(message.elements),
        purpose=message.purpose,
        legal_basis=message.legal_basis,
        caller_capacities=tuple(message.caller_capacities),
        caller_phases=tuple(message.caller_phases),
        source_capacities=tuple(message.source_capacities),
        source_phases=tuple(message.source_phases),
        data_days_back=message.data_days_back,
        data_max_days=message.data_max_days,
        ways=tuple(way_of(number) for number in message.ways),
        volume_per_day=message.volume_per_day,
        blocking=message.blocking,
        valid_from=_instant(message, "valid_from"),
        valid_until=_instant(message, "valid_until"),
    )


def grant_to(published: PublishedGrant) -> api.Grant:
    """A row of WatchGrants."""
    grant = published.grant
    return api.Grant(
        id=grant.id,
        deliberation=published.deliberation,
        prohibition=grant.prohibition,
        institution=grant.institution,
        institutions=grant.institutions,
        group_name=grant.group_name,
        application=grant.application,
        service=grant.service,
        service_version=grant.service_version,
        elements=grant.elements,
        purpose=grant.purpose,
        legal_basis=grant.legal_basis,
        caller_capacities=grant.caller_capacities,
        caller_phases=grant.caller_phases,
        source_capacities=grant.source_capacities,
        source_phases=grant.source_phases,
        data_days_back=grant.data_days_back,
        data_max_days=grant.data_max_days,
        ways=[way_to(way) for way in grant.ways],
        volume_per_day=grant.volume_per_day,
        blocking=grant.blocking,
        valid_from=stamp(grant.valid_from),
        valid_until=stamp(grant.valid_until),
        recorded_from=stamp(grant.recorded_from),
        recorded_until=stamp(grant.recorded_until),
        proposed_by=published.proposed_by,
        approved_by=published.approved_by,
    )


def scope_from(message: api.Scope) -> Scope:
    """What the text allows."""
    until: datetime | None = None
    if message.HasField("valid_until"):
        until = message.valid_until.ToDatetime(tzinfo=UTC)
    return Scope(
        recipients=tuple(message.recipients),
        elements=tuple(message.elements),
        purposes=tuple(message.purposes),
        valid_until=until,
    )


def scope_to(scope: Scope | None) -> api.Scope | None:
    """The same as a message; None stays unset."""
    if scope is None:
        return None
    return api.Scope(
        recipients=scope.recipients,
        elements=scope.elements,
        purposes=scope.purposes,
        valid_until=stamp(scope.valid_until),
    )


def scope_bytes(scope: Scope | None) -> bytes | None:
    """For the store."""
    message = scope_to(scope)
    return None if message is None else message.SerializeToString(deterministic=True)


def policy_grant(value: bytes, interner: Interner) -> policy.Grant:
    """The row that decisions are taken on, from its serialized form."""
    row = api.Grant.FromString(value)
    return policy.Grant(
        id=row.id,
        deliberation=interner.string(row.deliberation),
        prohibition=row.prohibition,
        institution=interner.string(row.institution),
        institutions=interner.set(row.institutions),
        group_name=interner.string(row.group_name),
        application=interner.string(row.application),
        service=interner.string(row.service),
        service_version=row.service_version,
        elements=interner.set(row.elements),
        purpose=interner.string(row.purpose),
        legal_basis=interner.string(row.legal_basis),
        caller_capacities=interner.set(row.caller_capacities),
        caller_phases=interner.set(map(str, row.caller_phases)),
        source_capacities=interner.set(row.source_capacities),
        source_phases=interner.set(map(str, row.source_phases)),
        data_period=policy.DataPeriod(row.data_days_back or None, row.data_max_days or None),
        ways=interner.ways(way_of(number).lower() for number in row.ways),
        volume_per_day=row.volume_per_day or None,
        blocking=row.blocking,
        valid_from=row.valid_from.ToDatetime(tzinfo=UTC),
        valid_until=_instant(row, "valid_until"),
        recorded_from=row.recorded_from.ToDatetime(tzinfo=UTC),
        recorded_until=_instant(row, "recorded_until"),
        proposed_by=interner.string(row.proposed_by),
        approved_by=interner.string(row.approved_by),
    )


def way_to(way: str) -> api.Way.ValueType:
    """ "ONLINE" as the API's number."""
    return api.Way.Value(f"WAY_{way}")


def way_of(number: int) -> str:
    """The API's number as "ONLINE"; "UNSPECIFIED" for what is none."""
    if number not in api.Way.values():
        return "UNSPECIFIED"
    return api.Way.Name(api.Way.ValueType(number)).removeprefix("WAY_")


def _instant(message: api.Grant, field: str) -> datetime | None:
    if not message.HasField(field):  # type: ignore[arg-type]
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(tzinfo=UTC)


def stamp(at: datetime | None) -> Timestamp | None:
    """An aware instant as the API's; None stays unset."""
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at.astimezone(UTC))
    return stamp
