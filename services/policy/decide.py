"""The decision and its explanation.

Contract: `decide` and `explain` are total and pure: same request, table and instants, same answer.
Default deny: without a grant nothing passes. A prohibition always wins on the elements it names.
A row counts only if it was on record at `known_at`; rows that were not leave no trace in the
answer, so that a decision can be taken again on a table that has learned more since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter

from services.policy.conditions import (
    DATA_PERIOD,
    ELEMENTS,
    PROHIBITED,
    SERVICE,
    covered,
    day,
    failures,
)
from services.policy.index import GrantTable
from services.policy.model import (
    NOBODY,
    Decision,
    Explanation,
    Failure,
    Grant,
    Near,
    Outcome,
    Period,
    Permission,
    Request,
    made,
)
from services.policy.rows import Fitting, known
from services.policy.sorting import furthest, sort

NEAR_LIMIT = 32
"""How many grants for other services an explanation tells."""

PERMITTED = Outcome.PERMITTED

_by_grant = attrgetter("grant")
_Passing = tuple[Permission, tuple[str, ...], Period | None]
"""All that a grant that holds can permit, which elements of what is asked, for which period."""


def decide(
    request: Request, grants: GrantTable, valid_at: datetime, known_at: datetime
) -> Decision:
    """Decide which data elements may pass.

    `valid_at` is the instant in the world for which the grants must be in force, `known_at` the
    instant at which they must have been on record; both aware.
    """
    sorting = sort(request, grants, valid_at, known_at)
    passing, missed = _judge(sorting.fit, request, valid_at)
    prohibitions: tuple[str, ...] = ()
    forbidden = NOBODY
    if sorting.taking:
        prohibitions, forbidden = _prohibited(passing, sorting.taking)
    permissions: list[Permission] = []
    for whole, elements, period in passing:
        left = elements
        if forbidden:
            left = tuple([e for e in elements if e not in forbidden])
            if not left:
                missed.append(Failure(whole.grant, PROHIBITED))
                continue
        permissions.append(_permission(whole, left, period))
    # What is missed came further than anything that was sorted out before.
    reason, failed = sorting.reason, sorting.failed
    if missed:
        reason = furthest(missed)
        failed = tuple(sorted([*failed, *missed], key=_by_grant))
    return Decision(
        bool(permissions),
        PERMITTED if permissions else reason,
        _union(permissions),
        tuple(permissions),
        prohibitions,
        failed,
        grants.version,
        grants.digest,
        valid_at,
        known_at,
    )


def explain(
    request: Request, grants: GrantTable, valid_at: datetime, known_at: datetime
) -> Explanation:
    """The same decision, and every condition that each grant that came near does not meet."""
    decision = decide(request, grants, valid_at, known_at)
    prohibited = {f.grant for f in decision.failed if f.condition is PROHIBITED}
    today = day(valid_at)
    service = request.service
    near: list[Near] = []
    others = 0
    for grant in known(grants.giving(request.institution), known_at):
        if grant.service == service:
            failed = failures(grant, request, valid_at, today)
            if grant.id in prohibited:
                failed = [PROHIBITED]
            near.append(Near(grant.id, grant.deliberation, tuple(failed)))
        else:
            others += 1
            if others <= NEAR_LIMIT:
                failed = failures(grant, request, valid_at, today)
                near.append(Near(grant.id, grant.deliberation, (SERVICE, *failed)))
    return Explanation(decision, tuple(near), max(0, others - NEAR_LIMIT))


def _judge(
    fit: Sequence[Fitting], request: Request, valid_at: datetime
) -> tuple[list[_Passing], list[Failure]]:
    """What the grants that fit give of what is asked, and what those that give none of it fail."""
    asked = request.elements
    passing: list[_Passing] = []
    missed: list[Failure] = []
    for whole, limits in fit:
        period = request.period
        if limits is not None:
            period = covered(limits, period, day(valid_at))
            if period is None:
                missed.append(Failure(whole.grant, DATA_PERIOD))
                continue
        elements = whole.elements
        if asked:
            elements = tuple([e for e in elements if e in asked])
            if not elements:
                missed.append(Failure(whole.grant, ELEMENTS))
                continue
        passing.append((whole, elements, period))
    return passing, missed


def _prohibited(
    passing: Sequence[_Passing], taking: Sequence[Grant]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The prohibitions that take something away from what would pass, and all that they forbid."""
    wanted = frozenset(chain.from_iterable(elements for _, elements, _ in passing))
    applied: list[str] = []
    forbidden = NOBODY
    for row in taking:
        named = row.elements & wanted if row.elements else wanted
        if named:
            applied.append(row.id)
            forbidden |= named
    return tuple(applied), forbidden


def _permission(whole: Permission, elements: tuple[str, ...], period: Period | None) -> Permission:
    """What a grant lets pass: all that it could, or these elements for this period."""
    if period is None and elements is whole.elements:
        return whole
    terms = (
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
    return made(Permission, terms)


def _union(permissions: Sequence[Permission]) -> tuple[str, ...]:
    """All the elements, sorted."""
    if len(permissions) == 1:
        return permissions[0].elements
    return tuple(sorted(set(chain.from_iterable(p.elements for p in permissions))))
