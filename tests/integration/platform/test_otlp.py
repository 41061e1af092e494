"""The OTLP receiver over gRPC."""

from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from services.cli.otlp import OtlpReceiver, fetch


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
