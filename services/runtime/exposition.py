"""Metrics for who comes to read them (Prometheus text 0.0.4), beside those that `otlp` sends.

Contract: one HTTP server without TLS that answers GET /metrics from what `Metrics` holds. Names and
units are those of the OpenTelemetry conventions, written as Prometheus does: what is
"rpc.server.call.duration" in s is rpc_server_call_duration_seconds. No person, key or exchange is
shown, for metrics hold none.
"""

from collections.abc import Iterator, Mapping

from services.runtime.metrics import Histogram, Metrics
from services.runtime.web import Request, Response, WebServer, text

CONTENT = {"content-type": "text/plain; version=0.0.4; charset=utf-8"}
_UNITS = {"s": "_seconds", "By": "_bytes"}


def server(metrics: Metrics, listen: str) -> WebServer:
    """Serves `metrics` at `listen`, host:port."""

    async def answer(request: Request) -> Response:
        if request.path != "/metrics" or request.method not in ("GET", "HEAD"):
            return text(404, "GET /metrics")
        return Response(200, exposition(metrics).encode(), CONTENT)

    return WebServer(handler=answer, listen=listen, max_connections=8)


def exposition(metrics: Metrics) -> str:
    """All metrics as text."""
    lines: list[str] = []
    for histogram in metrics.histograms.values():
        lines += _histogram(histogram)
    for counter in metrics.counters.values():
        name = f"{_name(counter.name, counter.unit)}_total"
        lines.append(f"# TYPE {name} counter")
        lines += [
            f"{name}{_labels(each.attributes)} {each.value}" for each in counter.series.values()
        ]
    for gauge in metrics.gauges.values():
        name = _name(gauge.name, gauge.unit)
        lines.append(f"# TYPE {name} gauge")
        lines += [f"{name}{_labels(attributes)} {value}" for attributes, value in gauge.values()]
    return "".join(f"{line}\n" for line in lines)


def _histogram(histogram: Histogram) -> Iterator[str]:
    name = _name(histogram.name, histogram.unit)
    yield f"# TYPE {name} histogram"
    bounds = [*map(str, histogram.bounds), "+Inf"]
    for series in histogram.series.values():
        count = 0
        for bound, more in zip(bounds, series.counts, strict=True):
            count += more
            yield f"{name}_bucket{_labels({**series.attributes, 'le': bound})} {count}"
        yield f"{name}_sum{_labels(series.attributes)} {series.sum}"
        yield f"{name}_count{_labels(series.attributes)} {count}"


def _name(name: str, unit: str) -> str:
    return _plain(name) + _UNITS.get(unit, "")


def _labels(attributes: Mapping[str, str]) -> str:
    pairs = ",".join(f'{_plain(key)}="{_quoted(value)}"' for key, value in attributes.items())
    return f"{{{pairs}}}" if pairs else ""


def _plain(name: str) -> str:
    return "".join(each if each.isalnum() and each.isascii() else "_" for each in name)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
