"""Traces: W3C Trace Context, and spans that cost next to nothing in a call that is not sampled.

Contract: whether a call is sampled is decided once, before anything is made: by the caller's flag
if it sent one, else by the ratio. A sampled call's spans go to the sink (`otlp`, when an endpoint
is configured); of one that is not, only the header travels on. Spans follow the semantic
conventions of RPC; they never hold a personal identifier.
"""

import random
import time
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Protocol, Self

from services.runtime.errors import CrossroadsError
from services.runtime.metrics import Metrics

TRACEPARENT = "traceparent"
_HEX = frozenset("0123456789abcdef")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16

INTERNAL, SERVER, CLIENT = 1, 2, 3
"""Kinds of spans, numbered as in OTLP."""

Attribute = str | int | float | bool


class Trace:
    """Where a call is in its trace: W3C trace id and span id, in hexadecimal.

    `sink` takes the spans; None when nothing is recorded here. `root`: the span of this id is yet
    to be started, as the first of its trace.
    """

    __slots__ = ("header", "root", "sink", "span_id", "trace_id")

    def __init__(
        self, trace_id: str, span_id: str, *, sampled: bool, sink: "Sink | None", header: str = ""
    ) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.sink = sink
        self.root = False
        self.header = header or f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


TRACE: ContextVar[Trace | None] = ContextVar("crossroads_trace", default=None)


class Span:
    """One timed step of a sampled call; a context manager. Times are in ns since the epoch."""

    __slots__ = (
        "_token",
        "attributes",
        "end",
        "error",
        "kind",
        "name",
        "parent_id",
        "start",
        "trace",
    )

    def __init__(self, name: str, kind: int, trace: Trace, parent_id: str) -> None:
        self.name = name
        self.kind = kind
        self.trace = trace
        self.parent_id = parent_id
        self.attributes: dict[str, Attribute] = {}
        self.error = ""
        self.start = time.time_ns()
        self.end = 0
        self._token: Token[Trace | None] | None = None

    def set(self, key: str, value: Attribute) -> None:
        """Note something about the step; never a personal identifier."""
        self.attributes[key] = value

    def finish(self, error: str = "") -> None:
        """End the step; `error` is its error.type, "" when it went well."""
        self.end = time.time_ns()
        if error:
            self.error = error
            self.attributes["error.type"] = error
        if self.trace.sink is not None:
            self.trace.sink.take(self)

    def __enter__(self) -> Self:
        self._token = TRACE.set(self.trace)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            TRACE.reset(self._token)
        self.finish(error_type(error) if error is not None else "")


class Nothing:
    """The span of a call that is not sampled."""

    __slots__ = ()

    def set(self, key: str, value: Attribute) -> None:
        """Nothing is noted."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


_NOTHING = Nothing()


class Sink(Protocol):
    """Takes finished spans; must not block."""

    def take(self, span: Span) -> None:
        """Keep the span for sending."""
        ...


class Telemetry:
    """Decides what is sampled, and holds the metrics of the process.

    `sample_ratio`: share of the traces that start here that are recorded, 0 to 1.
    """

    def __init__(self, *, sample_ratio: float = 0.0, sink: Sink | None = None) -> None:
        self._ratio = sample_ratio
        self.sink = sink
        self.metrics = Metrics()

    def join(self, header: str | None) -> Trace:
        """The trace that a caller's traceparent names; a new one without a usable header."""
        if header is not None and len(header) == 55 and header[:3] == "00-":
            trace_id, span_id, flags = header[3:35], header[36:52], header[53:]
            if (
                _HEX.issuperset(trace_id + span_id + flags)
                and header[35] == header[52] == "-"
                and trace_id != _NO_TRACE
                and span_id != _NO_SPAN
            ):
                sampled = int(flags, 16) & 1 == 1
                sink = self.sink if sampled else None
                return Trace(trace_id, span_id, sampled=sampled, sink=sink, header=header)
        return self.begin()

    def begin(self) -> Trace:
        """A new trace, sampled or not."""
        sampled = self._ratio > 0 and random.random() < self._ratio  # noqa: S311 - no secret
        trace_id = f"{random.getrandbits(128) or 1:032x}"
        sink = self.sink if sampled else None
        trace = Trace(trace_id, new_span_id(), sampled=sampled, sink=sink)
        trace.root = True
        return trace


def new_span_id() -> str:
    """Sixteen hexadecimal digits, not all zero."""
    return f"{random.getrandbits(64) or 1:016x}"


def start_span(name: str, kind: int, parent: Trace) -> Span:
    """A span below `parent`, or the first of its trace; for calls that are sampled."""
    span_id = parent.span_id if parent.root else new_span_id()
    trace = Trace(parent.trace_id, span_id, sampled=True, sink=parent.sink)
    return Span(name, kind, trace, "" if parent.root else parent.span_id)


def span(name: str) -> Span | Nothing:
    """A step of the current call: `with span("routing.decide") as step: …`.

    Costs a look at a context variable when the call is not sampled.
    """
    trace = TRACE.get()
    if trace is None or trace.sink is None:
        return _NOTHING
    return start_span(name, INTERNAL, trace)


def current_trace_id() -> str:
    """The trace id of the current call in hexadecimal, "" outside a call."""
    trace = TRACE.get()
    return trace.trace_id if trace is not None else ""


def error_type(error: BaseException) -> str:
    """What `error.type` says of an exception: the reason, or the class."""
    return str(error.reason) if isinstance(error, CrossroadsError) else type(error).__name__
