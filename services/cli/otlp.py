"""A small OTLP receiver: keeps recent spans in memory, and gives them back by trace id.

Contract: gRPC on the loopback interface. `TraceService/Export` as any OTLP exporter calls it;
metrics are taken and dropped. `crossroads.cli.Traces/Get` takes a trace id (32 hex digits, as
ASCII) and answers with a JSON list of spans (see `SpanRecord`). What is kept is bounded in spans
and octets; the oldest goes first. Nothing is written to disk.
"""

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

MAX_SPANS = 20_000
MAX_OCTETS = 32 * 1024 * 1024
FETCH_SECONDS = 5.0
MAX_MESSAGE = 16 * 1024 * 1024
TRACES = "crossroads.cli.Traces"
_OTLP = "opentelemetry.proto.collector"


@dataclass(frozen=True)
class SpanRecord:
    """One span as `Get` gives it. Times are nanoseconds since the epoch; ids are hex."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: dict[str, str]


class RecentSpans:
    """The newest spans, found by their trace."""

    def __init__(self, *, max_spans: int = MAX_SPANS, max_octets: int = MAX_OCTETS) -> None:
        self._max_spans = max_spans
        self._max_octets = max_octets
        self._octets = 0
        self._order: deque[tuple[bytes, int]] = deque()  # trace and size, oldest first
        self._traces: dict[bytes, deque[tuple[str, trace_pb2.Span]]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def add(self, resources: Iterable[trace_pb2.ResourceSpans]) -> None:
        """Keep what an exporter sent; let go of the oldest above the bounds."""
        for resource in resources:
            service = _attribute(resource.resource.attributes, "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self._keep(service, span)

    def get(self, trace_id: str) -> list[SpanRecord]:
        """The spans of a trace that are still here, in the order of their start."""
        try:
            key = bytes.fromhex(trace_id)
        except ValueError:
            return []
        found = [_record(service, span) for service, span in self._traces.get(key, ())]
        return sorted(found, key=lambda each: (each.start_ns, -each.end_ns))

    def _keep(self, service: str, span: trace_pb2.Span) -> None:
        kept = trace_pb2.Span()
        kept.CopyFrom(span)  # of its own, so that the message it came in can go
        size = kept.ByteSize()
        self._traces.setdefault(kept.trace_id, deque()).append((service, kept))
        self._order.append((kept.trace_id, size))
        self._octets += size
        while len(self._order) > self._max_spans or self._octets > self._max_octets:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        trace_id, size = self._order.popleft()
        self._octets -= size
        spans = self._traces[trace_id]
        spans.popleft()
        if not spans:
            del self._traces[trace_id]


class OtlpReceiver:
    """The gRPC server around `RecentSpans`."""

    def __init__(self, *, spans: RecentSpans | None = None) -> None:
        self.spans = spans or RecentSpans()
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str = "127.0.0.1:0") -> int:
        """Listen; the port."""
        options = [("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.so_reuseport", 0)]
        server = grpc.aio.server(options=options)
        for service, method, handler in (
            (f"{_OTLP}.trace.v1.TraceService", "Export", self._take_spans),
            (f"{_OTLP}.metrics.v1.MetricsService", "Export", self._take_metrics),
            (TRACES, "Get", self._get),
        ):
            handlers: dict[str, Any] = {method: grpc.unary_unary_rpc_method_handler(handler)}
            generic = grpc.method_handlers_generic_handler(service, handlers)
            server.add_generic_rpc_handlers((generic,))
        port = server.add_insecure_port(address)
        await server.start()
        self._server = server
        return port

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.stop(grace=0.5)

    async def _take_spans(self, request: bytes, _: Any) -> bytes:
        message = trace_service_pb2.ExportTraceServiceRequest.FromString(request)
        self.spans.add(message.resource_spans)
        return trace_service_pb2.ExportTraceServiceResponse().SerializeToString()

    async def _take_metrics(self, _: bytes, __: Any) -> bytes:
        return metrics_service_pb2.ExportMetricsServiceResponse().SerializeToString()

    async def _get(self, request: bytes, _: Any) -> bytes:
        found = self.spans.get(request.decode("ascii", "replace"))
        return json.dumps([asdict(each) for each in found]).encode()


async def fetch(address: str, trace_id: str) -> list[SpanRecord]:
    """Ask the receiver at host:port for a trace. Raises grpc.RpcError when it is not there."""
    async with grpc.aio.insecure_channel(address) as channel:
        get: Any = channel.unary_unary(f"/{TRACES}/Get")
        answer: bytes = await get(trace_id.encode("ascii"), timeout=FETCH_SECONDS)
    return [SpanRecord(**each) for each in json.loads(answer)]


def _record(service: str, span: trace_pb2.Span) -> SpanRecord:
    return SpanRecord(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        service=service,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        attributes={each.key: _value(each.value) for each in span.attributes},
    )


def _attribute(attributes: Iterable[Any], key: str) -> str:
    return next((_value(each.value) for each in attributes if each.key == key), "")


def _value(value: Any) -> str:
    kind = value.WhichOneof("value")
    return "" if kind is None else str(getattr(value, kind))
