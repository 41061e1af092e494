"""One subscriber's stream, seen from the owner.

Reads of the table are numbered: a ping is answered by the first one that begins after it came.

A feed holds no queue of changes: only up to where its subscriber has been served. What comes after
is taken from the table when the subscriber is ready for it, so that a slow one costs no memory.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Protocol

from crossroads.watch.v1.watch_pb2 import Ping, Update
from services.runtime.watch.messages import Burst, pong, snapshot_updates
from services.runtime.watch.rows import Image


class Source(Protocol):
    """What a feed needs of its table: how many reads have `begun`, and the newest one `answered`.

    The table wakes the feed when a read brought changes, or was answered while `pinged`.
    """

    begun: int
    answered: int

    async def refresh(self) -> bool:
        """Catch up by a read that begins after this call; False if there was none."""
        ...

    def image(self) -> Image:
        """The whole table now."""
        ...

    def bursts_after(self, version: int, digest: bytes) -> list[Burst] | None:
        """What came after that state, or None if it is not known."""
        ...

    def heard(self) -> None:
        """A subscriber has confirmed something, or left."""
        ...


class Feed:
    """The stream of one subscriber; `subscriber` is its name, `confirmed` the version it holds."""

    def __init__(self, *, table: Source, requests: AsyncIterator[Ping], subscriber: str) -> None:
        self.subscriber = subscriber
        self.confirmed = 0
        self._table = table
        self._requests = requests
        self._signal = asyncio.Event()
        self._heard = False
        self._pings: deque[tuple[int, int]] = deque()
        self._served: tuple[int, bytes] | None = None

    @property
    def pinged(self) -> bool:
        """Whether a ping waits for its read."""
        return bool(self._pings)

    def wake(self) -> None:
        """There may be something to send."""
        self._signal.set()

    async def updates(self) -> AsyncGenerator[Update, None]:
        """What the subscriber gets, until it hangs up."""
        listener = asyncio.create_task(self._listen())
        listener.add_done_callback(lambda _: self.wake())
        begun = False
        try:
            while True:
                await self._signal.wait()
                self._signal.clear()
                if listener.done():
                    listener.result()
                    return
                if self._heard and not begun:
                    begun = True
                    await self._table.refresh()  # who begins should not wait for the poll
                nonce = self._answerable()
                if self._served is None and not nonce:
                    continue
                for update in self._missing():
                    yield update
                if nonce and self._served is not None:
                    yield pong(nonce, self._served[0])
        finally:
            listener.cancel()

    async def _listen(self) -> None:
        async for ping in self._requests:
            if not self._heard and ping.resume_version:
                self._served = (ping.resume_version, ping.digest)
            self._heard = True
            self.confirmed = ping.resume_version
            due = self._table.begun + 1
            if self._pings and self._pings[-1][0] == due:
                self._pings.pop()  # one pong will answer both
            self._pings.append((due, ping.nonce))
            self._table.heard()
            self.wake()

    def _answerable(self) -> int:
        """The newest nonce whose read was answered, taken off the list; 0 if there is none."""
        nonce = 0
        while self._pings and self._pings[0][0] <= self._table.answered:
            nonce = self._pings.popleft()[1]
        return nonce

    def _missing(self) -> Iterator[Update]:
        bursts = None if self._served is None else self._table.bursts_after(*self._served)
        if bursts is None:
            image = self._table.image()
            yield from snapshot_updates(image)
            self._served = (image.version, image.digest)
            return
        for burst in bursts:
            yield from burst.updates
            self._served = (burst.version, burst.digest)
