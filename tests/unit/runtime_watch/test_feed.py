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
        self.begun = 0
        self.answered = 0
        self.answers = True
        self.content = Image(1, None, {"a": b"1"}, b"d1")
        self.bursts: list[Burst] = []

    async def refresh(self) -> bool:
        self.begun += 1
        if self.answers:
            self.answered = self.begun
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
        self.table = table
        self.feed = Feed(table=table, requests=self._sent(), subscriber="service/routing")
        self.updates = self.feed.updates()

    async def _sent(self) -> AsyncIterator[Ping]:
        while (ping := await self._pings.get()) is not None:
            yield ping

    def ping(self, nonce: int, version: int = 0, digest: bytes = b"") -> None:
        self._pings.put_nowait(Ping(nonce=nonce, resume_version=version, digest=digest))

    async def read(self) -> None:
        """What the owner's poll does, once the pings that were sent have come."""
        await self.came()
        if await self.table.refresh():
            self.feed.wake()

    async def came(self) -> None:
        """Let the feed take what was sent to it."""
        for _ in range(10):
            await asyncio.sleep(0)

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


async def test_a_ping_is_answered_by_a_read_that_begins_after_it() -> None:
    table = Table()
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        assert table.begun == 1
        line.ping(2)
        pending = asyncio.ensure_future(anext(line.updates))
        await line.came()
        line.feed.wake()
        await line.came()
        assert not pending.done()
        await line.read()
        assert (await pending).pong.nonce == 2


async def test_a_read_under_way_when_a_ping_comes_does_not_answer_it() -> None:
    table = Table()
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        line.ping(2)
        pending = asyncio.ensure_future(anext(line.updates))
        await line.came()
        table.begun += 1
        line.ping(3)
        await line.came()
        table.answered = table.begun
        line.feed.wake()
        assert (await pending).pong.nonce == 2
        await line.read()
        async with asyncio.timeout(5):
            assert (await anext(line.updates)).pong.nonce == 3


async def test_one_pong_answers_all_that_wait_for_the_same_read() -> None:
    line = Line(Table())
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        for nonce in (2, 3, 4):
            line.ping(nonce)
        pending = asyncio.ensure_future(anext(line.updates))
        await line.read()
        assert (await pending).pong.nonce == 4
        assert not line.feed.pinged


async def test_a_pong_comes_after_every_change_up_to_its_version() -> None:
    table = Table()
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        assert [await line.next(), await line.next()] == ["snapshot 1", "pong 1"]
        table.change_to(2)
        table.change_to(3)
        line.ping(2)
        first = asyncio.ensure_future(line.next())
        await line.read()
        assert [await first] + [await line.next() for _ in range(2)] == [
            "change 2",
            "change 3",
            "pong 3",
        ]


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
        await line.read()
        line.feed.wake()
        await line.came()
        assert not pending.done()
        table.answers = True
        line.ping(3)
        await line.read()
        assert (await pending).pong.nonce == 3


async def test_nothing_is_sent_before_the_first_read_succeeded() -> None:
    table = Table()
    table.answers = False
    line = Line(table)
    async with aclosing(line.updates):
        line.ping(1)
        pending = asyncio.ensure_future(anext(line.updates))
        await line.came()
        assert table.begun == 1
        assert not pending.done()
        table.answers = True
        await line.read()
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
        pending = asyncio.ensure_future(line.next())
        await line.read()
        assert await pending == "pong 1"
        assert line.feed.confirmed == 1


async def test_the_stream_ends_when_the_subscriber_hangs_up() -> None:
    line = Line(Table())
    line.ping(1)
    line.hang_up()
    async with asyncio.timeout(5):
        assert [update async for update in line.updates] == []
