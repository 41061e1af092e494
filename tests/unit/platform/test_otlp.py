"""The ring of recent spans."""

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from services.cli.otlp import RecentSpans


def sent(trace: int, *starts: int, failed: bool = False) -> list[ResourceSpans]:
    """What an exporter sends: spans of one trace that start at these instants."""
    code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET
    spans = [
        Span(
            trace_id=trace.to_bytes(16, "big"),
            span_id=start.to_bytes(8, "big"),
            name=f"step {start}",
            start_time_unix_nano=start,
            end_time_unix_nano=start + 5,
            status=Status(code=code),
            attributes=[KeyValue(key="rpc.method", value=AnyValue(string_value="Exchange"))],
        )
        for start in starts
    ]
    name = KeyValue(key="service.name", value=AnyValue(string_value="routing"))
    return [
        ResourceSpans(resource=Resource(attributes=[name]), scope_spans=[ScopeSpans(spans=spans)])
    ]


def test_a_trace_comes_back_in_the_order_of_its_start() -> None:
    spans = RecentSpans()
    spans.add(sent(1, 30, 10))
    spans.add(sent(2, 5))
    spans.add(sent(1, 20, failed=True))
    found = spans.get(f"{1:032x}")
    assert [each.start_ns for each in found] == [10, 20, 30]
    assert [each.failed for each in found] == [False, True, False]
    assert found[0].service == "routing"
    assert found[0].attributes == {"rpc.method": "Exchange"}


def test_the_oldest_spans_go_first() -> None:
    spans = RecentSpans(max_spans=2)
    spans.add(sent(1, 1))
    spans.add(sent(2, 2))
    spans.add(sent(3, 3))
    assert len(spans) == 2
    assert spans.get(f"{1:032x}") == []
    assert len(spans.get(f"{3:032x}")) == 1


def test_what_is_kept_is_bounded_in_octets() -> None:
    spans = RecentSpans(max_octets=1000)
    for each in range(100):
        spans.add(sent(each, each + 1))
    assert 0 < len(spans) < 20


def test_an_unknown_or_malformed_trace_id_has_no_spans() -> None:
    spans = RecentSpans()
    assert spans.get("0" * 32) == []
    assert spans.get("not hex") == []
