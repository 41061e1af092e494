"""The subscriber's copy: verified before it is seen, and current only while the lease runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from crossroads.watch.v1.watch_pb2 import Change, Ping, Row, Snapshot, Update
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.watch.messages import pong
from services.runtime.watch.replica import SILENT_PINGS, Replica
from services.runtime.watch.rows import RowHashes


class StoppedClock:
    """Monotonic time that only the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


async def digest_of(rows: Mapping[str, bytes]) -> bytes:
    hashes = RowHashes()
    for key, value in rows.items():
        hashes.put(key, value)
    return await hashes.digest()


async def snapshot(version: int, rows: Mapping[str, bytes]) -> Update:
    parts = [Row(key=key, value=value) for key, value in rows.items()]
    digest = await digest_of(rows)
    return Update(snapshot=Snapshot(version=version, rows=parts, last=True, digest=digest))


async def change(version: int, row: Row, after: Mapping[str, bytes]) -> Update:
    digest = await digest_of(after)
    return Update(change=Change(version=version, rows=[row], digest=digest))


class Owner:
    """The other end, played by the test: one object for all streams that are opened."""

    def __init__(self) -> None:
        self.pings: asyncio.Queue[Ping] = asyncio.Queue()
        self.streams = 0
        self._sent: asyncio.Queue[Update | Exception] = asyncio.Queue()

    async def connect(self, pings: AsyncIterator[Ping]) -> AsyncIterator[Update]:
        self.streams += 1
        self._sent = asyncio.Queue()
        listener = asyncio.create_task(self._listen(pings))
        try:
            while True:
                update = await self._sent.get()
                if isinstance(update, Exception):
                    raise update
                yield update
        finally:
            listener.cancel()

    async def _listen(self, pings: AsyncIterator[Ping]) -> None:
        async for ping in pings:
            self.pings.put_nowait(ping)

    async def ping(self) -> Ping:
        async with asyncio.timeout(5):
            return await self.pings.get()

    def send(self, *updates: Update) -> None:
        for update in updates:
            self._sent.put_nowait(update)

    def fail(self, error: Exception) -> None:
        self._sent.put_nowait(error)


def text(_key: str, value: bytes) -> str:
    return value.decode()


@asynccontextmanager
async def running(
    owner: Owner, clock: StoppedClock, *, ping_seconds: float = 0.005
) -> AsyncIterator[Replica[str]]:
    replica = Replica(
        name="letters", connect=owner.connect, decode=text, clock=clock, ping_seconds=ping_seconds
    )
    task = asyncio.create_task(replica.run())
    yield replica
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - many things are waited for
            await asyncio.sleep(0.001)


async def started(owner: Owner, rows: Mapping[str, bytes], version: int = 1) -> None:
    ping = await owner.ping()
    owner.send(await snapshot(version, rows), pong(ping.nonce, version))


async def test_a_snapshot_and_its_pong_make_the_replica_ready() -> None:
    owner = Owner()
    async with running(owner, StoppedClock()) as replica:
        with pytest.raises(CrossroadsError) as refused:
            replica.require()
        assert refused.value.reason is Reason.LEASE_EXPIRED
        assert refused.value.retry_after == 0.5
        await started(owner, {"a": b"1", "b": b"2"})
        async with asyncio.timeout(5):
            await replica.ready()
        replica.require()
        assert dict(replica.items()) == {"a": "1", "b": "2"}
        assert (replica.version, replica.get("a"), replica.get("c")) == (1, "1", None)


async def test_a_snapshot_alone_gives_no_lease() -> None:
    owner = Owner()
    async with running(owner, StoppedClock()) as replica:
        await owner.ping()
        owner.send(await snapshot(1, {"a": b"1"}))
        await until(lambda: replica.version == 1)
        assert not replica.lease_holds()


