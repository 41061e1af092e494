"""One subscriber's stream, seen from the owner.

A feed holds no queue: only up to where its subscriber has been served. What comes after is taken
from the table when the subscriber is ready for it, so that a slow one costs no memory.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Protocol

from crossroads.watch.v1.watch_pb2 import Ping, Update
from services.runtime.watch.messages import Burst, pong, snapshot_updates
from services.runtime.watch.rows import Image


class Source(Protocol):
    """What a feed needs of its table."""

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
        self._nonce = 0
        self._served: tuple[int, bytes] | None = None

    def wake(self) -> None:
        """There may be something to send."""
        self._signal.set()

    async def updates(self) -> AsyncGenerator[Update, None]:
        """What the subscriber gets, until it hangs up."""
        listener = asyncio.create_task(self._listen())
        listener.add_done_callback(lambda _: self.wake())
        heard = 0
        try:
            while True:
                await self._signal.wait()
                self._signal.clear()
                if listener.done():
                    listener.result()
                    return
                if not self._nonce:
                    continue
                # The nonce is taken before the read begins: it is what the read may answer.
                nonce, answered = self._nonce, False
                if nonce > heard:
                    heard, answered = nonce, await self._table.refresh()
                if self._served is None and not answered:
                    continue
                for update in self._missing():
                    yield update
                if answered and self._served is not None:
                    yield pong(nonce, self._served[0])
        finally:
            listener.cancel()

    async def _listen(self) -> None:
        async for ping in self._requests:
            if not self._nonce and ping.resume_version:
                self._served = (ping.resume_version, ping.digest)
            self.confirmed = ping.resume_version
            self._nonce = max(self._nonce, ping.nonce)
            self._table.heard()
            self.wake()

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
