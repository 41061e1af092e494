"""A stream as its client sees it, and the connection that it holds on to.

Contract: `StreamCall` gives messages (`async for`, or `read`) and takes them (`write`); what the
server or the transport fails with comes out as CrossroadsError. Use it as an async context manager
so that leaving the block ends the stream. A server ends every connection within ten minutes: who
holds a stream open for long opens it again when it ends with UNAVAILABLE.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Self

import grpc

from services.runtime.errors import CrossroadsError, Reason
from services.runtime.status import CODES


class Link:
    """One underlying channel, opened when (monotonic, seconds), and how many calls are on it."""

    __slots__ = ("_close", "calls", "channel", "opened")

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.opened = time.monotonic()
        self.calls = 0
        self._close: Callable[[Link], None] | None = None

    def release(self) -> None:
        """A call is over."""
        self.calls -= 1
        if self.calls == 0 and self._close is not None:
            self._close(self)

    def retire(self, close: Callable[["Link"], None]) -> None:
        """No new calls come; have `close` called when the last one is over."""
        self._close = close
        if self.calls == 0:
            close(self)


class StreamCall:
    """One call with a stream in it; see the module."""

    def __init__(
        self,
        call: Any,
        link: Link,
        *,
        peer: str,
        failure: Callable[[grpc.aio.AioRpcError], CrossroadsError],
        ended: Callable[[str, str], None],
    ) -> None:
        self._call = call
        self._link = link
        self._peer = peer
        self._failure = failure
        self._ended = ended
        self._error: CrossroadsError | None = None
        link.calls += 1
        call.add_done_callback(self._done)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        message = await self.read()
        if message is None:
            raise StopAsyncIteration
        return message

    async def read(self) -> Any:
        """The next message, None when the server has ended the stream. Raises CrossroadsError."""
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise self._known(error) from error
        return None if message is grpc.aio.EOF else message

    async def write(self, message: Any) -> None:
        """Send one message; returns when the transport has taken it. Raises CrossroadsError."""
        try:
            await self._call.write(message)
        except grpc.aio.AioRpcError as error:
            raise self._known(error) from error
        except asyncio.InvalidStateError as error:
            over = CrossroadsError(Reason.UNAVAILABLE, f"the stream to {self._peer} is over; retry")
            raise self._error or over from error

    async def done_writing(self) -> None:
        """Say that no more messages come."""
        try:
            await self._call.done_writing()
        except grpc.aio.AioRpcError as error:
            raise self._known(error) from error

    def __await__(self) -> Generator[Any, None, Any]:
        """The response of a call that sends a stream and gets one message."""
        return self._response().__await__()

    async def _response(self) -> Any:
        try:
            return await self._call
        except grpc.aio.AioRpcError as error:
            raise self._known(error) from error

    def cancel(self) -> None:
        """End the stream now."""
        self._call.cancel()

    def done(self) -> bool:
        """Whether it is over."""
        return bool(self._call.done())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._call.cancel()

    def _known(self, error: grpc.aio.AioRpcError) -> CrossroadsError:
        self._error = self._failure(error)
        return self._error

    def _done(self, _: Any) -> None:
        self._link.release()
        if self._error is not None:
            self._ended(CODES[self._error.reason].name, str(self._error.reason))
        elif self._call.cancelled():
            self._ended("CANCELLED", "")
        else:
            # The status is there, but only as a coroutine that answers at once.
            asyncio.ensure_future(self._call.code()).add_done_callback(self._coded)

    def _coded(self, code: "asyncio.Future[grpc.StatusCode]") -> None:
        if not code.cancelled() and code.exception() is None:
            name = code.result().name
            self._ended(name, "" if name == "OK" else name)