async def test_the_lease_runs_from_the_sending_of_the_ping_not_from_its_answer() -> None:
    owner, clock = Owner(), StoppedClock()
    async with running(owner, clock) as replica:
        ping = await owner.ping()
        clock.seconds += 1.9
        owner.send(await snapshot(1, {"a": b"1"}), pong(ping.nonce, 1))
        await until(replica.lease_holds)
        clock.seconds += 0.2
        assert not replica.lease_holds()


async def test_pongs_that_lay_in_the_buffer_renew_nothing() -> None:
    owner, clock = Owner(), StoppedClock()
    async with running(owner, clock, ping_seconds=0.02) as replica:
        await started(owner, {"a": b"1"})
        await until(replica.lease_holds)
        before = await owner.ping()
        clock.seconds += 8
        owner.send(await change(2, Row(key="a", value=b"2"), {"a": b"2"}), pong(before.nonce, 2))
        await until(lambda: replica.version == 2)
        assert not replica.lease_holds()
        after = await owner.ping()
        while after.resume_version < 2:
            after = await owner.ping()
        owner.send(pong(after.nonce, 2))
        await until(replica.lease_holds)


async def test_an_old_pong_does_not_shorten_the_lease() -> None:
    owner, clock = Owner(), StoppedClock()
    async with running(owner, clock) as replica:
        await started(owner, {})
        await until(replica.lease_holds)
        clock.seconds += 1.5
        while owner.pings.qsize():
            await owner.ping()
        newest = await owner.ping()
        newest = await owner.ping()
        owner.send(pong(newest.nonce, 1))
        clock.seconds += 1.0
        await until(replica.lease_holds)


@pytest.mark.parametrize(
    "wrong",
    [
        Update(change=Change(version=3, rows=[Row(key="a", deleted=True)], digest=b"d")),
        Update(change=Change(version=2, rows=[Row(key="a", deleted=True)], digest=b"d")),
        Update(change=Change(version=2, rows=[Row(key="a", value=b"\xff")], digest=b"d")),
        Update(snapshot=Snapshot(version=2, last=True, digest=b"d")),
        pong(10**9, 1),
    ],
    ids=["gap", "digest of a change", "unreadable row", "digest of a snapshot", "unasked pong"],
)
async def test_what_cannot_be_verified_ends_the_lease_and_asks_for_a_snapshot(
    wrong: Update,
) -> None:
    owner = Owner()
    async with running(owner, StoppedClock()) as replica:
        await started(owner, {"a": b"1"})
        await until(replica.lease_holds)
        owner.send(wrong)
        await until(lambda: owner.streams == 2)
        assert not replica.lease_holds()
        assert dict(replica.items()) == {"a": "1"}
        while (ping := await owner.ping()).nonce != 1:
            pass
        if wrong.WhichOneof("update") != "pong":
            assert ping.resume_version == 0
        owner.send(await snapshot(5, {"b": b"2"}), pong(ping.nonce, 5))
        await until(replica.lease_holds)
        assert dict(replica.items()) == {"b": "2"}


async def test_a_pong_ahead_of_what_arrived_is_not_believed() -> None:
    owner = Owner()
    async with running(owner, StoppedClock()) as replica:
        ping = await owner.ping()
        owner.send(await snapshot(1, {}), pong(ping.nonce, 2))
        await until(lambda: owner.streams == 2)
        assert not replica.lease_holds()


async def test_a_lost_stream_is_resumed_and_the_lease_runs_on() -> None:
    owner = Owner()
    async with running(owner, StoppedClock()) as replica:
        await started(owner, {"a": b"1"})
        await until(replica.lease_holds)
        owner.fail(ConnectionError())
        await until(lambda: owner.streams == 2)
        assert replica.lease_holds()
        while (ping := await owner.ping()).nonce != 1:
            pass
        assert (ping.resume_version, ping.digest) == (1, await digest_of({"a": b"1"}))
        owner.send(await change(2, Row(key="a", deleted=True), {}), pong(ping.nonce, 2))
        await until(lambda: replica.version == 2)
        assert replica.items() == []


