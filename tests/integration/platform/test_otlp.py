"""The OTLP receiver over gRPC, and the exporter that sends to it."""

from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from services.cli.otlp import OtlpReceiver, fetch
from services.runtime.otlp import OtlpExporter
from services.runtime.telemetry import INTERNAL, Telemetry, start_span


async def test_an_exported_span_is_found_by_its_trace() -> None:
    receiver = OtlpReceiver()
    address = f"127.0.0.1:{await receiver.start()}"
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="step", start_time_unix_nano=1)
    spans = [ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])]
    traces: Any = trace_service_pb2_grpc.TraceServiceStub
    metrics: Any = metrics_service_pb2_grpc.MetricsServiceStub
    async with grpc.aio.insecure_channel(address) as channel:
        request = trace_service_pb2.ExportTraceServiceRequest(resource_spans=spans)
        await traces(channel).Export(request)
        await metrics(channel).Export(metrics_service_pb2.ExportMetricsServiceRequest())
    found = await fetch(address, span.trace_id.hex())
    assert [each.name for each in found] == ["step"]
    await receiver.stop()


def exporting(endpoint: str) -> tuple[Telemetry, OtlpExporter]:
    """Telemetry that samples everything, and what sends it."""
    telemetry = Telemetry(sample_ratio=1.0)
    exporter = OtlpExporter(
        endpoint=endpoint, service="routing", instance="1", metrics=telemetry.metrics
    )
    telemetry.sink = exporter
    return telemetry, exporter


async def test_a_span_that_ended_is_sent_before_the_exporter_closes() -> None:
    receiver = OtlpReceiver()
    telemetry, exporter = exporting(f"127.0.0.1:{await receiver.start()}")
    with start_span("step", INTERNAL, telemetry.begin()) as span:
        trace_id = span.trace.trace_id
    await exporter.close()
    assert [each.name for each in receiver.spans.get(trace_id)] == ["step"]
    assert telemetry.metrics.counter("crossroads.spans.dropped").bind().value == 0
    await receiver.stop()


async def test_spans_that_nobody_takes_are_dropped_and_counted() -> None:
    telemetry, exporter = exporting("127.0.0.1:1")
    for _ in range(3):
        with start_span("step", INTERNAL, telemetry.begin()):
            pass
    await exporter.close()
    assert telemetry.metrics.counter("crossroads.spans.dropped").bind().value == 3
