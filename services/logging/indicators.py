"""How many exchanges ended how, by day and service: counted behind the log, given to everybody.

Contract: an entry is counted when its terms are indexed, in the same transaction, and so once. Only
days that are over and wholly indexed are given. A count below `FEWEST` is not: a number of a few
exchanges could tell of a person who knows one of them. Nor is any total given, from which such a
count could be worked out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Protocol

from services.logging.evidence_model import SETTLED, Record
from services.logging.model import instant, microseconds
from services.proof.record import Kind
from services.runtime.clock import Clock

FEWEST = 10
DAYS_AT_ONCE = 31
SERVICE = re.compile(r"[a-z][a-z0-9_]{1,62}", re.ASCII)
"""The id of a service, as registry takes it: what is shown to everybody can be nothing else."""

OUTCOMES: Mapping[Kind, str] = {
    Kind.RELEASE: "released",
    Kind.REFUSAL: "refused",
    Kind.ABANDONED: "abandoned",
}


class Counted(NamedTuple):
    """What is counted: a day (UTC), a service of the catalogue, how its exchanges ended."""

    day: date
    service: str
    outcome: str


class Indicator(NamedTuple):
    """A count as it may be shown; `exchanges` is 0 where there are fewer than `FEWEST`."""

    counted: Counted
    exchanges: int


class IndicatorTables(Protocol):
    """What was counted, and how far."""

    async def counts(self, since: date, before: date) -> list[tuple[Counted, int]]: ...
    async def first_from(self, time: int) -> int: ...
    async def term_index_size(self) -> int: ...


def tally(records: Iterable[Record]) -> Counter[Counted]:
    """How many of these entries end an exchange, by day, service and outcome."""
    found: Counter[Counted] = Counter()
    for each in records:
        outcome = OUTCOMES.get(each.row.kind)
        service = each.party.get("service")
        if outcome and service and SERVICE.fullmatch(service):
            found[Counted(instant(each.row.recorded_at).date(), service, outcome)] += 1
    return found


class Indicators:
    """Gives the counts that may be shown."""

    def __init__(self, *, store: IndicatorTables, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def since(self, day: date) -> tuple[list[Indicator], date | None]:
        """Those of at most a month from `day` on, and the day to go on with; None at the end."""
        over = await self._over(day)
        until = min(over, day + timedelta(days=DAYS_AT_ONCE))
        if until <= day:
            return [], None
        found = [
            Indicator(counted, exchanges if exchanges >= FEWEST else 0)
            for counted, exchanges in await self._store.counts(day, until)
        ]
        return found, until if until < over else None

    async def _over(self, day: date) -> date:
        """The first day that is not over or not wholly indexed; `day` when that is none before."""
        last = (self._clock.now() - SETTLED).date()
        indexed = await self._store.term_index_size()
        while last > day:
            midnight = datetime.combine(last, time(), UTC)
            if await self._store.first_from(microseconds(midnight)) <= indexed:
                return last
            last -= timedelta(days=1)
        return day