async def test_half_a_change_before_a_lost_stream_is_forgotten() -> None:
    owner = Owner()
    async with running(owner, StoppedClock()) as replica:
        await started(owner, {"a": b"1"})
        await until(replica.lease_holds)
        owner.send(Update(change=Change(version=2, rows=[Row(key="b", value=b"2")])))
        owner.fail(ConnectionError())
        await until(lambda: owner.streams == 2)
        while (ping := await owner.ping()).nonce != 1:
            pass
        assert ping.resume_version == 0
        assert dict(replica.items()) == {"a": "1"}


async def test_changes_without_a_digest_are_applied_with_the_one_that_has_it() -> None:
    owner = Owner()
    seen: list[tuple[Sequence[tuple[str, str | None]], int]] = []
    async with running(owner, StoppedClock()) as replica:
        replica.on_change(lambda changes, version, _digest: seen.append((changes, version)))
        await started(owner, {"a": b"1"})
        await until(replica.lease_holds)
        owner.send(
            Update(change=Change(version=2, rows=[Row(key="b", value=b"2")])),
            Update(change=Change(version=2, rows=[Row(key="c", value=b"3")])),
            await change(3, Row(key="a", deleted=True), {"b": b"2", "c": b"3"}),
        )
        await until(lambda: replica.version == 3)
        assert dict(replica.items()) == {"b": "2", "c": "3"}
    assert seen == [([("b", "2"), ("c", "3"), ("a", None)], 3)]


async def test_an_index_is_built_before_the_snapshot_is_in_place() -> None:
    owner = Owner()
    index: list[str] = []
    async with running(owner, StoppedClock()) as replica:

        async def build(rows: Mapping[str, str], version: int, digest: bytes) -> None:
            await asyncio.sleep(0)
            assert replica.version == 0
            assert (version, digest) == (7, await digest_of({"a": b"1"}))
            index.extend(rows.values())

        replica.on_snapshot(build)
        await started(owner, {"a": b"1"}, version=7)
        await until(replica.lease_holds)
        assert index == ["1"]


async def test_a_snapshot_of_two_versions_is_refused() -> None:
    owner = Owner()
    async with running(owner, StoppedClock()) as replica:
        await owner.ping()
        owner.send(Update(snapshot=Snapshot(version=1)), await snapshot(2, {}))
        await until(lambda: owner.streams == 2)
        assert replica.version == 0


async def test_a_stream_on_which_the_owner_is_silent_is_given_up() -> None:
    owner = Owner()
    async with running(owner, StoppedClock(), ping_seconds=0.001):
        await until(lambda: owner.streams >= 2)
        assert owner.pings.qsize() >= SILENT_PINGS


async def test_a_cancelled_replica_ends_though_the_stream_fails_in_the_same_moment() -> None:
    reading = asyncio.Event()

    async def connect(pings: AsyncIterator[Ping]) -> AsyncIterator[Update]:
        ping = await anext(pings)
        yield await snapshot(1, {})
        reading.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # So does gRPC when the owner hung up before it heard of the cancellation.
            raise ConnectionError from None
        yield pong(ping.nonce, 1)

    replica = Replica(name="letters", connect=connect, decode=text, clock=StoppedClock())
    task = asyncio.create_task(replica.run())
    await reading.wait()
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


async def test_the_pings_of_a_lost_stream_end() -> None:
    ended = asyncio.Event()

    async def send(pings: AsyncIterator[Ping]) -> None:
        async for _ in pings:
            pass
        ended.set()

    async def connect(pings: AsyncIterator[Ping]) -> AsyncIterator[Update]:
        sending.append(asyncio.create_task(send(pings)))
        yield await snapshot(1, {})
        raise ConnectionError

    sending: list[asyncio.Task[None]] = []
    replica = Replica(name="letters", connect=connect, decode=text, clock=StoppedClock())
    task = asyncio.create_task(replica.run())
    async with asyncio.timeout(5):
        await ended.wait()
    task.cancel()
    await asyncio.wait([task, *sending])
