"""A closed-loop load: so many callers, each sending its next call when the last one is answered.

Durations are seconds on the monotonic clock, taken around each call by the caller.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Round:
    """One stretch of load: how long it took, and how long each call did. Seconds."""

    elapsed: float
    durations: tuple[float, ...]

    @property
    def per_second(self) -> float:
        """Calls answered per second."""
        return len(self.durations) / self.elapsed


async def drive(
    call: Callable[[], Awaitable[object]], *, concurrency: int, seconds: float
) -> Round:
    """Keep `concurrency` calls in flight for `seconds`; a failed call fails the round."""
    durations: list[float] = []
    began = time.perf_counter()
    end = began + seconds

    async def caller() -> None:
        while (start := time.perf_counter()) < end:
            await call()
            durations.append(time.perf_counter() - start)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    return Round(elapsed=time.perf_counter() - began, durations=tuple(durations))


def percentile(durations: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the durations lie; nearest rank. Seconds."""
    ranked = sorted(durations)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
