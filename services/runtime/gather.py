"""Concurrent callers share one batch in flight.

Contract: `await gather(item)` gives that item's result. While a batch is under way, the items that
arrive wait together and form the next one. A lone caller waits for nothing: there is no timer, but
after a batch of several items there can be a pause, the longer the more they were (`pause_after`).
The batch function gets the items in order of arrival and returns as many results, in that order; a
result that is an exception is raised to that item's caller alone. When the function itself raises,
every caller of that batch gets the exception.

The batch runs in a context of its own: neither the deadline nor the trace of the caller that
happened to start it applies to the others.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from services.runtime.errors import CrossroadsError, Reason

MAX_PAUSE = 0.015
"""Seconds between two batches at most."""

K = TypeVar("K")
V = TypeVar("V")


def pause_after(items: int, per_item: float) -> float:
    """Seconds to wait after a batch of that many items before the next one is taken.

    A batch costs two processes a message, a wake-up and a statement, whatever is in it. Under load
    fewer and larger ones cost each item far less than the pause adds to its way; items that come at
    a rate r lengthen the time from batch to batch by 1 / (1 - r * per_item), so that few items wait
    for hardly anything.
    """
    return min(MAX_PAUSE, per_item * (items - 1))


class Gather(Generic[K, V]):
    """Gathers items into batches, at most `in_flight` of them under way at a time.

    `pause_per_item` is in seconds (`pause_after`).
    """

    def __init__(
        self,
        *,
        batch: Callable[[list[K]], Awaitable[Sequence[V | Exception]]],
        max_batch: int = 256,
        max_waiting: int = 4096,
        in_flight: int = 1,
        pause_per_item: float = 0.0,
    ) -> None:
        self._batch = batch
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._in_flight = in_flight
        self._pause_per_item = pause_per_item
        self._waiting: deque[tuple[K, asyncio.Future[V]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._active = 0
        self._closed = False

    async def __call__(self, item: K) -> V:
        """The result for `item`. Raises OVERLOADED when too many items wait already."""
        if self._closed:
            raise CrossroadsError(Reason.UNAVAILABLE, "shutting down; retry elsewhere")
        if len(self._waiting) >= self._max_waiting:
            raise CrossroadsError(
                Reason.OVERLOADED, "too many requests are waiting; retry later", retry_after=1.0
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[V] = loop.create_future()
        self._waiting.append((item, future))
        if self._active < self._in_flight:
            self._active += 1
            task = loop.create_task(self._run(), context=contextvars.Context())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await future

    async def close(self) -> None:
        """Take no more items; return when those that were taken have their results."""
        self._closed = True
        while self._running:
            await asyncio.wait(set(self._running))

    async def _run(self) -> None:
        # `_active` falls in the same step that finds nothing waiting: an item that arrives later
        # starts a run of its own, never waits for one that is over.
        try:
            while pairs := self._take():
                await self._run_one(pairs)
                if pause := pause_after(len(pairs), self._pause_per_item):
                    await asyncio.sleep(pause)
        finally:
            self._active -= 1

    async def _run_one(self, pairs: list[tuple[K, asyncio.Future[V]]]) -> None:
        try:
            results = await self._batch([item for item, _ in pairs])
            if len(results) != len(pairs):
                message = f"the batch returned {len(results)} results for {len(pairs)} items"
                raise RuntimeError(message)  # noqa: TRY301 - callers must get this one as well
        except asyncio.CancelledError:
            gone = CrossroadsError(Reason.UNAVAILABLE, "shutting down; retry elsewhere")
            _fail(pairs, gone)
            _fail(list(self._waiting), gone)
            self._waiting.clear()
            raise
        except Exception as error:  # noqa: BLE001 - handed to those who wait for it
            _fail(pairs, error)
        else:
            _fulfil(pairs, results)

    def _take(self) -> list[tuple[K, asyncio.Future[V]]]:
        """The next batch, without the items whose callers have gone."""
        pairs: list[tuple[K, asyncio.Future[V]]] = []
        while self._waiting and len(pairs) < self._max_batch:
            pair = self._waiting.popleft()
            if not pair[1].done():
                pairs.append(pair)
        return pairs


def _fail(pairs: list[tuple[K, asyncio.Future[V]]], error: Exception) -> None:
    for _, future in pairs:
        if not future.done():
            future.set_exception(error)


def _fulfil(pairs: list[tuple[K, asyncio.Future[V]]], results: Sequence[V | Exception]) -> None:
    for (_, future), result in zip(pairs, results, strict=True):
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
