"""The owner's side of a watched table: a copy in memory, kept current, and the streams it feeds.

Contract: a `Pong` leaves only after the current version was read from the primary database, after
its ping arrived, and after every change up to that version. One poll serves all subscribers: a
ping waits for the read that is due next. A database that does not answer means no pong, so that
subscribers stop deciding by themselves.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import psycopg

from crossroads.watch.v1.watch_pb2 import Ping, Update
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError
from services.runtime.watch.feed import Feed
from services.runtime.watch.history import Database, History, VersionedChange
from services.runtime.watch.messages import Burst, change_updates
from services.runtime.watch.publication import publish
from services.runtime.watch.rows import EMPTY_DIGEST, Change, Image, RowHashes, Version

POLL_SECONDS = 0.1
"""How long after a commit the owner finds it at the latest, as long as anybody is listening; and
how long a ping waits for its read."""

KEPT_BURSTS = 4096
KEPT_BYTES = 16 * 1024 * 1024

_log = logging.getLogger(__name__)
_Response = TypeVar("_Response")


class WentBackError(RuntimeError):
    """The database holds less than was read from it before: a restore. Only a restart helps."""


class _Request(Protocol):
    @property
    def ping(self) -> Ping: ...


class Table:
    """A watched table as its owner holds it in memory.

    `await load()` before serving. Who publishes outside the poll's reach (nobody subscribed) calls
    `refresh()` after the commit to see its own change here.
    """

    def __init__(self, *, name: str, database: Database, clock: Clock) -> None:
        self.name = name
        self.begun = 0
        self.answered = 0
        self.history = History(name=name, database=database)
        self._clock = clock
        self._version = Version(version=0, recorded_at=None)
        self._rows: dict[str, bytes] = {}
        self._hashes = RowHashes()
        self._digest = EMPTY_DIGEST
        self._bursts: list[Burst] = []
        self._reading = asyncio.Lock()
        self._read_at = -POLL_SECONDS
        self._queued: asyncio.Task[bool] | None = None
        self._poller: asyncio.Task[None] | None = None
        self._feeds: set[Feed] = set()
        self._heard = asyncio.Event()

    @property
    def version(self) -> int:
        """The version of the copy in memory."""
        return self._version.version

    @property
    def recorded_at(self) -> datetime | None:
        """When that version was recorded; None while nothing was ever published."""
        return self._version.recorded_at

    @property
    def digest(self) -> bytes:
        """SHA-256 of the copy in memory (rows.py), 32 bytes."""
        return self._digest

    @property
    def rows(self) -> MappingProxyType[str, bytes]:
        """Key to value of every row, live."""
        return MappingProxyType(self._rows)

    def get(self, key: str) -> bytes | None:
        """The value of a row, or None."""
        return self._rows.get(key)

    async def load(self) -> None:
        """Read the whole table at its newest version."""
        async with self._reading:
            image, hashes = await self._image(await self.history.head())
            self._rows, self._hashes, self._digest = image.rows, hashes, image.digest
            self._version = Version(image.version, image.recorded_at)
            self._bursts.clear()

    async def publish(
        self, conn: psycopg.AsyncConnection[Any], *changes: Change, at: datetime | None = None
    ) -> Version:
        """Publish now, in the caller's transaction (publication.publish)."""
        return await publish(conn, self.name, changes, at or self._clock.now())

    async def snapshot_at(self, known_at: datetime) -> Image:
        """The table as it was known at that instant (aware)."""
        return (await self._image(await self.history.known_at(known_at)))[0]

    async def snapshot_of(self, version: int) -> Image:
        """The table at that version; LookupError if it was never committed."""
        return (await self._image(await self.history.version(version)))[0]

    def confirmed(self) -> dict[str, int]:
        """The version that each subscriber on the line said it holds, by the name given to serve().

        Where one name has several streams, the lowest of them.
        """
        held: dict[str, int] = {}
        for feed in self._feeds:
            held[feed.subscriber] = min(feed.confirmed, held.get(feed.subscriber, feed.confirmed))
        return held

    async def confirmed_by(self, version: int, seconds: float) -> dict[str, int]:
        """`confirmed()` when all on the line hold `version`, or when that time has passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(held < version for held in self.confirmed().values()):
                    self._heard.clear()
                    await self._heard.wait()
        return self.confirmed()

    def heard(self) -> None:
        """A subscriber has confirmed something, or left."""
        self._heard.set()

    async def refresh(self) -> bool:
        """Catch up with the database by a read that begins after this call.

        Concurrent callers share it. False if the database did not answer.
        """
        if self._queued is None:
            self._queued = asyncio.create_task(self._read(), name=f"watch-read-{self.name}")
        return await asyncio.shield(self._queued)

    async def follow(self) -> None:
        """Keep the copy current for ever, whether anybody subscribes or not."""
        while True:
            # A read for a ping does as well as one of our own.
            idle = self._read_at + POLL_SECONDS - asyncio.get_running_loop().time()
            if idle > 0:
                await asyncio.sleep(idle)
            else:
                await self.refresh()

    async def serve(
        self, requests: AsyncIterator[Ping], *, subscriber: str = ""
    ) -> AsyncGenerator[Update, None]:
        """One subscriber's stream: a snapshot or what it missed, then changes and pongs."""
        feed = Feed(table=self, requests=requests, subscriber=subscriber)
        self._feeds.add(feed)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self.follow(), name=f"watch-poll-{self.name}")
        try:
            async with aclosing(feed.updates()) as updates:
                async for update in updates:
                    yield update
        finally:
            self._feeds.discard(feed)
            self.heard()
            if not self._feeds:
                self._poller.cancel()

    async def respond(
        self,
        requests: AsyncIterator[_Request],
        response: Callable[..., _Response],
        *,
        subscriber: str = "",
    ) -> AsyncGenerator[_Response, None]:
        """`serve` for a generated Watch method: its requests in, its responses out."""

        async def pings() -> AsyncIterator[Ping]:
            async for request in requests:
                yield request.ping

        async with aclosing(self.serve(pings(), subscriber=subscriber)) as updates:
            async for update in updates:
                yield response(update=update)

    def image(self) -> Image:
        """The copy in memory as it is now; later changes don't touch it."""
        return Image(self.version, self.recorded_at, dict(self._rows), self._digest)

    def bursts_after(self, version: int, digest: bytes) -> list[Burst] | None:
        """What came after the state `version` with `digest`; None if that is not known here."""
        if (version, digest) == (self.version, self._digest):
            return []
        for index in range(len(self._bursts) - 1, -1, -1):
            burst = self._bursts[index]
            if (burst.before, burst.digest_before) == (version, digest):
                return self._bursts[index:]
        return None

    async def _image(self, at: Version) -> tuple[Image, RowHashes]:
        rows: dict[str, bytes] = {}
        hashes = RowHashes()
        async with aclosing(self.history.rows(at.version)) as stored:
            async for key, value in stored:
                rows[key] = value
                hashes.put(key, value)
        return Image(at.version, at.recorded_at, rows, await hashes.digest()), hashes

    async def _read(self) -> bool:
        async with self._reading:
            # From here on a caller needs a read that begins later than this one.
            self._queued = None
            self._read_at = asyncio.get_running_loop().time()
            self.begun += 1
            try:
                head = await self.history.head()
                if head.version < self.version:
                    raise WentBackError(f"{self.name} went back: was it restored?")
                changes = await self._missing(head) if head.version > self.version else []
            except (psycopg.Error, CrossroadsError, OSError) as error:
                _log.warning("%s: the database did not answer: %s", self.name, type(error).__name__)
                return False
            if changes:
                await self._take(head, changes)
            self.answered = self.begun
        for feed in self._feeds:
            if changes or feed.pinged:
                feed.wake()
        return True

    async def _missing(self, head: Version) -> list[VersionedChange]:
        async with aclosing(self.history.changes(self.version, head.version)) as stored:
            return [change async for change in stored]

    async def _take(self, head: Version, changes: list[VersionedChange]) -> None:
        """Bring the copy to `head`; its content changes at once, when all is computed."""
        await self._hashes.apply(change.change for change in changes)
        digest = await self._hashes.digest()
        updates, size = await change_updates(
            ((c.version, c.recorded_at, c.change) for c in changes), digest
        )
        self._bursts.append(Burst(self.version, self._digest, head.version, digest, updates, size))
        for change in changes:
            if change.change.value is None:
                self._rows.pop(change.change.key, None)
            else:
                self._rows[change.change.key] = change.change.value
        self._version, self._digest = head, digest
        self._forget()

    def _forget(self) -> None:
        """Keep the newest bursts within bounds; who needs older ones gets a snapshot."""
        kept, size = 0, 0
        for burst in reversed(self._bursts):
            size += burst.size
            if size > KEPT_BYTES or kept == KEPT_BURSTS:
                break
            kept += 1
        del self._bursts[: len(self._bursts) - kept]
