"""Which rows fit a question, before its elements and its period are looked at.

Contract: `sort` is pure to its caller. The table remembers what it answered, because exchanges ask
the same kind of question (institution, application, service, version, purpose, way) over and over;
an answer holds between two instants at which a row begins or ends. The memory is bounded: who
invents new questions makes the next ones slower, never the process larger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter

from services.policy.conditions import SERVICE, broken, prohibits
from services.policy.index import GrantTable
from services.policy.model import Condition, Failure, Grant, Outcome, Request
from services.policy.rows import Fitting, Sorting, known

_RANK = {condition: rank for rank, condition in enumerate(Condition)}
"""How far a grant came that failed on this condition."""

_OUTCOMES = (Outcome.NO_GRANT, *(Outcome(each.value) for each in Condition if each is not SERVICE))
"""What to say of the grant that came furthest, by its rank; no decision looks at other services."""

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_by_id = attrgetter("id")


def sort(request: Request, grants: GrantTable, valid_at: datetime, known_at: datetime) -> Sorting:
    """The rows for this recipient and service, sorted by what they say to this request."""
    kind = (
        request.institution,
        request.service,
        request.application,
        request.service_version,
        request.purpose,
        request.way,
    )
    found = grants.sortings.get(kind)
    if (
        found is not None
        and found.known_from <= known_at < found.known_until
        and found.valid_from <= valid_at < found.valid_until
    ):
        return found
    made = _sorted(request, grants, valid_at, known_at)
    grants.sortings.keep(kind, made)
    return made


def candidates(request: Request, grants: GrantTable) -> tuple[Sequence[Grant], Sequence[Grant]]:
    """The grants and prohibitions for this recipient and service, each in order of id."""
    giving: list[Grant] = []
    taking: list[Grant] = []
    for services in grants.services(request.institution):
        for service in (request.service, "") if request.service else ("",):
            bucket = services.get(service)
            if bucket is not None:
                giving = _merge(giving, bucket.giving)
                taking = _merge(taking, bucket.taking)
    return giving, taking


def furthest(failed: Iterable[Failure]) -> Outcome:
    """The condition that stopped the grant that came furthest; NO_GRANT if there is none."""
    rank = max([_RANK[f.condition] for f in failed], default=0)
    return _OUTCOMES[rank]


def _sorted(
    request: Request, grants: GrantTable, valid_at: datetime, known_at: datetime
) -> Sorting:
    giving, taking = candidates(request, grants)
    fit: list[Fitting] = []
    failed: list[Failure] = []
    for grant in known(giving, known_at):
        condition = broken(grant, request, valid_at)
        if condition is None:
            fit.append(Fitting.of(grant))
        else:
            failed.append(Failure(grant.id, condition))
    rows = [*giving, *taking]
    return Sorting(
        tuple(fit),
        tuple(failed),
        furthest(failed),
        tuple([row for row in known(taking, known_at) if prohibits(row, request, valid_at)]),
        *_between(known_at, [i for r in rows for i in (r.recorded_from, r.recorded_until)]),
        *_between(valid_at, [i for r in rows for i in (r.valid_from, r.valid_until)]),
    )


def _between(at: datetime, instants: Iterable[datetime | None]) -> tuple[datetime, datetime]:
    """The stretch around an instant in which none of these lies, from the last before it."""
    first, last = _FIRST, _LAST
    for each in instants:
        if each is None:
            continue
        if each > at:
            last = min(last, each)
        elif each > first:
            first = each
    return first, last


def _merge(some: list[Grant], more: list[Grant]) -> list[Grant]:
    """The rows of both in order of id; the lists stay as they are."""
    if some and more:
        return sorted(some + more, key=_by_id)
    return some or more
