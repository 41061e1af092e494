"""`crossroads bench …`: each figure beside its floor, in one run."""

from typing import Annotated, Any

import typer
from rich.table import Table

from services.cli.options import Json
from services.cli.output import console, emit, errors, run

app = typer.Typer(no_args_is_help=True, help="Measure, each figure beside its floor.")


@app.callback()
def bench() -> None:
    """Measure, each figure beside its floor."""


@app.command()
def exchange(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each way and load.")] = 3,
    as_json: Json = False,
) -> None:
    """The whole exchange beside a bare proxy: throughput, latency, processor time."""
    from services.cli.bench.exchange import measure  # noqa: PLC0415 - gRPC

    figures = run(measure(rounds=rounds, tell=lambda text: errors.print(f"[dim]{text}[/dim]")))
    if as_json:
        emit(figures)
    else:
        _show(figures)


@app.command()
def decide(
    grants: Annotated[int, typer.Option(min=100, help="Grants in the table.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all questions.")] = 5,
    as_json: Json = False,
) -> None:
    """One decision and its explanation, on one core, beside Cedar."""
    from services.cli.bench.decide import measure  # noqa: PLC0415 - only here

    figures = measure(
        grants=grants, rounds=rounds, tell=lambda text: errors.print(f"[dim]{text}[/dim]")
    )
    if as_json:
        emit(figures)
    else:
        _show_decisions(figures)


@app.command()
def log(
    quick: Annotated[
        bool, typer.Option("--quick", help="A small one: to see that it works, not how fast.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The log beside PostgreSQL alone; proof, search and fsck on large logs (ten minutes)."""
    from services.cli.bench import log as bench_log  # noqa: PLC0415 - gRPC

    sizes = bench_log.QUICK if quick else bench_log.FULL
    figures = run(bench_log.measure(sizes, tell=lambda text: errors.print(f"[dim]{text}[/dim]")))
    if as_json:
        emit(figures)
    else:
        _show_log(figures)


def _show_log(figures: dict[str, Any]) -> None:
    console.print(
        f"{figures['entries_per_s']:,} entries/s, acknowledged in {figures['ack_p50_ms']:.1f} ms"
        f" (p50), {figures['ack_p99_ms']:.1f} ms (p99)"
    )
    console.print(
        f"the same rows by COPY in the same {figures['entries_in_a_batch']:.0f} at a time:"
        f" {figures['floor_entries_per_s']:,}/s, {figures['floor_commit_p99_ms']:.1f} ms (p99)"
        f" each; ratio {figures['floor_ratio']:.2f}"
    )
    used = figures["cpu_us_per_entry"]
    parts = ", ".join(f"{name} {microseconds:.0f}" for name, microseconds in used.items())
    console.print(f"processor µs for an entry: {sum(used.values()):.0f} ({parts})")
    console.print(
        f"among {figures['leaves']:,} leaves: inclusion proof {figures['proof_ms_1e7']:.1f} ms,"
        f" subject search {figures['subject_search_ms_1e7']:.1f} ms"
    )
    console.print(f"fsck of {figures['checked']:,} entries: {figures['fsck_seconds_1e6']:.1f} s")


def _show_decisions(figures: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "p50 µs", "p99 µs"):
        table.add_column(heading, justify="left" if not heading else "right")
    names = {"": "decision", "new_": "of a new table", "explain_": "with its explanation"}
    for key, name in names.items():
        table.add_row(name, *(f"{figures[f'{key}{share}_us']:.1f}" for share in ("p50", "p99")))
    console.print(f"{figures['grants']:,} grants of 3,000 institutions, one core")
    console.print(table)
    ratio = figures["cedar_ratio"]
    console.print(
        "Cedar: cedarpy is not installed (make setup installs it)"
        if ratio is None
        else f"Cedar, the same questions element by element: {ratio:,.0f} times as long"
    )
    for count, microseconds in figures["growth"].items():
        console.print(f"{int(count):>9,} grants: {microseconds:.1f} µs")
    console.print(
        f"snapshot of {figures['snapshot_grants']:,} grants: "
        f"{figures['snapshot_seconds']:.2f} s of processor time"
    )


def _show(figures: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "at once", "per second", "p50 ms", "p99 ms", "p99.88 ms"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, loads in figures["ways"].items():
        for count, row in loads.items():
            values = (row["per_second"], row["p50_ms"], row["p99_ms"], row["p9988_ms"])
            table.add_row(name, count, *(f"{value:,.1f}" for value in values))
    console.print(table)
    console.print(
        f"\nratio whole / bare: {figures['ratio_64']:.2f} at 64, {figures['ratio_1']:.2f} alone"
    )
    for name, key in (("Crossroads", "cpu_ms_per_exchange"), ("bare proxy", "cpu_ms_bare")):
        used = figures[key]
        parts = ", ".join(f"{process} {ms:.2f}" for process, ms in used.items() if ms >= 0.005)
        console.print(f"processor ms for a call, {name}: {sum(used.values()):.2f} ({parts})")
    console.print(
        f"processor time, whole / bare: {figures['cpu_ratio']:.2f} with both ends, "
        f"{figures['cpu_ratio_between']:.2f} for what is between them"
    )
    console.print(
        f"to expect at 64 at once: 99.88 % of exchanges within {figures['p9988_64_ms']:.0f} ms"
    )
