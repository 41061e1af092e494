"""Between the API's messages and decisions: questions, answers, explanations, rows.

Contract: a question that is malformed is INVALID_ARGUMENT and names its field.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import decision_service_pb2 as decisions
from services.authorization.access import Access
from services.authorization.decisions import Instants
from services.authorization.wire import stamp, way_of, way_to
from services.policy import model as policy
from services.runtime.errors import invalid


def request_from(message: api.CheckRequest, application: str, field: str = "") -> policy.Request:
    """The question of a check; `application` where the message names none; `field` its path."""
    return policy.Request(
        institution=message.institution,
        application=message.application or application,
        service=message.service,
        service_version=message.service_version,
        purpose=message.purpose,
        way=policy.Way(way_of(message.way).lower()),
        elements=frozenset(message.elements),
        period=_period(message, field),
    )


def instants_from(message: object) -> Instants:
    """`valid_at` and `known_at` of a question; unset is None."""
    return Instants(_given(message, "valid_at"), _given(message, "known_at"))


def check_to(decision: policy.Decision) -> api.CheckResponse:
    """The answer of a check."""
    return api.CheckResponse(
        permitted=decision.permitted,
        elements=decision.elements,
        deliberations=list(dict.fromkeys(p.deliberation for p in decision.permissions)),
        table_version=decision.table_version,
        table_digest=decision.table_digest,
        reason=decision.reason.value,
    )


def decision_to(decision: policy.Decision) -> decisions.Decision:
    """A decision in full."""
    return decisions.Decision(
        permitted=decision.permitted,
        reason=decision.reason.value,
        elements=decision.elements,
        permissions=[_permission_to(each) for each in decision.permissions],
        prohibitions=decision.prohibitions,
        failed=[
            decisions.NearGrant(
                grant_id=each.grant,
                deliberation=each.grant.partition("#")[0],
                conditions=[each.condition.value],
            )
            for each in decision.failed
        ],
        table_version=decision.table_version,
        table_digest=decision.table_digest,
        valid_at=stamp(decision.valid_at),
        known_at=stamp(decision.known_at),
    )


def explanation_to(explanation: policy.Explanation) -> decisions.ExplainResponse:
    """A decision with what came near it."""
    return decisions.ExplainResponse(
        decision=decision_to(explanation.decision),
        near=[
            decisions.NearGrant(
                grant_id=each.grant,
                deliberation=each.deliberation,
                conditions=[condition.value for condition in each.failed],
            )
            for each in explanation.near
        ],
        omitted=explanation.omitted,
    )


def access_to(rows: Iterable[Access]) -> list[decisions.Access]:
    """A page of who may, or of what may."""
    return [
        decisions.Access(grant=_grant_to(row.grant), prohibitions=row.prohibitions) for row in rows
    ]


def _permission_to(permission: policy.Permission) -> decisions.Permission:
    period = permission.period
    return decisions.Permission(
        grant_id=permission.grant,
        deliberation=permission.deliberation,
        elements=permission.elements,
        data_from=period.start.isoformat() if period else "",
        data_until=period.end.isoformat() if period and period.end else "",
    )


def _grant_to(grant: policy.Grant) -> api.Grant:
    """A row of the table as it is published."""
    return api.Grant(
        id=grant.id,
        deliberation=grant.deliberation,
        prohibition=grant.prohibition,
        institution=grant.institution,
        institutions=sorted(grant.institutions),
        group_name=grant.group_name,
        application=grant.application,
        service=grant.service,
        service_version=grant.service_version,
        elements=sorted(grant.elements),
        purpose=grant.purpose,
        legal_basis=grant.legal_basis,
        caller_capacities=sorted(grant.caller_capacities),
        caller_phases=sorted(map(int, grant.caller_phases)),
        source_capacities=sorted(grant.source_capacities),
        source_phases=sorted(map(int, grant.source_phases)),
        data_days_back=grant.data_period.days_back or 0,
        data_max_days=grant.data_period.max_days or 0,
        ways=sorted(way_to(way.name) for way in grant.ways),
        volume_per_day=grant.volume_per_day or 0,
        blocking=grant.blocking,
        valid_from=stamp(grant.valid_from),
        valid_until=stamp(grant.valid_until),
        recorded_from=stamp(grant.recorded_from),
        recorded_until=stamp(grant.recorded_until),
        proposed_by=grant.proposed_by,
        approved_by=grant.approved_by,
    )


def _period(message: api.CheckRequest, field: str) -> policy.Period | None:
    if not message.data_from:
        if message.data_until:
            raise invalid(f"{field}data_until", "needs data_from: say where the period begins")
        return None
    try:
        start = date.fromisoformat(message.data_from)
        end = date.fromisoformat(message.data_until) if message.data_until else None
        return policy.Period(start, end)
    except ValueError:
        raise invalid(
            f"{field}data_from", "and data_until are dates YYYY-MM-DD, the end after the start"
        ) from None


def _given(message: object, field: str) -> datetime | None:
    if not message.HasField(field):  # type: ignore[attr-defined] # any of the questions
        return None
    value: Timestamp = getattr(message, field)
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid(field, "is no instant between the years 1 and 9999") from None
