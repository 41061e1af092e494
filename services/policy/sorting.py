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
from services.policy.model import Condition, Failure, Grant, Outcome, Request, made
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
    wanted = (request.service, "") if request.service else ("",)
    for services in grants.services(request.institution):
        for service in wanted:
            if service in services:
                bucket = services[service]
                giving = _merge(giving, bucket.giving) if giving else bucket.giving
                taking = _merge(taking, bucket.taking) if taking else bucket.taking
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
            failed.append(made(Failure, (grant.id, condition)))
    rows = [*giving, *taking] if taking else giving
    return Sorting(
        tuple(fit),
        tuple(failed),
        furthest(failed),
        tuple([row for row in known(taking, known_at) if prohibits(row, request, valid_at)]),
        *_between(known_at, [(row.recorded_from, row.recorded_until) for row in rows]),
        *_between(valid_at, [(row.valid_from, row.valid_until) for row in rows]),
    )


def _between(
    at: datetime, periods: Iterable[tuple[datetime, datetime | None]]
) -> tuple[datetime, datetime]:
    """The stretch around an instant in which none of these begins or ends, from the last that does
    before it. What has yet to begin ends later, or never holds."""
    earlier, later = [_FIRST], [_LAST]
    for start, end in periods:
        if start > at:
            later.append(start)
            continue
        earlier.append(start)
        if end is not None:
            (later if end > at else earlier).append(end)
    return max(earlier), min(later)


def _merge(some: list[Grant], more: list[Grant]) -> list[Grant]:
    """The rows of both in order of id; the lists stay as they are."""
    if some and more:
        return sorted(some + more, key=_by_id)
    return some or more
