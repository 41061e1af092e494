"""Which rows fit a question, before its elements and its period are looked at.

Contract: `sort` is pure to its caller. The table remembers what it answered, because exchanges ask
the same kind of question (institution, application, service, version, purpose, way) over and over;
an answer holds between two instants at which a row begins or ends. The memory is bounded: who
invents new questions makes the next ones slower, never the process larger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter

from services.policy.conditions import broken, prohibits
from services.policy.index import GrantTable
from services.policy.model import Condition, Failure, Grant, Outcome, Request
from services.policy.rows import Fitting, Sorting, known

_RANK = {condition: rank for rank, condition in enumerate(Condition)}
"""How far a grant came that failed on this condition."""

_OUTCOMES: Mapping[Condition, Outcome] = {
    c: Outcome(c.value) for c in Condition if c is not Condition.SERVICE
}
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
    last = max((f.condition for f in failed), key=_RANK.__getitem__, default=None)
    return Outcome.NO_GRANT if last is None else _OUTCOMES[last]


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
        *_between(known_at, [r.recorded_from for r in rows], [r.recorded_until for r in rows]),
        *_between(valid_at, [r.valid_from for r in rows], [r.valid_until for r in rows]),
    )


def _between(
    at: datetime, starts: Iterable[datetime], ends: Iterable[datetime | None]
) -> tuple[datetime, datetime]:
    """The stretch around an instant in which no row begins or ends."""
    first, last = _FIRST, _LAST
    for each in (*starts, *ends):
        if each is None:
            continue
        if each > at:
            last = min(last, each)
        else:
            first = max(first, each)
    return first, last


def _merge(some: list[Grant], more: list[Grant]) -> list[Grant]:
    """The rows of both in order of id; the lists stay as they are."""
    if some and more:
        return sorted(some + more, key=_by_id)
    return some or more
