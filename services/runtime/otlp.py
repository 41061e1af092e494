"""Sends spans and metrics over OTLP/gRPC (opentelemetry-proto 1.x), from the event loop.

Contract: imported only where an endpoint is configured. Spans that can't be sent are dropped, and
counted as `crossroads.spans.dropped`; telemetry never delays or fails a call. The endpoint is a
collector on this machine or in this cluster; without TLS (docs/threats.md says what that costs).
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from services.runtime.metrics import Metrics
from services.runtime.telemetry import Attribute, Span

WAITING_SPANS = 8192
SPANS_PER_MESSAGE = 512
SPAN_INTERVAL = 0.5
METRIC_INTERVAL = 10.0
SEND_SECONDS = 3.0
SCOPE = InstrumentationScope(name="crossroads.runtime")
_CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE

_logger = logging.getLogger(__name__)


class OtlpExporter:
    """A sink of spans that sends them, and the metrics of `metrics`, to `endpoint` (host:port)."""

    def __init__(self, *, endpoint: str, service: str, instance: str, metrics: Metrics) -> None:
        self._resource = Resource(
            attributes=_attributes(
                {
                    "service.name": service,
                    "service.namespace": "crossroads",
                    "service.instance.id": instance,
                }
            )
        )
        self._waiting: deque[Span] = deque()
        self._channel = grpc.aio.insecure_channel(endpoint)
        make_spans: Any = trace_service_pb2_grpc.TraceServiceStub  # generated without types
        make_metrics: Any = metrics_service_pb2_grpc.MetricsServiceStub
        self._spans = make_spans(self._channel)
        self._measures = make_metrics(self._channel)
        self._metrics = metrics
        self._dropped = metrics.counter("crossroads.spans.dropped", unit="{span}").bind()

    def take(self, span: Span) -> None:
        """Keep a finished span for sending; drop it when too many wait."""
        if len(self._waiting) >= WAITING_SPANS:
            self._dropped.add()
        else:
            self._waiting.append(span)

    async def run(self) -> None:
        """Send until cancelled."""
        due = time.monotonic() + METRIC_INTERVAL
        while True:
            await asyncio.sleep(SPAN_INTERVAL)
            await self._send_spans()
            if time.monotonic() >= due:
                due += METRIC_INTERVAL
                await self._send_metrics()

    async def close(self) -> None:
        """Send what waits, then close; takes a few seconds at most."""
        await self._send_spans()
        await self._send_metrics()
        await self._channel.close()

    async def _send_spans(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), SPANS_PER_MESSAGE)
            spans = [_span(self._waiting.popleft()) for _ in range(count)]
            scoped = trace_pb2.ScopeSpans(scope=SCOPE, spans=spans)
            resourced = trace_pb2.ResourceSpans(resource=self._resource, scope_spans=[scoped])
            request = trace_service_pb2.ExportTraceServiceRequest(resource_spans=[resourced])
            if not await self._send(self._spans.Export(request, timeout=SEND_SECONDS)):
                self._dropped.add(count)
                return

    async def _send_metrics(self) -> None:
        scoped = metrics_pb2.ScopeMetrics(scope=SCOPE, metrics=_metrics(self._metrics))
        resourced = metrics_pb2.ResourceMetrics(resource=self._resource, scope_metrics=[scoped])
        request = metrics_service_pb2.ExportMetricsServiceRequest(resource_metrics=[resourced])
        await self._send(self._measures.Export(request, timeout=SEND_SECONDS))

    async def _send(self, call: Any) -> bool:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            _logger.debug("telemetry not sent: %s", error.code().name)
            return False
        return True


def _span(span: Span) -> trace_pb2.Span:
    message = trace_pb2.Span(
        trace_id=bytes.fromhex(span.trace.trace_id),
        span_id=bytes.fromhex(span.trace.span_id),
        parent_span_id=bytes.fromhex(span.parent_id),
        name=span.name,
        kind=span.kind,  # type: ignore[arg-type] # numbered as in OTLP
        start_time_unix_nano=span.start,
        end_time_unix_nano=span.end,
        attributes=_attributes(span.attributes),
    )
    if span.error:
        message.status.code = trace_pb2.Status.STATUS_CODE_ERROR
        message.status.message = span.error
    return message


def _metrics(metrics: Metrics) -> list[metrics_pb2.Metric]:
    now, since = time.time_ns(), metrics.started
    messages = []
    for histogram in metrics.histograms.values():
        message = metrics_pb2.Metric(name=histogram.name, unit=histogram.unit)
        message.histogram.aggregation_temporality = _CUMULATIVE
        for series in histogram.series.values():
            message.histogram.data_points.add(
                attributes=_attributes(series.attributes),
                start_time_unix_nano=since,
                time_unix_nano=now,
                count=sum(series.counts),
                sum=series.sum,
                bucket_counts=series.counts,
                explicit_bounds=histogram.bounds,
            )
        messages.append(message)
    for counter in metrics.counters.values():
        message = metrics_pb2.Metric(name=counter.name, unit=counter.unit)
        message.sum.aggregation_temporality = _CUMULATIVE
        message.sum.is_monotonic = True
        for each in counter.series.values():
            message.sum.data_points.add(
                attributes=_attributes(each.attributes),
                start_time_unix_nano=since,
                time_unix_nano=now,
                as_int=each.value,
            )
        messages.append(message)
    for gauge in metrics.gauges.values():
        message = metrics_pb2.Metric(name=gauge.name, unit=gauge.unit)
        for attributes, value in gauge.values():
            message.gauge.data_points.add(
                attributes=_attributes(attributes), time_unix_nano=now, as_double=value
            )
        messages.append(message)
    return messages


def _attributes(attributes: Mapping[str, Attribute]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items()]


def _value(value: Attribute) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=value)
