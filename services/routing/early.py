"""Refusals before the decision: counted for each institution and minute, and rate-limited. No I/O.

Contract: `refuse` counts one and gives the error to raise: the one it was given, or OVERLOADED once
an institution has used up its allowance. `take` hands over the counts of minutes that are over;
counts that could not be logged come back with `restore` and go out as one for all their minutes, so
that memory is bounded by the number of institutions.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason

PER_SECOND = 20.0
BURST = 200.0


class Count(NamedTuple):
    """What was refused to one institution, from the first minute to the last (since the epoch)."""

    institution: str
    first_minute: int
    last_minute: int
    reasons: Mapping[str, int]


class EarlyRefusals:
    """Counts and allowances by institution."""

    def __init__(
        self, *, clock: Clock, per_second: float = PER_SECOND, burst: float = BURST
    ) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._allowances: dict[str, tuple[float, float]] = {}
        self._counts: dict[tuple[str, int], Counter[str]] = {}
        self._restored: dict[str, Count] = {}

    def refuse(self, institution: str, error: CrossroadsError) -> CrossroadsError:
        """Count this refusal; give what to raise."""
        counts = self._counts.setdefault((institution, self._minute()), Counter())
        if not self._allowed(institution):
            error = CrossroadsError(
                Reason.OVERLOADED,
                "too many malformed requests from this institution; correct them, "
                "then retry more slowly",
                retry_after=1 / self._per_second,
            )
        counts[str(error.reason)] += 1
        return error

    def take(self, *, everything: bool = False) -> list[Count]:
        """The counts of minutes that are over (or all), which are then forgotten here."""
        now = self._minute()
        due = list(self._restored.values())
        self._restored.clear()
        for institution, minute in sorted(self._counts):
            if minute < now or everything:
                reasons = self._counts.pop((institution, minute))
                due.append(Count(institution, minute, minute, reasons))
        return due

    def restore(self, counts: Iterable[Count]) -> None:
        """Take back what could not be logged."""
        for each in counts:
            _merge(self._restored, each)

    def _allowed(self, institution: str) -> bool:
        now = self._clock.monotonic()
        left, since = self._allowances.get(institution, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        allowed = left >= 1
        self._allowances[institution] = (left - allowed, now)
        return allowed

    def _minute(self) -> int:
        return int(self._clock.now().timestamp()) // 60


def _merge(counts: dict[str, Count], more: Count) -> None:
    known = counts.get(more.institution)
    if known is not None:
        more = Count(
            more.institution,
            min(known.first_minute, more.first_minute),
            max(known.last_minute, more.last_minute),
            Counter(known.reasons) + Counter(more.reasons),
        )
    counts[more.institution] = more
