"""One wrapper around each handler: everything that the server does for every call.

Contract: the wrapper of a method is built once, when it is added. It joins the trace, reads the
peer, checks that it may call, requires a deadline (unary calls), bounds and parses the request,
checks its rules, and turns whatever the handler raises into a google.rpc.Status. There is no chain
of interceptors: it would cost more than the call. `abort()` is not used: inside a wrapper it raises
a bare exception, and a response generator fails late.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from services.runtime.call import CURRENT, Call
from services.runtime.callers import Admission, Directory
from services.runtime.deadline import exceeded
from services.runtime.errors import CrossroadsError, FieldViolation, Reason, malformed
from services.runtime.metrics import Histogram, HistogramSeries
from services.runtime.peer import Peer, Peers
from services.runtime.status import CODES, DETAILS_KEY, INTERNAL_TEXT, to_status, too_large
from services.runtime.streams import OpenStream, OpenStreams
from services.runtime.telemetry import (
    SERVER,
    TRACE,
    TRACEPARENT,
    Span,
    Telemetry,
    Trace,
    error_type,
    start_span,
)

MAX_MESSAGE = 4 * 1024 * 1024
"""Octets of one message; gRPC's own limit is higher, so that the refusal carries our reason."""

Validate = Callable[[Any], list[FieldViolation]]
Malformed = Callable[[Peer, CrossroadsError], CrossroadsError]
"""Told of a request that was refused before its handler saw it; gives the error to send."""

Context = grpc.aio.ServicerContext[Any, Any]

_logger = logging.getLogger(__name__)


class Shared:
    """What the methods of one server have in common. `directory` may change at any time."""

    def __init__(self, *, peers: Peers, telemetry: Telemetry, directory: Directory | None) -> None:
        self.peers = peers
        self.telemetry = telemetry
        self.directory = directory
        self.streams = OpenStreams()
        self.durations: Histogram = telemetry.metrics.histogram("rpc.server.call.duration")


class Entry:
    """One call under way: when it began, its trace, and its span when it is sampled."""

    __slots__ = ("call", "span", "started", "stream", "trace")

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.trace: Trace | None = None
        self.span: Span | None = None
        self.call: Call | None = None
        self.stream: OpenStream | None = None


