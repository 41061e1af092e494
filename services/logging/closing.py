"""The sweeper: closes requests that got no outcome, forgets old entry ids, prepares keys.

Contract: a request whose deadline passed (and some grace) without a release or a refusal of the
same exchange and attempt gets an entry ABANDONED; its sections are those of the request, its audit
section names the leaf of the request. Where its evidence was altered nothing else is said. Entry
ids older than 24 hours may be used again. Both marks are kept, so that a restart goes on where the
last sweep ended.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from services.logging.model import (
    HOUR,
    Acknowledgement,
    EntryId,
    Marks,
    NewEntry,
    OpenRequest,
    instant,
    microseconds,
)
from services.logging.sealing import KeyRing, Sealer
from services.proof.record import Kind, canonical_json
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError

PERIOD_SECONDS = 5.0
GRACE = 5_000_000
"""Microseconds after its deadline that an outcome may still be under way."""

KEPT = 24 * HOUR
OPEN_AT_ONCE = 1000
FORGOTTEN_AT_ONCE = 5000
_EMPTY = canonical_json({})

_logger = logging.getLogger(__name__)


class SweepStore(Protocol):
    """What the sweeper reads and keeps."""

    async def open_requests(self, start: int, limit: int) -> list[OpenRequest]:
        """Requests from `start` that have no outcome, in the order of the log."""
        ...

    async def recorded_at(self, index: int) -> int | None:
        """When the entry at `index` was recorded; None when there is none."""
        ...

    async def marks(self) -> Marks:
        """How far the sweeper came."""
        ...

    async def keep_marks(self, marks: Marks) -> None:
        """Remember how far the sweeper came."""
        ...

    async def forget(self, start: int, end: int) -> int:
        """Forget the entry ids of [start, end)."""
        ...


class Appender(Protocol):
    """The sequencer, as the sweeper sees it."""

    @property
    def size(self) -> int:
        """How many entries are durable."""
        ...

    @property
    def open(self) -> bool:
        """Whether entries are taken."""
        ...

    @property
    def time(self) -> int:
        """The time of the last entry, in microseconds."""
        ...

    async def append(self, entries: Sequence[NewEntry]) -> list[Acknowledgement]:
        """Append entries."""
        ...


class Sweeper:
    """Keeps the log tidy; `run` is its task."""

    def __init__(
        self,
        *,
        store: SweepStore,
        sequencer: Appender,
        sealer: Sealer,
        keys: KeyRing,
        clock: Clock,
    ) -> None:
        self._store = store
        self._sequencer = sequencer
        self._sealer = sealer
        self._keys = keys
        self._clock = clock
        self._marks: Marks | None = None

    async def run(self) -> None:
        """Sweep from time to time; never ends by itself."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            try:
                if self._sequencer.open:
                    await self.prepare()
                    await self.sweep()
            except CrossroadsError as error:
                _logger.warning("sweep put off: %s", error.message)

    async def prepare(self) -> None:
        """Have the keys for what is logged next: a clock that was put back does not bring the
        log's time back with it.
        """
        await self._keys.prepare(max(self._clock.now(), instant(self._sequencer.time)))

    async def sweep(self) -> int:
        """Close what is overdue and forget what is old; how many requests were closed."""
        marks = self._marks or await self._store.marks()
        closed, abandoned = await self._close(marks.closed)
        forgotten = await self._forget(marks.forgotten, closed)
        if (found := Marks(closed, forgotten)) != marks:
            await self._store.keep_marks(found)
        self._marks = found
        return abandoned

    async def _close(self, start: int) -> tuple[int, int]:
        """The index before which no request is open any more, and how many were closed now."""
        size = self._sequencer.size
        due = microseconds(self._clock.now()) - GRACE
        waiting = await self._store.open_requests(start, OPEN_AT_ONCE)
        overdue = [request for request in waiting if request.deadline < due]
        if overdue:
            await self._sequencer.append([await self._abandoned(each) for each in overdue])
            _logger.info("closed %d requests without an outcome as abandoned", len(overdue))
        still = [request.index for request in waiting if request.deadline >= due]
        if len(waiting) == OPEN_AT_ONCE:
            still.append(waiting[-1].index)
        return min(still, default=size), len(overdue)

    async def _abandoned(self, request: OpenRequest) -> NewEntry:
        reason = "no outcome before the deadline"
        closing = NewEntry(
            id=EntryId(request.id.exchange_id, Kind.ABANDONED, request.id.attempt),
            nonce=request.leaf_hash[:8],
            party=_EMPTY,
            subject=_EMPTY,
            audit=_EMPTY,
        )
        try:
            opened = await self._sealer.open(
                request.data_key_id, request.leaf_hash, request.evidence
            )
        except CrossroadsError as error:
            if error.retryable:
                raise
            # Never repaired: without this entry nothing after it would be closed or forgotten.
            _logger.error("entry %d: %s", request.index, error.message)  # noqa: TRY400
            reason += "; the evidence of the request was altered"
        else:
            closing = closing._replace(
                party=opened.party, subject=opened.subject, subject_key=opened.subject_key
            )
        abandoned = {"index": request.index, "leaf_hash": request.leaf_hash.hex()}
        return closing._replace(audit=canonical_json({"abandoned": abandoned, "reason": reason}))

    async def _forget(self, start: int, closed: int) -> int:
        """Forget from `start` on what is old enough, a step at a time; how far that came.

        Nothing from `closed` on: an outcome that is forgotten would leave its request open.
        """
        before = microseconds(self._clock.now()) - KEPT
        while True:
            end = min(start + FORGOTTEN_AT_ONCE, closed)
            if end > start and not await self._is_old(end - 1, before):
                end = await self._first_young(start, end, before)
            if end <= start:
                return start
            await self._store.forget(start, end)
            start = end

    async def _first_young(self, start: int, end: int, before: int) -> int:
        """The first index in [start, end) recorded at `before` or later: times never go back."""
        while start < end:
            middle = (start + end) // 2
            if await self._is_old(middle, before):
                start = middle + 1
            else:
                end = middle
        return start

    async def _is_old(self, index: int, before: int) -> bool:
        time = await self._store.recorded_at(index)
        return time is not None and time < before
