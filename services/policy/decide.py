"""The decision and its explanation.

Contract: `decide` and `explain` are total and pure: same request, table and instants, same answer.
Default deny: without a grant nothing passes. A prohibition always wins on the elements it names.
A row counts only if it was on record at `known_at`; rows that were not leave no trace in the
answer, so that a decision can be taken again on a table that has learned more since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain, filterfalse
from operator import attrgetter

from services.policy.conditions import (
    broken,
    covered,
    day,
    failures,
    prohibits,
)
from services.policy.index import GrantTable, Row, known
from services.policy.model import (
    NOBODY,
    Condition,
    Decision,
    Explanation,
    Failure,
    Near,
    Outcome,
    Period,
    Permission,
    Request,
)

NEAR_LIMIT = 16
"""How many grants for other services an explanation tells."""

_RANK = {condition: rank for rank, condition in enumerate(Condition)}
_OUTCOMES: Mapping[Condition, Outcome] = {
    c: Outcome(c.value) for c in Condition if c is not Condition.SERVICE
}
_by_id = attrgetter("id")
_by_grant = attrgetter("grant")


def decide(
    request: Request, grants: GrantTable, valid_at: datetime, known_at: datetime
) -> Decision:
    """Decide which data elements may pass.

    `valid_at` is the instant in the world for which the grants must be in force, `known_at` the
    instant at which they must have been on record; both aware.
    """
    giving, taking = _candidates(request, grants)
    today = day(valid_at)
    passing: list[tuple[Row, Period | None]] = []
    failed: list[Failure] = []
    for row in known(giving, known_at):
        condition, period = _judge(row, request, valid_at, today)
        if condition is None:
            passing.append((row, period))
        else:
            failed.append(Failure(row.id, condition))
    prohibitions: tuple[str, ...] = ()
    forbidden = NOBODY
    if passing and taking:
        takers = known(taking, known_at)
        prohibitions, forbidden = _prohibited(passing, takers, request, valid_at)
    permissions: list[Permission] = []
    for row, period in passing:
        permission = _permission(row, period, request.elements, forbidden)
        if permission is None:
            failed.append(Failure(row.id, Condition.PROHIBITED))
        else:
            permissions.append(permission)
    if len(failed) > 1:
        failed.sort(key=_by_grant)
    return Decision(
        permitted=bool(permissions),
        reason=_outcome(permissions, failed),
        elements=_union(permissions),
        permissions=tuple(permissions),
        prohibitions=prohibitions,
        failed=tuple(failed),
        table_version=grants.version,
        table_digest=grants.digest,
        valid_at=valid_at,
        known_at=known_at,
    )


def explain(
    request: Request, grants: GrantTable, valid_at: datetime, known_at: datetime
) -> Explanation:
    """The same decision, and every condition that each grant that came near does not meet."""
    decision = decide(request, grants, valid_at, known_at)
    prohibited = {f.grant for f in decision.failed if f.condition is Condition.PROHIBITED}
    today = day(valid_at)
    near = [
        Near(
            row.id,
            row.grant.deliberation,
            (Condition.PROHIBITED,)
            if row.id in prohibited
            else tuple(failures(row.grant, request, valid_at, today)),
        )
        for row in known(_candidates(request, grants)[0], known_at)
    ]
    others: list[Row] = []
    for services in grants.services(request.institution):
        for service, bucket in services.items():
            if service != request.service:
                others += bucket.giving
    others = known(others, known_at)
    others.sort(key=_by_id)
    near += [
        Near(
            row.id,
            row.grant.deliberation,
            (Condition.SERVICE, *failures(row.grant, request, valid_at, today)),
        )
        for row in others[:NEAR_LIMIT]
    ]
    near.sort(key=_by_grant)
    return Explanation(decision, tuple(near), max(0, len(others) - NEAR_LIMIT))


def _candidates(request: Request, grants: GrantTable) -> tuple[Sequence[Row], Sequence[Row]]:
    """The grants and prohibitions for this recipient and service, each in order of id."""
    giving: list[Row] = []
    taking: list[Row] = []
    for services in grants.services(request.institution):
        for service in (request.service, "") if request.service else ("",):
            bucket = services.get(service)
            if bucket is not None:
                giving = _merge(giving, bucket.giving)
                taking = _merge(taking, bucket.taking)
    return giving, taking


def _merge(some: list[Row], more: list[Row]) -> list[Row]:
    """The rows of both in order of id; the lists stay as they are."""
    if some and more:
        return sorted(some + more, key=_by_id)
    return some or more


def _judge(
    row: Row, request: Request, valid_at: datetime, today: int
) -> tuple[Condition | None, Period | None]:
    """The first of `failures` of a grant, and the period that it covers; the hottest path."""
    condition = broken(row.grant, request, valid_at)
    if condition is not None:
        return condition, None
    period = request.period
    if row.limited:
        period = covered(row.grant.data_period, period, today)
        if period is None:
            return Condition.DATA_PERIOD, None
    if request.elements and row.grant.elements.isdisjoint(request.elements):
        return Condition.ELEMENTS, None
    return None, period


def _prohibited(
    passing: Sequence[tuple[Row, Period | None]],
    taking: Sequence[Row],
    request: Request,
    valid_at: datetime,
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The prohibitions that take something away from what would pass, and all that they forbid."""
    wanted = passing[0][0].grant.elements
    if len(passing) > 1:
        wanted = wanted.union(*[r.grant.elements for r, _ in passing])
    if request.elements:
        wanted &= request.elements
    applied: list[str] = []
    forbidden = NOBODY
    for row in taking:
        if prohibits(row.grant, request, valid_at):
            named = row.grant.elements & wanted if row.grant.elements else wanted
            if named:
                applied.append(row.id)
                forbidden |= named
    return tuple(applied), forbidden


def _permission(
    row: Row, period: Period | None, asked: frozenset[str], forbidden: frozenset[str]
) -> Permission | None:
    """What this grant lets pass of what is asked, None if all of it is forbidden."""
    whole = row.whole
    elements = whole.elements
    if asked:
        elements = tuple(filter(asked.__contains__, elements))
    if forbidden and not forbidden.isdisjoint(elements):
        elements = tuple(filterfalse(forbidden.__contains__, elements))
        if not elements:
            return None
    return Permission(
        whole.grant,
        whole.deliberation,
        elements,
        whole.caller_capacities,
        whole.caller_phases,
        whole.source_capacities,
        whole.source_phases,
        whole.blocking,
        whole.volume_per_day,
        period,
    )


def _union(permissions: Sequence[Permission]) -> tuple[str, ...]:
    """All the elements, sorted."""
    if len(permissions) == 1:
        return permissions[0].elements
    return tuple(sorted(set(chain.from_iterable(p.elements for p in permissions))))


def _outcome(permissions: Sequence[Permission], failed: Sequence[Failure]) -> Outcome:
    """Permitted, or the condition that stopped the grant that came furthest."""
    if permissions:
        return Outcome.PERMITTED
    if not failed:
        return Outcome.NO_GRANT
    return _OUTCOMES[max((f.condition for f in failed), key=_RANK.__getitem__)]
