"""Authorization's store in memory.

Contract: as services.authorization.store, but for durability: one transaction at a time, undone
when its block raises.
"""

import copy
import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.authorization.dossiers import Wanted
from services.authorization.lifecycle import Dossier
from services.authorization.model import Deliberation, PublishedGrant, State, gaining
from services.authorization.publishing import Alteration


@dataclass
class _Row:
    published: PublishedGrant
    version: int
    suspended: bool = False


@dataclass
class _State:
    deliberations: dict[str, Deliberation] = field(default_factory=dict)
    past: dict[tuple[str, int], Deliberation] = field(default_factory=dict)
    rows: dict[str, _Row] = field(default_factory=dict)
    dossiers: dict[UUID, Dossier] = field(default_factory=dict)
    lifting: dict[str, str] = field(default_factory=dict)
    version: int = 0
    recorded: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryAuthorizationStore:
    """Store and transaction in one."""

    def __init__(self) -> None:
        self._state = _State()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator["MemoryTransaction"]:
        before = copy.deepcopy(self._state)
        try:
            yield MemoryTransaction(self._state)
        except BaseException:
            self._state = before
            raise

    @property
    def table(self) -> Mapping[str, PublishedGrant]:
        """What is published, by id."""
        return {key: row.published for key, row in self._state.rows.items() if _published(row)}

    async def deliberation(
        self, number: str, version: int, after: int, limit: int
    ) -> Deliberation | None:
        state = self._state
        found = state.deliberations.get(number)
        if found is not None and version not in (0, found.version):
            found = state.past.get((number, version))
        elif found is not None:
            found = _ending(state, found)
        if found is None:
            return None
        rows = [
            row.published.grant
            for key, row in _ordered(state, number)
            if _ordinal(key) > after and version in (0, row.version)
        ]
        return dataclasses.replace(found, grants=tuple(rows[:limit]))

    async def published(self, before: tuple[str, str], limit: int) -> list[Deliberation]:
        at, number = before
        found = [
            dataclasses.replace(_ending(self._state, each), grants=())
            for each in self._state.deliberations.values()
            if each.published_at is not None
            and (at == "infinity" or (each.published_at.isoformat(), each.number) < (at, number))
        ]
        found.sort(key=lambda each: (each.published_at, each.number), reverse=True)
        return found[:limit]

    async def dossier(self, dossier: UUID) -> Dossier | None:
        return self._state.dossiers.get(dossier)

    async def dossiers(self, wanted: Wanted) -> list[Dossier]:
        at, last = wanted.before
        found = [
            dataclasses.replace(each, acts=each.acts[:1])
            for each in self._state.dossiers.values()
            if wanted.institution in (None, each.institution) and wanted.stage in (None, each.stage)
        ]
        found.sort(key=lambda each: (each.acts[0].at, each.id), reverse=True)
        if at != "infinity":
            place = (datetime.fromisoformat(at), last)
            found = [each for each in found if (each.acts[0].at, each.id) < place]
        return found[: wanted.limit]


