"""What happens once a minute: early refusals go to the log, old answers are forgotten.

Contract: each minute's counts of an institution are one entry of kind COUNT; counts that the log
does not take are kept and go out with later ones. `flush` logs all that is left, at the end.

party    first_minute, institution, kind, last_minute, reasons (minutes since 1970-01-01T00:00Z)
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.proof.record import Kind, canonical_json
from services.routing.answers import Answers
from services.routing.early import Count, EarlyRefusals
from services.routing.model import Logged, count_id
from services.routing.records import Entry
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError
from services.runtime.ids import Ids

MINUTE = 60.0
LOG_SECONDS = 10.0


class Log(Protocol):
    """The log."""

    async def append_all(self, entries: Sequence[Entry], deadline: float) -> list[Logged]:
        """Return when all are durable. Raises LOG_UNAVAILABLE, OVERLOADED."""
        ...


class Reports:
    """Run `run()` as a supervised task."""

    def __init__(
        self, *, early: EarlyRefusals, answers: Answers, log: Log, clock: Clock, ids: Ids
    ) -> None:
        self._early = early
        self._answers = answers
        self._log = log
        self._clock = clock
        # Two processes may count the same institution in the same minute.
        self._process = ids.token(16)

    async def run(self) -> None:
        """A report after each minute, for ever."""
        while True:
            into = self._clock.now().timestamp() % MINUTE
            await asyncio.sleep(MINUTE - into)
            self._answers.expire()
            await self.flush(everything=False)

    async def flush(self, *, everything: bool = True) -> None:
        """Log the counts of minutes that are over, or all."""
        counts = self._early.take(everything=everything)
        if not counts:
            return
        entries = [self._entry(each) for each in counts]
        try:
            await self._log.append_all(entries, self._clock.monotonic() + LOG_SECONDS)
        except CrossroadsError:
            # Some may be in the log all the same: counted twice rather than not at all.
            self._early.restore(counts)

    def _entry(self, count: Count) -> Entry:
        party = {
            "first_minute": count.first_minute,
            "institution": count.institution,
            "kind": "count",
            "last_minute": count.last_minute,
            "reasons": dict(count.reasons),
        }
        return Entry(
            count_id(self._process, count.institution, count.last_minute),
            Kind.COUNT,
            1,
            canonical_json(party),
            b"{}",
            b"{}",
        )
