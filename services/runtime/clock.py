"""The clock that operations are given: one place where a process reads the time."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What operations know of time."""

    def now(self) -> datetime:
        """The instant, aware, in UTC: for what is recorded."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point, never going back: for leases and time limits."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed point, never going back."""
        return time.monotonic()
