"""Metrics as a monitoring system reads them."""

import asyncio

from services.runtime.exposition import exposition, server
from services.runtime.metrics import Metrics
from services.runtime.webclient import WebClient


def some() -> Metrics:
    metrics = Metrics()
    durations = metrics.histogram("rpc.server.call.duration", bounds=(0.1, 1.0))
    series = durations.bind({"rpc.method": 'a"b\\c'})
    for value in (0.05, 0.5, 0.5, 7.0):
        series.record(value)
    metrics.counter("log.entries", unit="{entry}").bind({"kind": "request"}).add(3)
    metrics.gauge("pool.size", lambda: 4.0, unit="By")
    metrics.gauge_by("crossroads.healthy", "part", lambda: {"serving": 1.0, "vault": 0.0})
    return metrics


def test_metrics_read_as_the_format_says() -> None:
    label = r'rpc_method="a\"b\\c"'
    assert exposition(some()).splitlines() == [
        "# TYPE rpc_server_call_duration_seconds histogram",
        f'rpc_server_call_duration_seconds_bucket{{{label},le="0.1"}} 1',
        f'rpc_server_call_duration_seconds_bucket{{{label},le="1.0"}} 3',
        f'rpc_server_call_duration_seconds_bucket{{{label},le="+Inf"}} 4',
        f"rpc_server_call_duration_seconds_sum{{{label}}} 8.05",
        f"rpc_server_call_duration_seconds_count{{{label}}} 4",
        "# TYPE log_entries_total counter",
        'log_entries_total{kind="request"} 3',
        "# TYPE pool_size_bytes gauge",
        "pool_size_bytes 4.0",
        "# TYPE crossroads_healthy gauge",
        'crossroads_healthy{part="serving"} 1.0',
        'crossroads_healthy{part="vault"} 0.0',
    ]


async def test_metrics_are_read_over_http_and_nothing_else_is() -> None:
    metrics = some()
    shown = server(metrics, "127.0.0.1:0")
    client = WebClient(url=f"http://{await shown.start()}")
    async with asyncio.timeout(20):
        answer = await client.get("metrics", seconds=10)
        assert (answer.status, answer.body.decode()) == (200, exposition(metrics))
        assert answer.content_type.startswith("text/plain; version=0.0.4")
        assert (await client.get("", seconds=10)).status == 404
        assert (await client.post("metrics", b"", seconds=10)).status == 404
    await client.close()
    await shown.stop()
