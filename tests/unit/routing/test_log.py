"""The stream to the log: gathering, one batch in flight, what becomes of entries on a break."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from crossroads.logging.v1 import logging_service_pb2 as api
from services.proof.record import Kind
from services.routing.log import LogStream
from services.routing.model import Logged
from services.routing.records import Entry
from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import SystemIds


@dataclass
class Remote:
    """The other end: knows entries by id and nonce; breaks or refuses when told."""

    held: list[api.Entry] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    calls: int = 0
    break_after_append: int = 0
    break_at_once: int = 0
    silent: bool = False
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    refuse: str = ""

    def connect(self) -> "Call":
        self.calls += 1
        return Call(self)

    def take(self, entry: api.Entry) -> api.Acknowledgement:
        for index, each in enumerate(self.held):
            if (each.exchange_id, each.kind, each.attempt) == (
                entry.exchange_id,
                entry.kind,
                entry.attempt,
            ):
                return api.Acknowledgement(
                    outcome=api.OUTCOME_DUPLICATE,
                    index=index,
                    nonce=each.nonce,
                    question_mac=each.question_mac,
                    last_attempt=entry.attempt,
                )
        self.held.append(entry)
        return api.Acknowledgement(outcome=api.OUTCOME_APPENDED, index=len(self.held) - 1)


class Call:
    """One stream of it."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._request = api.AppendStreamRequest()

    async def write(self, request: api.AppendStreamRequest) -> None:
        await asyncio.sleep(0)
        self._request = request

    async def read(self) -> object:
        remote = self._remote
        remote.reading.set()
        if remote.silent:
            await asyncio.Event().wait()
        if remote.break_at_once:
            remote.break_at_once -= 1
            raise CrossroadsError(Reason.UNAVAILABLE, "the stream is over")
        remote.batches.append(len(self._request.entries))
        await asyncio.sleep(0)
        malformed = any(each.party == b"bad" for each in self._request.entries)
        if remote.refuse or malformed:
            refused = remote.refuse or "INVALID_ARGUMENT"
            return api.AppendStreamResponse(batch=self._request.batch, refused=refused)
        done = [remote.take(each) for each in self._request.entries]
        if remote.break_after_append:
            remote.break_after_append -= 1
            return None
        return api.AppendStreamResponse(batch=self._request.batch, acknowledgements=done)

    def cancel(self) -> bool:
        return True


@asynccontextmanager
async def stream(remote: Remote, **limits: float) -> AsyncIterator[LogStream]:
    log = LogStream(
        connect=remote.connect,
        clock=SystemClock(),
        ids=SystemIds(),
        **limits,  # type: ignore[arg-type] # a mix of int and float
    )
    task = asyncio.create_task(log.run())
    try:
        yield log
    finally:
        task.cancel()
        await asyncio.wait([task])


def entry(number: int = 0, party: bytes = b"{}") -> Entry:
    return Entry(
        number.to_bytes(16, "big"), Kind.REQUEST, 1, party, b"{}", b"{}", question_mac=b"m"
    )


def soon() -> float:
    return SystemClock().monotonic() + 5


async def test_entries_gather_while_a_batch_is_in_flight() -> None:
    remote = Remote()
    async with stream(remote) as log:
        done = await asyncio.gather(*(log.append(entry(n), soon()) for n in range(20)))
    assert sorted(each.log_index for each in done) == list(range(20))
    assert sum(remote.batches) == 20
    assert len(remote.batches) <= 2
    assert remote.calls == 1


async def test_lone_entry_goes_at_once() -> None:
    remote = Remote()
    async with stream(remote) as log:
        for n in range(3):
            await log.append(entry(n), soon())
    assert remote.batches == [1, 1, 1]


async def test_entries_of_unknown_fate_are_sent_again_and_recognised() -> None:
    remote = Remote(break_after_append=2)
    async with stream(remote) as log:
        done = await asyncio.gather(*(log.append(entry(n), soon()) for n in range(3)))
    assert {each.log_index for each in done} == {0, 1, 2}
    assert not any(each.duplicate for each in done)
    assert len(remote.held) == 3


