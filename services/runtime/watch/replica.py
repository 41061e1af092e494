"""The subscriber's side: a copy of another service's table that knows whether it is current.

Contract: `rows`, `version` and `digest` always fit each other and were verified; they change in
one step of the event loop. `lease_holds()` is true only while the owner has answered a ping that
was *sent* less than the lease ago, on this process's monotonic clock: news that lay in a buffer
while the process stood still renew nothing. Who decides on a replica calls `require()` first.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import grpc

from crossroads.watch.v1.watch_pb2 import Ping, Update
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.watch.assembly import Assembly, Decode, UnusableError
from services.runtime.watch.pacing import dismantle
from services.runtime.watch.rows import EMPTY_DIGEST

PING_SECONDS = 0.25
LEASE_SECONDS = 2.0

SILENT_PINGS = 20
"""A stream on which the owner says nothing for so many pings is given up."""

STREAM_SECONDS = 570.0
"""The deadline of a Watch call: below the ten minutes that a connection lives."""

_BACKOFF_SECONDS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0)

_log = logging.getLogger(__name__)

T = TypeVar("T")
Connect = Callable[[AsyncIterator[Ping]], AsyncIterator[Update]]
OnChange = Callable[[Sequence[tuple[str, T | None]], int, bytes], None]
OnSnapshot = Callable[[Mapping[str, T], int, bytes], Awaitable[None] | None]


def watching(method: Callable[..., Any], request: Callable[..., Any]) -> Connect:
    """What a Replica connects by, from a stub's Watch method and its request message."""

    async def connect(pings: AsyncIterator[Ping]) -> AsyncIterator[Update]:
        async def requests() -> AsyncIterator[Any]:
            async for ping in pings:
                yield request(ping=ping)

        call = method(requests(), timeout=STREAM_SECONDS)
        try:
            async for response in call:
                yield response.update
        finally:
            call.cancel()

    return connect


class _Session:
    """One stream: what was asked on it, and since when the owner is silent."""

    def __init__(self) -> None:
        self.due = asyncio.Event()
        self.nonce = 0
        self.sent: dict[int, float] = {}
        self.reading = False
        self.silent = 0
        self._closed = False

    async def ping_is_due(self) -> bool:
        """Wait for the time of the next ping; False when the stream is over."""
        await self.due.wait()
        self.due.clear()
        return not self._closed

    def close(self) -> None:
        """End the requests: gRPC leaves whoever reads them waiting when the owner hangs up."""
        self._closed = True
        self.due.set()


