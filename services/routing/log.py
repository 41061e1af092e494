"""The log, over one open stream with one batch in flight.

Contract: `append` returns when the entry is durable. While a batch is unacknowledged, and for a
moment after a large one, entries gather into the next; a lone entry waits for nothing. When the
stream breaks, the entries whose fate is unknown are sent again with the same nonce, by which the
log knows them (and this side its own among the duplicates), until their time is up: then
LOG_UNAVAILABLE, and the entry may or may not be in the log. What waits is bounded in entries and in
octets: beyond, OVERLOADED.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.logging.v1 import logging_service_pb2 as api
from services.routing.model import Logged
from services.routing.records import Entry
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.gather import pause_after
from services.runtime.ids import Ids

BATCH_ENTRIES = 1000
BATCH_OCTETS = 1024 * 1024
WAITING_ENTRIES = 20_000
WAITING_OCTETS = 64 * 1024 * 1024

PATIENCE_SECONDS = 3.0
"""How long an entry may take at most: long enough for the log to be restarted under it."""

PAUSE_PER_ENTRY = 0.001
"""Seconds (`pause_after`): an exchange makes two entries and one look-up."""

STREAM_SECONDS = 540.0
"""A stream is renewed between two batches before the connection reaches the end of its life."""

_BACKOFF_SECONDS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
_log = logging.getLogger(__name__)


class StreamLostError(Exception):
    """The stream ended, or said something that was not asked."""


class _Pending:
    """An entry on its way, and who waits for it."""

    __slots__ = ("alone", "future", "message", "size")

    def __init__(self, message: api.Entry, size: int, future: "asyncio.Future[Logged]") -> None:
        self.message = message
        self.size = size
        self.future = future
        self.alone = False


class LogStream:
    """Appends entries. `connect` opens AppendStream. Run `run()` as a supervised task."""

    def __init__(
        self,
        *,
        connect: Callable[[], Any],
        clock: Clock,
        ids: Ids,
        patience: float = PATIENCE_SECONDS,
        waiting_entries: int = WAITING_ENTRIES,
        waiting_octets: int = WAITING_OCTETS,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._ids = ids
        self._patience = patience
        self._max_entries = waiting_entries
        self._max_octets = waiting_octets
        self._waiting: deque[_Pending] = deque()
        self._in_flight: list[_Pending] = []
        self._octets = 0
        self._entries = 0
        self._batch = 0
        self._wake = asyncio.Event()

    async def append(self, entry: Entry, deadline: float) -> Logged:
        """What became of the entry. `deadline` is monotonic. Raises LOG_UNAVAILABLE, OVERLOADED."""
        (future,) = self._put([entry])
        return await self._settled(future, deadline)

    async def append_all(self, entries: Sequence[Entry], deadline: float) -> list[Logged]:
        """The same for many; on an error some of them may be in the log all the same."""
        futures = self._put(entries)
        try:
            return [await self._settled(each, deadline) for each in futures]
        finally:
            for each in futures:
                each.cancel()

    def _put(self, entries: Sequence[Entry]) -> list["asyncio.Future[Logged]"]:
        taken = [_message(entry, self._ids.token(8)) for entry in entries]
        size = sum(each[1] for each in taken)
        if not self._fits(len(taken), size):
            self._forget()
        if not self._fits(len(taken), size):
            raise CrossroadsError(
                Reason.OVERLOADED, "too many entries wait for the log; retry later", retry_after=1.0
            )
        loop = asyncio.get_running_loop()
        pending = [_Pending(message, octets, loop.create_future()) for message, octets in taken]
        self._waiting.extend(pending)
        self._entries += len(taken)
        self._octets += size
        self._wake.set()
        return [each.future for each in pending]

    def _fits(self, entries: int, octets: int) -> bool:
        return (
            self._entries + entries <= self._max_entries
            and self._octets + octets <= self._max_octets
        )

    def _forget(self) -> None:
        """Drop the entries that nobody waits for any more."""
        waiting = list(self._waiting)
        self._waiting.clear()
        for each in waiting:
            if each.future.done():
                self._release(each)
            else:
                self._waiting.append(each)

    async def _settled(self, future: "asyncio.Future[Logged]", deadline: float) -> Logged:
        if future.done():
            return future.result()
        seconds = min(self._patience, deadline - self._clock.monotonic())
        timer = asyncio.get_running_loop().call_later(max(0.0, seconds), _give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    async def run(self) -> None:
        """Keep a stream open for ever, and send what waits."""
        failures = 0
        while True:
            batch = self._batch
            try:
                await self._follow()
                failures = 0
            except (CrossroadsError, StreamLostError) as error:
                failures = 1 if self._batch > batch + 1 else failures + 1
                _log.warning("the stream to the log was lost (%s)", type(error).__name__)
            except asyncio.CancelledError:
                # A call that the channel cancelled is lost; a task that was cancelled ends.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                failures += 1
            await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])

    async def _follow(self) -> None:
        """One stream, until it is lost or old."""
        call = self._connect()
        until = self._clock.monotonic() + STREAM_SECONDS
        try:
            while self._clock.monotonic() < until:
                batch = self._take()
                if not batch:
                    self._wake.clear()
                    try:
                        async with asyncio.timeout(until - self._clock.monotonic()):
                            await self._wake.wait()
                    except TimeoutError:
                        return
                    continue
                self._batch += 1
                request = api.AppendStreamRequest(
                    batch=self._batch, entries=[each.message for each in batch]
                )
                try:
                    async with asyncio.timeout(self._patience):
                        await call.write(request)
                        response = await call.read()
                except TimeoutError:
                    # Whoever waited has given up: a log that hangs must not hold the next ones.
                    raise StreamLostError from None
                if response is None or response.batch != self._batch:
                    raise StreamLostError
                self._settle(response)
                if pause := pause_after(len(batch), PAUSE_PER_ENTRY):
                    await asyncio.sleep(pause)
        finally:
            call.cancel()

    def _take(self) -> list[_Pending]:
        """The next batch: first what was in flight when a stream was lost. Drops who gave up."""
        batch: list[_Pending] = []
        octets = 0
        waiting = self._waiting
        waiting.extendleft(reversed(self._in_flight))
        while waiting and len(batch) < BATCH_ENTRIES and octets < BATCH_OCTETS:
            first = waiting[0]
            if first.future.done():
                self._release(waiting.popleft())
                continue
            if batch and (first.alone or batch[0].alone):
                break
            batch.append(waiting.popleft())
            octets += first.size
        self._in_flight = batch
        return batch

    def _settle(self, response: api.AppendStreamResponse) -> None:
        batch = self._in_flight
        if response.refused:
            self._refused(batch, response.refused)
            return
        acknowledgements = response.acknowledgements
        if len(acknowledgements) != len(batch):
            raise StreamLostError
        self._in_flight = []
        for pending, done in zip(batch, acknowledgements, strict=True):
            self._release(pending)
            if not pending.future.done():
                pending.future.set_result(_logged(pending.message, done))

    def _refused(self, batch: list[_Pending], reason: str) -> None:
        """The log took nothing of this batch."""
        malformed = reason == Reason.INVALID_ARGUMENT
        if malformed and len(batch) > 1:
            # One entry is at fault: each goes alone, so that only that one fails.
            for each in batch:
                each.alone = True
            return
        self._in_flight = []
        for each in batch:
            self._release(each)
            if not each.future.done():
                each.future.set_exception(_malformed() if malformed else _unavailable())

    def _release(self, pending: _Pending) -> None:
        self._entries -= 1
        self._octets -= pending.size


def _message(entry: Entry, nonce: bytes) -> tuple[api.Entry, int]:
    """The entry as the log takes it, and about how many octets it holds."""
    deadline = None
    if entry.deadline is not None:
        seconds = entry.deadline.timestamp()
        deadline = Timestamp(seconds=int(seconds), nanos=entry.deadline.microsecond * 1000)
    message = api.Entry(
        exchange_id=entry.exchange_id,
        kind=api.Kind.ValueType(entry.kind),
        attempt=entry.attempt,
        nonce=nonce,
        question_mac=entry.question_mac,
        party=entry.party,
        subject=entry.subject,
        audit=entry.audit,
        subject_key=entry.subject_key,
        deadline=deadline,
        receipt=entry.receipt,
    )
    return message, len(entry.party) + len(entry.subject) + len(entry.audit) + 256


def _logged(sent: api.Entry, done: api.Acknowledgement) -> Logged:
    if done.outcome == api.OUTCOME_APPENDED or done.nonce == sent.nonce:
        # A duplicate with our nonce is this very entry, sent twice over a broken stream.
        receipt = done.receipt if done.HasField("receipt") else None
        return Logged(False, done.index, receipt)
    return Logged(
        True,
        done.index,
        question_mac=done.question_mac,
        last_attempt=done.last_attempt,
    )


def _give_up(future: "asyncio.Future[Logged]") -> None:
    if not future.done():
        future.set_exception(_unavailable())


def _unavailable() -> CrossroadsError:
    return CrossroadsError(
        Reason.LOG_UNAVAILABLE,
        "the log can't take the entry; nothing was released; retry with the same request_id",
        retry_after=1.0,
    )


def _malformed() -> CrossroadsError:
    return CrossroadsError(Reason.INTERNAL, "the log refused an entry as malformed")