class Method:
    """A method with its wrapper. `name` is "package.Service/Method"."""

    def __init__(
        self,
        *,
        name: str,
        handler: Any,
        admission: Admission,
        validate: Validate | None,
        shared: Shared,
        malformed: Malformed | None = None,
    ) -> None:
        self._name = name
        self._handler = handler
        self._admission = admission
        self._validate = validate
        self._malformed = malformed
        self._shared = shared
        self._parse: Callable[[bytes], Message] = handler.request_deserializer
        self._serialize: Callable[[Any], bytes] = handler.response_serializer
        self._unary = not (handler.request_streaming or handler.response_streaming)
        self._series: dict[str, HistogramSeries] = {}
        self._succeeded = self._series_of("OK", "")

    def wrapped(self) -> Any:
        """The handler to register with gRPC."""
        handler = self._handler
        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._streaming(handler.stream_stream), self._read, self._write
            )
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(
                self._streaming(handler.stream_unary), self._read, None
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._streaming(handler.unary_stream), None, self._write
            )
        return grpc.unary_unary_rpc_method_handler(self._single(handler.unary_unary), None, None)

    def _single(self, behaviour: Callable[[Any, Any], Any]) -> Any:
        """The wrapper of a call with one request and one response."""
        begin, read, write, succeed = self._begin, self._read, self._write, self._succeed

        async def handle(raw: bytes, context: Context) -> bytes:
            entry = Entry()
            try:
                begin(entry, context)
                response = write(await behaviour(read(raw), context))
            except BaseException as error:  # noqa: BLE001 - the one place that knows status codes
                self._fail(entry, context, error)
                return b""
            succeed(entry)
            return response

        return handle

    def _streaming(self, behaviour: Callable[[Any, Any], Any]) -> Any:
        """The wrapper of the three kinds of calls with a stream in them."""
        reads, writes = self._handler.request_streaming, self._handler.response_streaming
        generates = inspect.isasyncgenfunction(behaviour)

        async def serve(incoming: Any, context: Context) -> bytes | None:
            request = incoming if reads else self._read(incoming)
            if not generates:
                response = await behaviour(request, context)
                return None if writes else self._write(response)
            async with aclosing(behaviour(request, context)) as responses:
                async for response in responses:
                    await context.write(response)
            return None

        async def handle(incoming: AsyncIterator[Any] | bytes, context: Context) -> bytes | None:
            entry = Entry()
            try:
                self._begin(entry, context)
                response = await serve(incoming, context)
            except BaseException as error:  # noqa: BLE001 - the one place that knows status codes
                self._fail(entry, context, error)
                return None if writes else b""
            self._succeed(entry)
            return response

        return handle

    def _begin(self, entry: Entry, context: Context) -> None:
        """Who calls, may they, until when. Raises CrossroadsError."""
        shared = self._shared
        header = None
        metadata: Any = context.invocation_metadata() or ()
        for key, value in metadata:
            if key == TRACEPARENT:
                header = value
                break
        entry.trace = trace = shared.telemetry.join(header)
        if trace.sink is not None:
            entry.span = start_span(self._name, SERVER, trace)
            trace = entry.span.trace
        TRACE.set(trace)
        peer = shared.peers.of(context)
        self._admission.check(peer, shared.directory)
        left = context.time_remaining()
        if left is None:
            if self._unary:
                raise CrossroadsError(
                    Reason.DEADLINE_REQUIRED, "the call has no deadline; set one, of 10 s say"
                )
        elif left <= 0:
            raise exceeded()
        call = Call(peer, None if left is None else entry.started + left)
        entry.call = call
        CURRENT.set(call)
        if not self._unary:
            entry.stream = shared.streams.enter(peer, self._admission, open_ended=left is None)

    def _read(self, raw: bytes) -> Message:
        """The request in `raw`. Raises MESSAGE_TOO_LARGE or INVALID_ARGUMENT."""
        try:
            return self._parsed(raw)
        except CrossroadsError as error:
            call = CURRENT.get()
            if self._malformed is None or call is None:
                raise
            raise self._malformed(call.peer, error) from None

    def _parsed(self, raw: bytes) -> Message:
        if len(raw) > MAX_MESSAGE:
            raise too_large()
        try:
            request = self._parse(raw)
        except DecodeError:
            raise CrossroadsError(
                Reason.INVALID_ARGUMENT,
                "the request is not the message of this method; build it from the method's .proto",
            ) from None
        if self._validate is not None:
            violations = self._validate(request)
            if violations:
                raise malformed(violations)
        return request

    def _write(self, response: Any) -> bytes:
        """The response, serialized. Raises MESSAGE_TOO_LARGE."""
        raw = self._serialize(response)
        if len(raw) > MAX_MESSAGE:
            raise too_large()
        return raw

    def _succeed(self, entry: Entry) -> None:
        if entry.stream is not None:
            self._shared.streams.leave(entry.stream)
        self._succeeded.record(time.monotonic() - entry.started)
        if entry.span is not None:
            self._finish(entry.span, "OK", "")

    def _fail(self, entry: Entry, context: Context, error: BaseException) -> None:
        """Send the Status of `error`; raises again what must go on up."""
        stream = entry.stream
        if stream is not None:
            self._shared.streams.leave(stream)
            if isinstance(error, asyncio.CancelledError) and stream.ended is not None:
                stream.task.uncancel()
                error = stream.ended
        if isinstance(error, asyncio.CancelledError) and not _is_cancelled():
            error = CrossroadsError(Reason.UNAVAILABLE, "the call was cut off; retry")
        if not isinstance(error, CrossroadsError) and _is_late(entry, error):
            late = exceeded()
            error = late if isinstance(error, Exception) else error
            self._record(entry, "DEADLINE_EXCEEDED", str(late.reason))
        elif isinstance(error, CrossroadsError):
            self._record(entry, CODES[error.reason].name, str(error.reason))
        else:
            code = "CANCELLED" if isinstance(error, asyncio.CancelledError) else "INTERNAL"
            self._record(entry, code, error_type(error))
        if not isinstance(error, Exception) or isinstance(error, grpc.aio.AbortError):
            raise error
        self._send(entry, context, self._known(error))

    def _known(self, error: Exception) -> CrossroadsError:
        """The error to send: an unknown exception says nothing of itself to the caller."""
        if isinstance(error, CrossroadsError) and error.reason is not Reason.INTERNAL:
            return error
        _logger.error("%s failed", self._name, exc_info=error)
        return CrossroadsError(Reason.INTERNAL, INTERNAL_TEXT)

    def _send(self, entry: Entry, context: Context, error: CrossroadsError) -> None:
        status = to_status(error, entry.trace.trace_id if entry.trace is not None else "")
        context.set_code(CODES[error.reason])
        context.set_details(status.message)
        context.set_trailing_metadata(((DETAILS_KEY, status.SerializeToString()),))

    def _record(self, entry: Entry, code: str, error: str) -> None:
        series = self._series.get(f"{code} {error}") or self._series_of(code, error)
        series.record(time.monotonic() - entry.started)
        if entry.span is not None:
            self._finish(entry.span, code, error)

    def _finish(self, span: Span, code: str, error: str) -> None:
        span.set("rpc.system.name", "grpc")
        span.set("rpc.method", self._name)
        span.set("rpc.status_code", code)
        span.finish(error)

    def _series_of(self, code: str, error: str) -> HistogramSeries:
        attributes = {"rpc.system.name": "grpc", "rpc.method": self._name, "rpc.status_code": code}
        if error:
            attributes["error.type"] = error
        series = self._shared.durations.bind(attributes)
        self._series[f"{code} {error}"] = series
        return series


def _is_cancelled() -> bool:
    """Whether the call itself was cancelled, not something that its handler waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_late(entry: Entry, error: BaseException) -> bool:
    """Whether a call was cut off, or ran into a time limit, because its deadline has passed."""
    if not isinstance(error, asyncio.CancelledError | TimeoutError):
        return False
    call = entry.call
    return call is not None and call.deadline is not None and call.deadline <= time.monotonic()
