"""The client's side of a call: deadline, trace, errors, and certificates that rotate.

Contract: a `Channel` looks like a grpc.aio.Channel to generated stubs. It adds W3C traceparent and
a deadline (what remains of the call being served, less a margin; otherwise a default), opens a span
when the call is sampled, and raises CrossroadsError instead of AioRpcError. When the certificate
rotates it makes a new underlying channel, and closes the old one when its calls are done; so it
does when a call fails for want of a connection, once in UNCONNECTED_SECONDS at most.

A call that is answered by one message is a coroutine. One answered by a stream is a `StreamCall`:
iterate it, or `read` and `write`. What bounds it is in `StreamCall`.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any

import grpc

from services.runtime.certificates import Certificates
from services.runtime.deadline import onward
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.metrics import HistogramSeries
from services.runtime.status import CODES, from_rpc_error
from services.runtime.streamcall import Link, StreamCall
from services.runtime.telemetry import CLIENT, TRACE, TRACEPARENT, Span, Telemetry, start_span

DEFAULT_TIMEOUT = 10.0
SILENCE_SECONDS = 35.0
"""How long a server may answer nothing at all, while a call waits, before its connection ends."""

SERVICE_SILENCE_SECONDS = 3.0
"""The same for our own services: one that is stopped must be replaced by its standby within 5 s
(docs/decisions/0043)."""

UNCONNECTED_SECONDS = 5.0
"""How old an underlying channel without a connection must be for a new one to take its place.

In a cluster the name of a service that has no pod is unknown, and gRPC asks for an unknown name
ever more seldom, up to two minutes apart, which nothing configures: a new channel asks at once."""

HARD_LIMIT = 5 * 1024 * 1024
NAME_SUFFIX = ".crossroads.internal"

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", HARD_LIMIT),
    ("grpc.max_send_message_length", HARD_LIMIT),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long a connection may take to be made. On a busy machine a handshake takes its time.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # In a cluster an address ends with its pod; gRPC would ask for the new one after half a minute.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.service_config_disable_resolution", 1),
    # A channel shares no connection with another: a new certificate means a new handshake.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)

Metadata = Iterable[tuple[str, str | bytes]]


class Channel:
    """A channel to one server.

    `target` is host:port, `name` what its certificate must name (without .crossroads.internal),
    `trust` the PEM of the intermediate that issues to such servers. Where `target` leads to several
    addresses, the first that serves is called, and the next when its connection ends: a server that
    says nothing at all for `silence` seconds is given up. Make it inside the event loop.
    """

    def __init__(
        self,
        *,
        target: str,
        name: str,
        certificates: Certificates,
        trust: bytes,
        telemetry: Telemetry | None = None,
        default_timeout: float = DEFAULT_TIMEOUT,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self.name = name
        self._silence = silence
        self.telemetry = telemetry or Telemetry()
        self.default_timeout = default_timeout
        self._target = target
        self._certificates = certificates
        self._trust = trust
        self._closing: set[asyncio.Task[None]] = set()
        self._durations = self.telemetry.metrics.histogram("rpc.client.call.duration")
        self._series: dict[tuple[str, str], HistogramSeries] = {}
        self.link = self._open()
        self._forget = certificates.on_rotate(self._swap)

    def unary_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool = False,
    ) -> "UnaryCalls":
        """For generated stubs: calls with one request and one response."""
        return UnaryCalls(self, "unary_unary", method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool = False,
    ) -> "StreamCalls":
        """For generated stubs: calls answered by a stream."""
        return StreamCalls(self, "unary_stream", method, request_serializer, response_deserializer)

    def stream_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool = False,
    ) -> "StreamCalls":
        """For generated stubs: calls that send a stream; await the call for its response."""
        return StreamCalls(self, "stream_unary", method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool = False,
    ) -> "StreamCalls":
        """For generated stubs: calls with a stream in both directions."""
        return StreamCalls(self, "stream_stream", method, request_serializer, response_deserializer)

    async def close(self, grace: float | None = None) -> None:
        """End the channel; calls under way get `grace` seconds."""
        self._forget()
        await self.link.channel.close(grace)
        if self._closing:
            await asyncio.wait(self._closing)

    async def ready(self) -> None:
        """Return when connected; bound it with asyncio.timeout."""
        await self.link.channel.channel_ready()

    def failure(self, error: grpc.aio.AioRpcError) -> CrossroadsError:
        """What went wrong, from this side: at the handshake the server can't give its reason."""
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            self._renew()
        known = from_rpc_error(error, self.name)
        if known.reason is Reason.UNAVAILABLE and self._certificates.expired:
            text = f"{self.name} is not reached: this side's certificate has expired; renew it"
            return CrossroadsError(Reason.UNAUTHENTICATED, text)
        return known

    def record(self, method: str, started: float, code: str, error: str, span: Span | None) -> None:
        """Note how a call ended: `code` is the name of its status, `error` its error.type."""
        key = (method, f"{code} {error}")
        series = self._series.get(key)
        if series is None:
            attributes = {"rpc.system.name": "grpc", "rpc.method": method, "rpc.status_code": code}
            if error:
                attributes["error.type"] = error
            series = self._series[key] = self._durations.bind(attributes)
        series.record(time.monotonic() - started)
        if span is not None:
            span.set("rpc.system.name", "grpc")
            span.set("rpc.method", method)
            span.set("rpc.status_code", code)
            span.finish(error)

    def _open(self) -> Link:
        options = (
            *OPTIONS,
            *_keepalive(self._silence),
            ("grpc.ssl_target_name_override", f"{self.name}{NAME_SUFFIX}"),
        )
        credentials = self._certificates.channel_credentials(self._trust)
        return Link(grpc.aio.secure_channel(self._target, credentials, options=options))

    def _renew(self) -> None:
        """Ask for the server's address afresh, unless that was done just now."""
        lost = self.link.channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE
        if lost and time.monotonic() - self.link.opened > UNCONNECTED_SECONDS:
            self._swap()

    def _swap(self) -> None:
        """Use a new underlying channel, with the certificate of now, from the next call on."""
        old, self.link = self.link, self._open()
        self.link.channel.get_state(try_to_connect=True)
        old.retire(self._close)

    def _close(self, link: Link) -> None:
        task = asyncio.get_running_loop().create_task(link.channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Calls:
    """What the four kinds have in common: the multicallable on the link of the moment."""

    def __init__(
        self, channel: Channel, kind: str, method: str, serialize: Any, deserialize: Any
    ) -> None:
        self._channel = channel
        self._kind = kind
        self._path = method
        self._name = method.removeprefix("/")
        self._serialize = serialize
        self._deserialize = deserialize
        self._link: Link | None = None
        self._multicallable: Any = None

    def _on(self, link: Link) -> Callable[..., Any]:
        if link is not self._link:
            make = getattr(link.channel, self._kind)
            self._multicallable = make(self._path, self._serialize, self._deserialize)
            self._link = link
        return self._multicallable  # type: ignore[no-any-return] # the stubs' types don't matter here

    def _trace(self, metadata: Metadata | None) -> tuple[Span | None, tuple[Any, ...]]:
        """The span of a sampled call, and the metadata to send."""
        trace = TRACE.get() or self._channel.telemetry.begin()
        span = None
        if trace.sink is not None:
            span = start_span(self._name, CLIENT, trace)
            span.set("server.name", self._channel.name)
            trace = span.trace
        own = (TRACEPARENT, trace.header)
        return span, (own, *metadata) if metadata else (own,)


class UnaryCalls(_Calls):
    """Calls with one request and one response."""

    async def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - gRPC's own, sent to the server
        metadata: Metadata | None = None,
        wait_for_ready: bool | None = None,
    ) -> Any:
        """The response. `timeout` in seconds, at most what remains. Raises CrossroadsError."""
        channel = self._channel
        started = time.monotonic()
        left = onward(timeout)
        span, sent = self._trace(metadata)
        link = channel.link
        link.calls += 1
        code, failure = "CANCELLED", "CancelledError"
        try:
            response = await self._on(link)(
                request,
                timeout=channel.default_timeout if left is None else left,
                metadata=sent,
                wait_for_ready=wait_for_ready,
            )
            code, failure = "OK", ""
        except grpc.aio.AioRpcError as error:
            known = channel.failure(error)
            code, failure = CODES[known.reason].name, str(known.reason)
            raise known from error
        else:
            return response
        finally:
            link.release()
            channel.record(self._name, started, code, failure, span)


