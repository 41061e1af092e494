"""The decision, specified: a linear walk over all rows, written for reading and not for speed.

It shares with `services.policy` the model alone, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from services.policy.model import (
    Condition,
    Decision,
    Failure,
    Grant,
    Outcome,
    Period,
    Permission,
    Request,
)


def decide(
    request: Request,
    rows: Iterable[Grant],
    valid_at: datetime,
    known_at: datetime,
    version: int = 0,
    digest: bytes = b"",
) -> Decision:
    """What `services.policy.decide.decide` must answer for the table of these rows."""
    known = sorted({g for g in rows if recorded(g, known_at)}, key=lambda g: g.id)
    grants = [
        g
        for g in known
        if not g.prohibition and receives(g, request) and g.service == request.service
    ]
    holding = [g for g in grants if not broken(g, request, valid_at)]
    takers = [g for g in known if g.prohibition and prohibits(g, request, valid_at)]
    told = {e for g in holding for e in asked(g, request)}
    forbidden = {e for e in told for p in takers if e in (p.elements or {e})}
    permissions = [
        permission(g, request, valid_at, forbidden)
        for g in holding
        if asked(g, request) - forbidden
    ]
    granting = {p.grant for p in permissions}
    failed = [miss(g, request, valid_at) for g in grants if g.id not in granting]
    return Decision(
        permitted=bool(permissions),
        reason=Outcome.PERMITTED if permissions else furthest(failed),
        elements=tuple(sorted({e for p in permissions for e in p.elements})),
        permissions=tuple(permissions),
        prohibitions=tuple(p.id for p in takers if told & (p.elements or told)),
        failed=tuple(failed),
        table_version=version,
        table_digest=digest,
        valid_at=valid_at,
        known_at=known_at,
    )


def permission(
    grant: Grant, request: Request, valid_at: datetime, forbidden: set[str]
) -> Permission:
    """What a grant that holds permits, once the prohibitions have taken their part."""
    return Permission(
        grant=grant.id,
        deliberation=grant.deliberation,
        elements=tuple(sorted(asked(grant, request) - forbidden)),
        caller_capacities=tuple(sorted(grant.caller_capacities)),
        caller_phases=tuple(sorted(grant.caller_phases)),
        source_capacities=tuple(sorted(grant.source_capacities)),
        source_phases=tuple(sorted(grant.source_phases)),
        blocking=grant.blocking,
        volume_per_day=grant.volume_per_day,
        period=window(grant, request, valid_at)[0],
    )


def miss(grant: Grant, request: Request, valid_at: datetime) -> Failure:
    """The first condition that a grant fails on; a prohibition takes all of one that holds."""
    return Failure(grant.id, (*broken(grant, request, valid_at), Condition.PROHIBITED)[0])


def furthest(failed: list[Failure]) -> Outcome:
    """The condition that the nearest miss failed on."""
    if not failed:
        return Outcome.NO_GRANT
    order = list(Condition)
    return Outcome(order[max(order.index(f.condition) for f in failed)].value)


def recorded(grant: Grant, known_at: datetime) -> bool:
    return within(grant.recorded_from, known_at, grant.recorded_until)


def receives(row: Grant, request: Request) -> bool:
    if row.institutions:
        return request.institution in row.institutions
    return row.institution in ("", request.institution)


def within(start: datetime, at: datetime, end: datetime | None) -> bool:
    return start <= at and (end is None or at < end)


def asked(grant: Grant, request: Request) -> set[str]:
    return {e for e in grant.elements if not request.elements or e in request.elements}


def broken(grant: Grant, request: Request, valid_at: datetime) -> list[Condition]:
    """The conditions that do not hold, in their order."""
    holds = {
        Condition.APPLICATION: grant.application in ("", request.application),
        Condition.SERVICE_VERSION: grant.service_version in (0, request.service_version),
        Condition.WAY: request.way in grant.ways,
        Condition.PURPOSE: grant.purpose == request.purpose,
        Condition.IN_FORCE: within(grant.valid_from, valid_at, grant.valid_until),
        Condition.DATA_PERIOD: window(grant, request, valid_at)[1],
        Condition.ELEMENTS: bool(asked(grant, request)),
    }
    return [c for c in Condition if not holds.get(c, True)]


def prohibits(row: Grant, request: Request, valid_at: datetime) -> bool:
    return (
        receives(row, request)
        and row.application in ("", request.application)
        and row.service in ("", request.service)
        and row.service_version in (0, request.service_version)
        and row.purpose in ("", request.purpose)
        and request.way in (row.ways or {request.way})
        and within(row.valid_from, valid_at, row.valid_until)
    )


def window(grant: Grant, request: Request, valid_at: datetime) -> tuple[Period | None, bool]:
    """The period that may be told, and whether there is any; day by day where it has an end."""
    limits, period = grant.data_period, request.period
    if limits.days_back is None and limits.max_days is None:
        return period, True
    today = valid_at.astimezone(UTC).date()
    start = date.min if period is None else period.start
    end = None if period is None else period.end
    if limits.days_back is not None:
        start = max(start, today - timedelta(days=limits.days_back))
    if end is None and limits.max_days is None:
        return Period(start), True
    if end is None and limits.max_days is not None:
        end = start + timedelta(days=limits.max_days)
        if start <= today:
            end = today + timedelta(days=1)
    assert end is not None
    if limits.max_days is not None and end - start > timedelta(days=limits.max_days):
        start = end - timedelta(days=limits.max_days)
    return (Period(start, end), True) if start < end else (None, False)