class Replica(Generic[T]):
    """A verified copy of the table `name`, each value decoded once.

    `connect` opens a stream (see `watching`); `decode(key, value)` raises ValueError for a row that
    it cannot read, and the replica then never becomes ready. Run `run()` as a supervised task.
    """

    def __init__(
        self,
        *,
        name: str,
        connect: Connect,
        decode: Decode[T],
        clock: Clock,
        ping_seconds: float = PING_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.name = name
        self.version = 0
        self.digest = EMPTY_DIGEST
        self.recorded_at: datetime | None = None
        self._connect = connect
        self._clock = clock
        self._ping_seconds = ping_seconds
        self._lease_seconds = lease_seconds
        self._rows: dict[str, T] = {}
        self._assembly: Assembly[T] = Assembly(decode=decode)
        self._answered_from: float | None = None
        self._renewed = asyncio.Event()
        self._on_change: list[OnChange[T]] = []
        self._on_snapshot: list[OnSnapshot[T]] = []

    @property
    def rows(self) -> Mapping[str, T]:
        """Key to decoded value, live: use it within one step of the event loop."""
        return MappingProxyType(self._rows)

    def get(self, key: str) -> T | None:
        """The decoded row, or None."""
        return self._rows.get(key)

    def items(self) -> Sequence[tuple[str, T]]:
        """All rows as they are now."""
        return list(self._rows.items())

    def lease_holds(self) -> bool:
        """Whether what is held here was current less than the lease ago."""
        since = self._answered_from
        return since is not None and self._clock.monotonic() - since < self._lease_seconds

    def require(self) -> None:
        """Raise LEASE_EXPIRED (retryable) unless the lease holds."""
        if not self.lease_holds():
            raise CrossroadsError(
                Reason.LEASE_EXPIRED,
                f"The copy of {self.name} held here is no longer known to be current. Retry.",
                retry_after=0.5,
            )

    async def ready(self) -> None:
        """Wait until the table is here and the lease holds."""
        while not self.lease_holds():
            self._renewed.clear()
            await self._renewed.wait()

    def on_change(self, callback: OnChange[T]) -> None:
        """Call this with (changes, version, digest) in the very step in which the rows change.

        A change is (key, new value), or (key, None) for a row that left. It must be quick.
        """
        self._on_change.append(callback)

    def on_snapshot(self, callback: OnSnapshot[T]) -> None:
        """Call this with (rows, version, digest) when a whole table arrived.

        It may be a coroutine, which builds its index in steps (pacing.settle between them) and puts
        it in place at its end; the replica's own rows, version and digest follow in the same step,
        if it was the only one. `rows` changes and is emptied later: keep its values, not itself.
        """
        self._on_snapshot.append(callback)

    async def run(self) -> None:
        """Keep the copy current for ever: connect, follow, and again when the stream ends."""
        failures = 0
        while True:
            answered_from = self._answered_from
            try:
                await self._follow()
                reason = "ended"
            except asyncio.CancelledError:
                reason = "cancelled"
            except UnusableError as error:
                self._answered_from = None
                reason = str(error)
            except (grpc.RpcError, CrossroadsError, OSError, TimeoutError) as error:
                reason = _cause(error)
            # A stream that the channel cancelled is lost; a task that was cancelled ends, also when
            # gRPC raised the end of the stream in the place of the cancellation.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise asyncio.CancelledError
            progress = self._answered_from is not None and self._answered_from != answered_from
            failures = 0 if progress else min(failures + 1, len(_BACKOFF_SECONDS) - 1)
            _log.info("%s: the stream was lost (%s)", self.name, reason)
            await asyncio.sleep(_BACKOFF_SECONDS[failures])

    async def _follow(self) -> None:
        session = _Session()
        self._assembly.restart()
        async with asyncio.timeout(None) as silence:
            beat = asyncio.create_task(self._beat(session, silence), name=f"ping-{self.name}")
            try:
                async with aclosing(_closeable(self._connect(self._pings(session)))) as updates:
                    session.reading = True
                    async for update in updates:
                        session.reading, session.silent = False, 0
                        await self._apply(update, session)
                        session.reading = True
            finally:
                beat.cancel()
                session.close()

    async def _beat(self, session: _Session, silence: asyncio.Timeout) -> None:
        while True:
            session.due.set()
            await asyncio.sleep(self._ping_seconds)
            # Counted in beats, not in seconds: a process that stood still has not listened.
            session.silent += session.reading
            if session.silent > SILENT_PINGS:
                silence.reschedule(asyncio.get_running_loop().time())
                return

    async def _pings(self, session: _Session) -> AsyncIterator[Ping]:
        while await session.ping_is_due():
            session.nonce += 1
            session.sent[session.nonce] = self._clock.monotonic()
            held = self._assembly.held
            yield Ping(
                nonce=session.nonce,
                resume_version=self.version if held else 0,
                digest=self.digest if held else b"",
            )

    async def _apply(self, update: Update, session: _Session) -> None:
        kind = update.WhichOneof("update")
        if kind == "pong":
            self._renew(update.pong.nonce, update.pong.version, session)
        elif kind == "snapshot":
            await self._apply_snapshot(update)
        elif kind == "change":
            await self._apply_change(update)

    async def _apply_snapshot(self, update: Update) -> None:
        image = await self._assembly.add_part(update.snapshot)
        if image is None:
            return
        if image.version < self.version:
            _log.warning("%s: the owner is behind what was held here: a restore?", self.name)
        for callback in self._on_snapshot:
            pending = callback(MappingProxyType(image.rows), image.version, image.digest)
            if inspect.isawaitable(pending):
                await pending
        self._assembly.adopt()
        before, self._rows = self._rows, image.rows
        self.version, self.digest = image.version, image.digest
        self.recorded_at = image.recorded_at
        await dismantle(before)

    async def _apply_change(self, update: Update) -> None:
        step = await self._assembly.add_change(update.change, self.version)
        if step is None:
            return
        for key, value in step.changes:
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
        self.version, self.digest, self.recorded_at = step.version, step.digest, step.recorded_at
        for callback in self._on_change:
            callback(step.changes, step.version, step.digest)

    def _renew(self, nonce: int, version: int, session: _Session) -> None:
        sent = session.sent.get(nonce)
        if sent is None:
            raise UnusableError("a pong for a ping that was not sent")
        if not self._assembly.held or version != self.version:
            raise UnusableError("a pong before the version that it vouches for")
        for older in [n for n in session.sent if n <= nonce]:
            del session.sent[older]
        if self._answered_from is None or sent > self._answered_from:
            self._answered_from = sent
        self._renewed.set()


async def _closeable(updates: AsyncIterator[Update]) -> AsyncGenerator[Update, None]:
    """The same, closing its source at the end if that can be closed."""
    try:
        async for update in updates:
            yield update
    finally:
        close = getattr(updates, "aclose", None)
        if close is not None:
            await close()


def _cause(error: BaseException) -> str:
    if isinstance(error, grpc.RpcError) and hasattr(error, "code"):
        return str(error.code())
    return type(error).__name__ if not isinstance(error, CrossroadsError) else str(error.reason)