class StreamCalls(_Calls):
    """Calls with a stream in them."""

    def __call__(
        self,
        request: Any = None,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        wait_for_ready: bool | None = None,
    ) -> StreamCall:
        """The call. `request` is a message, or what yields them; none to use `write`.

        `timeout` in seconds bounds the whole stream. Without one, a stream in both directions is
        open-ended; the others end with the call being served. Raises CrossroadsError.
        """
        channel = self._channel
        both = self._kind == "stream_stream"
        left = timeout if both else onward(timeout)
        span, sent = self._trace(metadata)
        link = channel.link
        arguments: list[AsyncIterable[Any] | Any] = [] if request is None else [request]
        call = self._on(link)(
            *arguments, timeout=left, metadata=sent, wait_for_ready=wait_for_ready
        )
        started = time.monotonic()

        def ended(code: str, error: str) -> None:
            channel.record(self._name, started, code, error, span)

        return StreamCall(call, link, peer=channel.name, failure=channel.failure, ended=ended)


def _keepalive(silence: float) -> tuple[tuple[str, int], ...]:
    """Ask whether anybody is there, and wait for the answer: together `silence` seconds."""
    answer = min(silence / 2, 5.0)
    return (
        ("grpc.keepalive_time_ms", round((silence - answer) * 1000)),
        ("grpc.keepalive_timeout_ms", round(answer * 1000)),
        # One ping is under way at a time: one that measures the connection would be waited for.
        ("grpc.http2.ping_timeout_ms", round(answer * 1000)),
    )
