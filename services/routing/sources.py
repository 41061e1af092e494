"""The authentic sources, over mTLS with certificates of institutions only.

Contract: `Sources.ask` gives what a source said or raises SOURCE_UNAVAILABLE (down, slow, busy, or
it refuses), SOURCE_INVALID (what it sent is no answer at all). The endpoint comes from the
directory at each call; a source that keeps failing is left alone for a moment (a circuit breaker),
so that its callers hear at once and it can recover; a slow one can't hold more than its share.
"""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import Protocol

from google.protobuf.message import DecodeError

from crossroads.institution.v1 import source_service_pb2 as api
from services.policy.model import Period
from services.routing.model import Caller, Inquiry
from services.runtime.channel import Channel
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason

FAILURES = 5
"""How many calls must fail in a row before a source is left alone."""

REST_SECONDS = (0.5, 10.0)
"""For how long: at first, and at most; it doubles with each failure of the one call that tries."""

CLOSE_SECONDS = 60.0
"""How long calls that are under way to a source that moved may still take."""

MAX_CALLS = 512
"""How many calls to one source may be under way."""


class Answering(Protocol):
    """SourceService.Answer of one source, its response unread: what comes may be anything."""

    async def __call__(
        self,
        request: api.AnswerRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - gRPC's own word
    ) -> bytes:
        """The response, serialized. Raises CrossroadsError."""
        ...


class Endpoint(Protocol):
    """A way to a source that can be closed."""

    @property
    def answer(self) -> Answering:
        """The call."""
        ...

    async def close(self) -> None:
        """Close it once its calls are done."""
        ...


class Way:
    """The way to a source over a channel."""

    def __init__(self, *, channel: Channel) -> None:
        self._channel = channel
        self.answer: Answering = channel.unary_unary(
            "/crossroads.institution.v1.SourceService/Answer", api.AnswerRequest.SerializeToString
        )

    async def close(self) -> None:
        """Close it once its calls are done."""
        await self._channel.close(CLOSE_SECONDS)


class Breaker:
    """Whether a source is worth asking."""

    __slots__ = ("_clock", "_failures", "_rest", "_trying", "_until")

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._rest = REST_SECONDS[0]
        self._until = 0.0
        self._trying = False

    def admits(self) -> bool:
        """Whether a call may be made. While the source rests, one may try when the rest is over."""
        if self._failures < FAILURES:
            return True
        if self._trying or self._clock.monotonic() < self._until:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures, self._rest, self._trying = 0, REST_SECONDS[0], False

    def failed(self) -> None:
        """A call was not answered."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = self._clock.monotonic() + self._rest
            if self._trying:
                self._rest = min(self._rest * 2, REST_SECONDS[1])
        self._trying = False

    def gave_up(self) -> None:
        """The caller went away: this says nothing of the source."""
        self._trying = False


class _Source:
    """What is held of one source."""

    __slots__ = ("address", "breaker", "calls", "endpoint")

    def __init__(self, address: str, endpoint: Endpoint, breaker: Breaker) -> None:
        self.address = address
        self.endpoint = endpoint
        self.breaker = breaker
        self.calls = 0


class Sources:
    """Asks sources. `address_of` gives host:port, "" for none; `connect` opens the way to it."""

    def __init__(
        self,
        *,
        address_of: Callable[[Caller], str],
        connect: Callable[[Caller, str], Endpoint],
        clock: Clock,
    ) -> None:
        self._address_of = address_of
        self._connect = connect
        self._clock = clock
        self._sources: dict[Caller, _Source] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def ask(self, source: Caller, inquiry: Inquiry, patience: float) -> bytes | None:
        """The answer's payload; None when the source has nothing. `patience` is in seconds."""
        held = self._held(source)
        if held.calls >= MAX_CALLS or not held.breaker.admits():
            raise unavailable()
        held.calls += 1
        try:
            response = await held.endpoint.answer(_request(inquiry), timeout=patience)
        except CrossroadsError as error:
            # The caller is never told the source's own words.
            if error.reason in _ITS_ANSWER:
                held.breaker.succeeded()
                raise invalid() from None
            held.breaker.failed()
            raise unavailable() from None
        except BaseException:
            held.breaker.gave_up()
            raise
        finally:
            held.calls -= 1
        held.breaker.succeeded()
        try:
            answer = api.AnswerResponse.FromString(response)
        except DecodeError:
            raise invalid() from None
        return answer.payload if answer.found else None

    async def close(self) -> None:
        """Close the way to every source."""
        for held in self._sources.values():
            self._retire(held.endpoint)
        self._sources.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    def _retire(self, endpoint: Endpoint) -> None:
        task = asyncio.get_running_loop().create_task(endpoint.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _held(self, source: Caller) -> _Source:
        """The way to the source, opened anew when it has moved."""
        address = self._address_of(source)
        held = self._sources.get(source)
        if held is not None and held.address == address:
            return held
        if held is not None:
            del self._sources[source]
            self._retire(held.endpoint)
        if not address:
            raise unavailable()
        endpoint = self._connect(source, address)
        held = self._sources[source] = _Source(address, endpoint, Breaker(clock=self._clock))
        return held


_ITS_ANSWER = frozenset(
    {
        Reason.INVALID_PAYLOAD,
        Reason.UNKNOWN_SERVICE,
        Reason.INVALID_ARGUMENT,
        Reason.INVALID_KEY,
        Reason.MESSAGE_TOO_LARGE,
    }
)
"""Failures by which a source shows that it is there, but contradicts the catalogue."""


def unavailable() -> CrossroadsError:
    """The source does not answer."""
    return CrossroadsError(
        Reason.SOURCE_UNAVAILABLE,
        "the source does not answer; nothing was released; retry later with the same request_id",
        retry_after=1.0,
    )


def invalid() -> CrossroadsError:
    """The source answers, but not as the catalogue says."""
    return CrossroadsError(
        Reason.SOURCE_INVALID,
        "the source answered something that is not the declared message; nothing was released; "
        "retry later with the same request_id",
        retry_after=1.0,
    )


def _request(inquiry: Inquiry) -> api.AnswerRequest:
    start, until = days(inquiry.period)
    request = api.AnswerRequest(
        exchange_id=inquiry.exchange_id,
        service=inquiry.service,
        version=inquiry.version,
        subject=inquiry.subject,
        question=inquiry.payload,
        until=until,
        elements=sorted(inquiry.elements),
    )
    if start:
        setattr(request, "from", start)  # a keyword in Python
    return request


def days(period: Period | None) -> tuple[str, str]:
    """The first and the last day of a period as YYYY-MM-DD, "" where it is open."""
    if period is None:
        return "", ""
    start = "" if period.start == date.min else period.start.isoformat()
    until = "" if period.end is None else (period.end - timedelta(days=1)).isoformat()
    return start, until
