"""Asking a source: its failures are told apart, and one that keeps failing is left alone."""

import asyncio
from datetime import date

import pytest

from crossroads.institution.v1 import source_service_pb2 as api
from services.policy.model import Period
from services.routing.model import Inquiry
from services.routing.sources import FAILURES, MAX_CALLS, Sources, days
from services.runtime.errors import CrossroadsError, Reason
from tests.support.exchanges import KNOWN, ONSS, TestClock

INQUIRY = Inquiry(b"x" * 16, "periods", 1, KNOWN, b"q", None, frozenset({"b", "a"}))


class Way:
    """An endpoint that does as the test says."""

    def __init__(self) -> None:
        self.requests: list[api.AnswerRequest] = []
        self.response = api.AnswerResponse(found=True, payload=b"p").SerializeToString()
        self.error: CrossroadsError | None = None
        self.gate: asyncio.Event | None = None
        self.closed = 0

    async def answer(
        self,
        request: api.AnswerRequest,
        *,
        timeout: float,  # noqa: ASYNC109
    ) -> bytes:
        self.requests.append(request)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.response

    async def close(self) -> None:
        self.closed += 1


class Fixture:
    def __init__(self) -> None:
        self.clock = TestClock()
        self.way = Way()
        self.address = "localhost:1"
        self.opened: list[str] = []
        self.sources = Sources(
            address_of=lambda _: self.address,
            connect=self._connect,
            clock=self.clock,
        )

    def _connect(self, source: object, address: str) -> Way:
        self.opened.append(address)
        return self.way

    async def ask(self) -> bytes | None:
        return await self.sources.ask(ONSS, INQUIRY, 1.0)

    async def fail(self) -> Reason:
        with pytest.raises(CrossroadsError) as raised:
            await self.ask()
        assert raised.value.retryable
        return raised.value.reason


async def test_answer_comes_with_what_was_asked() -> None:
    fixture = Fixture()
    assert await fixture.ask() == b"p"
    (request,) = fixture.way.requests
    assert (request.subject, list(request.elements)) == (KNOWN, ["a", "b"])
    fixture.way.response = api.AnswerResponse().SerializeToString()
    assert await fixture.ask() is None


async def test_octets_that_are_no_response_are_invalid() -> None:
    fixture = Fixture()
    fixture.way.response = b"\xff\xff"
    assert await fixture.fail() is Reason.SOURCE_INVALID


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Reason.UNAVAILABLE, Reason.SOURCE_UNAVAILABLE),
        (Reason.DEADLINE_EXCEEDED, Reason.SOURCE_UNAVAILABLE),
        (Reason.INTERNAL, Reason.SOURCE_UNAVAILABLE),
        (Reason.CALLER_NOT_ALLOWED, Reason.SOURCE_UNAVAILABLE),
        (Reason.INVALID_PAYLOAD, Reason.SOURCE_INVALID),
        (Reason.MESSAGE_TOO_LARGE, Reason.SOURCE_INVALID),
    ],
)
async def test_failure_of_a_source_is_told_in_our_words(reason: Reason, told: Reason) -> None:
    fixture = Fixture()
    fixture.way.error = CrossroadsError(reason, f"about {KNOWN}")
    with pytest.raises(CrossroadsError) as raised:
        await fixture.ask()
    assert raised.value.reason is told
    assert KNOWN not in raised.value.message


async def test_source_that_keeps_failing_rests_and_is_tried_by_one_call() -> None:
    fixture = Fixture()
    fixture.way.error = CrossroadsError(Reason.UNAVAILABLE, "down")
    for _ in range(FAILURES + 3):
        assert await fixture.fail() is Reason.SOURCE_UNAVAILABLE
    assert len(fixture.way.requests) == FAILURES
    fixture.clock.pass_(0.6)
    fixture.way.gate = asyncio.Event()
    trying = asyncio.create_task(fixture.ask())
    await asyncio.sleep(0)
    await fixture.fail()
    assert len(fixture.way.requests) == FAILURES + 1
    fixture.way.error = None
    fixture.way.gate.set()
    assert await trying == b"p"
    assert await fixture.ask() == b"p"


async def test_source_rests_longer_each_time_it_fails_again() -> None:
    fixture = Fixture()
    fixture.way.error = CrossroadsError(Reason.UNAVAILABLE, "down")
    for _ in range(FAILURES):
        await fixture.fail()
    fixture.clock.pass_(0.6)
    await fixture.fail()
    fixture.clock.pass_(0.6)
    await fixture.fail()
    assert len(fixture.way.requests) == FAILURES + 2
    fixture.clock.pass_(0.6)
    await fixture.fail()
    assert len(fixture.way.requests) == FAILURES + 2


async def test_slow_source_holds_no_more_than_its_share() -> None:
    fixture = Fixture()
    fixture.way.gate = asyncio.Event()
    calls = [asyncio.create_task(fixture.ask()) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)
    assert await fixture.fail() is Reason.SOURCE_UNAVAILABLE
    fixture.way.gate.set()
    assert await asyncio.gather(*calls) == [b"p"] * MAX_CALLS


async def test_source_that_moved_is_asked_where_it_is_now() -> None:
    fixture = Fixture()
    await fixture.ask()
    fixture.address = "localhost:2"
    await fixture.ask()
    assert fixture.opened == ["localhost:1", "localhost:2"]
    fixture.address = ""
    assert await fixture.fail() is Reason.SOURCE_UNAVAILABLE
    await fixture.sources.close()
    assert fixture.way.closed == 2


def test_days_are_those_that_are_included() -> None:
    assert days(None) == ("", "")
    assert days(Period(date.min, date(2021, 1, 1))) == ("", "2020-12-31")
    assert days(Period(date(2020, 1, 1))) == ("2020-01-01", "")