async def test_entry_of_another_try_is_a_duplicate() -> None:
    remote = Remote()
    async with stream(remote) as log:
        await log.append(entry(), soon())
        assert await log.append(entry(), soon()) == Logged(True, 0, None, b"m", 1)


async def test_broken_stream_is_opened_again() -> None:
    remote = Remote(break_at_once=3)
    async with stream(remote) as log:
        assert not (await log.append(entry(), soon())).duplicate
    assert remote.calls == 4


async def test_log_that_says_nothing_is_unavailable_when_patience_ends() -> None:
    async with stream(Remote(silent=True), patience=0.05) as log:
        with pytest.raises(CrossroadsError) as raised:
            await log.append(entry(), soon())
    assert raised.value.reason is Reason.LOG_UNAVAILABLE
    assert raised.value.retryable


async def test_log_that_fell_silent_does_not_hold_what_comes_later() -> None:
    remote = Remote(silent=True)
    async with stream(remote, patience=0.05) as log:
        with pytest.raises(CrossroadsError):
            await log.append(entry(1), soon())
        remote.silent = False
        async with asyncio.timeout(5):
            while True:
                try:
                    await log.append(entry(2), soon())
                except CrossroadsError:
                    continue
                break
    assert remote.calls >= 2
    # What was given up is not sent after all.
    assert [each.exchange_id[-1] for each in remote.held] == [2]


async def test_batch_that_the_log_refuses_is_unavailable() -> None:
    async with stream(Remote(refuse="OVERLOADED")) as log:
        with pytest.raises(CrossroadsError) as raised:
            await log.append(entry(), soon())
    assert raised.value.reason is Reason.LOG_UNAVAILABLE


async def test_malformed_entry_fails_alone() -> None:
    remote = Remote()
    async with stream(remote) as log:
        asked = [log.append(entry(n, b"bad" if n == 2 else b"{}"), soon()) for n in range(5)]
        done = await asyncio.gather(*asked, return_exceptions=True)
    failed = [each for each in done if isinstance(each, CrossroadsError)]
    assert [each.reason for each in failed] == [Reason.INTERNAL]
    assert len(remote.held) == 4


async def test_full_queue_is_overloaded_and_frees_itself() -> None:
    remote = Remote(silent=True)
    async with stream(remote, patience=0.05, waiting_entries=2) as log:
        waiting = [asyncio.create_task(log.append(entry(n), soon())) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(CrossroadsError) as raised:
            await log.append(entry(3), soon())
        assert raised.value.reason is Reason.OVERLOADED
        assert raised.value.retry_after is not None
        await asyncio.wait(waiting)
        assert all(isinstance(each.exception(), CrossroadsError) for each in waiting)


async def test_room_of_those_who_gave_up_is_free_even_while_the_log_is_silent() -> None:
    remote = Remote(silent=True)
    async with stream(remote, patience=5.0, waiting_entries=3) as log:
        flying = asyncio.create_task(log.append(entry(0), soon()))
        await asyncio.wait_for(remote.reading.wait(), 5)
        gone = [asyncio.create_task(log.append(entry(n), soon())) for n in (1, 2)]
        await asyncio.sleep(0)
        for each in gone:
            each.cancel()
        await asyncio.wait(gone)
        waits = asyncio.create_task(log.append(entry(3), soon()))
        done, _ = await asyncio.wait([waits], timeout=0.05)
        assert done == set()
        for each in (waits, flying):
            each.cancel()
        await asyncio.wait([waits, flying])


async def test_caller_that_gave_up_is_not_sent() -> None:
    remote = Remote(silent=True)
    async with stream(remote) as log:
        first = asyncio.create_task(log.append(entry(1), soon()))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(log.append(entry(2), soon()))
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.wait([first, second])
    assert remote.held == []