class MemoryTransaction:
    """What `exclusive` gives."""

    def __init__(self, state: _State) -> None:
        self._state = state

    async def deliberation(self, number: str) -> Deliberation | None:
        found = self._state.deliberations.get(number)
        if found is None:
            return None
        rows = tuple(row.published.grant for _, row in _ordered(self._state, number))
        return dataclasses.replace(_ending(self._state, found), grants=rows)

    async def submit(self, deliberation: Deliberation) -> None:
        self._state.deliberations[deliberation.number] = dataclasses.replace(
            deliberation, grants=(), state=State.SUBMITTED, published_by="", published_at=None
        )
        for grant in deliberation.grants:
            row = PublishedGrant(grant, deliberation.number, deliberation.submitted_by, "")
            self._state.rows[grant.id] = _Row(row, deliberation.version)

    async def publish(self, deliberation: Deliberation, at: datetime, log_index: int) -> int:
        recorded = self._next(at)
        self._state.deliberations[deliberation.number] = dataclasses.replace(
            self._state.deliberations[deliberation.number],
            published_by=deliberation.published_by,
            published_at=recorded,
            state=State.PUBLISHED,
        )
        for _, row in _ordered(self._state, deliberation.number):
            row.published = dataclasses.replace(
                row.published,
                grant=dataclasses.replace(row.published.grant, recorded_from=recorded),
                approved_by=deliberation.published_by,
            )
        return self._state.version

    async def grant(self, grant_id: str) -> PublishedGrant | None:
        row = self._state.rows.get(grant_id)
        return row.published if row is not None and _published(row) else None

    async def end(
        self, grant: PublishedGrant, person: str, reason: str, at: datetime, log_index: int
    ) -> int:
        self._end(self._state.rows[grant.grant.id], self._next(at), suspended=False)
        return self._state.version

    async def live(self, number: str) -> list[PublishedGrant]:
        rows = [row for _, row in _ordered(self._state, number) if _published(row)]
        return [row.published for row in rows if row.published.grant.recorded_until is None]

    async def suspended(self, number: str) -> list[PublishedGrant]:
        return [row.published for _, row in _ordered(self._state, number) if row.suspended]

    async def unsuspend(self, grant_id: str) -> int:
        self._state.rows[grant_id].suspended = False
        return self._state.version

    async def last_row(self, number: str) -> int:
        return max((_ordinal(key) for key, _ in _ordered(self._state, number)), default=0)

    async def dossier(self, dossier: UUID) -> Dossier | None:
        return self._state.dossiers.get(dossier)

    async def keep(self, dossier: Dossier) -> None:
        self._state.dossiers[dossier.id] = dossier

    async def next_number(self, year: int) -> str:
        prefix = f"{year % 100:02d}/"
        taken = [each for each in self._state.deliberations if each.startswith(prefix)]
        numbers = [int(each[3:]) for each in taken if each[3:].isdecimal()]
        return f"{prefix}{max(numbers, default=0) + 1:03d}"

    async def holders(self) -> frozenset[str]:
        held = [
            row.published.grant
            for row in self._state.rows.values()
            if _published(row)
            and not row.published.grant.prohibition
            and (row.suspended or row.published.grant.recorded_until is None)
        ]
        return gaining(held)

    async def amend(self, deliberation: Deliberation, at: datetime, log_index: int) -> None:
        number = deliberation.number
        old = self._state.deliberations[number]
        self._state.past[number, old.version] = old
        published = max(at, self._state.recorded + timedelta(microseconds=1))
        self._state.deliberations[number] = dataclasses.replace(
            deliberation, grants=(), published_at=published, state=old.state
        )

    async def propose_lift(self, number: str, person: str) -> None:
        self._state.lifting[number] = person

    async def lift_proposed_by(self, number: str) -> str:
        return self._state.lifting.get(number, "")

    async def alter(self, alteration: Alteration, at: datetime, log_index: int) -> int:
        number, state = alteration.number, alteration.state
        ending = [row for row in await self.live(number) if row.grant.id in alteration.ending]
        if ending or alteration.opening:
            recorded = self._next(at)
        for _, row in _ordered(self._state, number):
            row.suspended = row.suspended and state is State.SUSPENDED
        for each in ending:
            self._end(self._state.rows[each.grant.id], recorded, suspended=state is State.SUSPENDED)
        for opened in alteration.opening:
            grant = dataclasses.replace(opened.grant.grant, recorded_from=recorded)
            published = dataclasses.replace(opened.grant, grant=grant)
            self._state.rows[grant.id] = _Row(published, opened.version)
        found = self._state.deliberations[number]
        self._state.deliberations[number] = dataclasses.replace(found, state=state)
        self._state.lifting.pop(number, None)
        return self._state.version

    def _next(self, at: datetime) -> datetime:
        self._state.version += 1
        self._state.recorded = max(at, self._state.recorded + timedelta(microseconds=1))
        return self._state.recorded

    def _end(self, row: _Row, recorded: datetime, *, suspended: bool) -> None:
        grant = dataclasses.replace(row.published.grant, recorded_until=recorded)
        row.published = dataclasses.replace(row.published, grant=grant)
        row.suspended = suspended


def _ending(state: _State, one: Deliberation) -> Deliberation:
    """With the end of the last row that was not taken back."""
    ends = [
        row.published.grant.valid_until
        for _, row in _ordered(state, one.number)
        if _published(row) and (row.suspended or row.published.grant.recorded_until is None)
    ]
    dated = [end for end in ends if end is not None]
    last = max(dated) if dated and len(dated) == len(ends) else None
    return dataclasses.replace(one, ends_at=last)


def _published(row: _Row) -> bool:
    return row.published.grant.recorded_from is not None


def _ordinal(grant_id: str) -> int:
    return int(grant_id.rpartition("#")[2])


def _ordered(state: _State, number: str) -> list[tuple[str, _Row]]:
    rows = [(key, row) for key, row in state.rows.items() if row.published.deliberation == number]
    return sorted(rows, key=lambda each: _ordinal(each[0]))
