"""The owner's stream: what is answered, when, and from where it resumes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from crossroads.watch.v1.watch_pb2 import Change, Ping, Update
from services.runtime.watch.feed import Feed
from services.runtime.watch.messages import Burst
from services.runtime.watch.rows import Image


class Table:
    """A table whose reads the test answers."""

    def __init__(self) -> None:
        self.reads = 0
        self.answers = True
        self.content = Image(1, None, {"a": b"1"}, b"d1")
        self.bursts: list[Burst] = []

    async def refresh(self) -> bool:
        self.reads += 1
        return self.answers

    def image(self) -> Image:
        return self.content

    def heard(self) -> None:
        """Nobody waits for confirmations here."""

    def bursts_after(self, version: int, digest: bytes) -> list[Burst] | None:
        if (version, digest) == (self.content.version, self.content.digest):
            return []
        for index, burst in enumerate(self.bursts):
            if (burst.before, burst.digest_before) == (version, digest):
                return self.bursts[index:]
        return None

    def change_to(self, version: int) -> None:
        """Commit one more version."""
        digest = f"d{version}".encode()
        update = Update(change=Change(version=version, digest=digest))
        before = self.content
        self.bursts.append(Burst(before.version, before.digest, version, digest, (update,), 1))
        self.content = Image(version, None, before.rows, digest)


class Line:
    """The subscriber's end."""

    def __init__(self, table: Table) -> None:
        self._pings: asyncio.Queue[Ping | None] = asyncio.Queue()
        self.feed = Feed(table=table, requests=self._sent(), subscriber="service/routing")
        self.updates = self.feed.updates()

    async def _sent(self) -> AsyncIterator[Ping]:
        while (ping := await self._pings.get()) is not None:
            yield ping

    def ping(self, nonce: int, version: int = 0, digest: bytes = b"") -> None:
        self._pings.put_nowait(Ping(nonce=nonce, resume_version=version, digest=digest))

    def hang_up(self) -> None:
        self._pings.put_nowait(None)

    async def next(self) -> str:
        """The next update in short."""
        async with asyncio.timeout(5):
            update = await anext(self.updates)
        kind = update.WhichOneof("update")
        assert kind is not None
        return f"{kind} {getattr(update, kind).version}"


async def test_a_first_ping_gets_the_snapshot_before_its_pong() -> None:
    line = Line(Table())
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]


async def test_each_ping_is_answered_after_a_read_of_its_own() -> None:
    table = Table()
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        assert table.reads == 1
        line.ping(2)
        assert await line.next() == "pong 1"
        assert table.reads == 2


async def test_a_pong_comes_after_every_change_up_to_its_version() -> None:
    table = Table()
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        table.change_to(2)
        table.change_to(3)
        line.ping(2)
        assert [await line.next() for _ in range(3)] == ["change 2", "change 3", "pong 3"]


async def test_a_change_is_sent_without_a_ping() -> None:
    table = Table()
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        table.change_to(2)
        line.feed.wake()
        assert await line.next() == "change 2"


async def test_a_database_that_does_not_answer_means_no_pong() -> None:
    table = Table()
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        table.answers = False
        line.ping(2)
        pending = asyncio.ensure_future(anext(line.updates))
        while table.reads < 2:  # noqa: ASYNC110 - the table is a plain object
            await asyncio.sleep(0)
        table.answers = True
        line.ping(3)
        update = await pending
        assert update.pong.nonce == 3


async def test_nothing_is_sent_before_the_first_read_succeeded() -> None:
    table = Table()
    table.answers = False
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        pending = asyncio.ensure_future(anext(line.updates))
        while table.reads < 1:  # noqa: ASYNC110 - the table is a plain object
            await asyncio.sleep(0)
        assert not pending.done()
        table.answers = True
        line.ping(2)
        assert (await pending).snapshot.version == 1


async def test_a_stream_resumes_where_the_digest_fits() -> None:
    table = Table()
    table.change_to(2)
    table.change_to(3)
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1, version=2, digest=b"d2")
        assert [await line.next(), await line.next()] == ["change 3", "pong 3"]


async def test_a_stream_begins_with_a_snapshot_where_the_digest_differs() -> None:
    table = Table()
    table.change_to(2)
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1, version=2, digest=b"another")
        assert [await line.next(), await line.next()] == ["snapshot 2", "pong 2"]


async def test_later_pings_confirm_what_the_subscriber_holds() -> None:
    line = Line(Table())
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        assert line.feed.confirmed == 0
        line.ping(2, version=1, digest=b"d1")
        assert await line.next() == "pong 1"
        assert line.feed.confirmed == 1


async def test_the_stream_ends_when_the_subscriber_hangs_up() -> None:
    line = Line(Table())
    line.ping(1)
    line.hang_up()
    async with asyncio.timeout(5):
        assert [update async for update in line.updates] == []
