"""Sizes of an installation: the table in infra/sizing.md, from the figures in infra/sizing.toml.

    python -m tools.sizing            write the table
    python -m tools.sizing --check    exit 1 when it is not what the figures give

Contract: `size` is arithmetic; rates are exchanges a second, memory is in MiB, disk in GiB.
"""

from __future__ import annotations

import math
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "infra" / "sizing.toml"
PAGE = ROOT / "infra" / "sizing.md"
YEAR, DAY = 365.25 * 86400, 86400
MEBI, GIBI = 2**20, 2**30
KIBIBYTES_FOR_EACH_INSTITUTION = 8
BEGIN, END = "<!-- table -->", "<!-- end -->"


@dataclass(frozen=True)
class Size:
    """What one load needs. `cores` are millicores of a request, for one pod."""

    mean: float
    routing_pods: int
    routing_cores: int
    routing_memory: int
    logging_cores: int
    logging_memory: int
    database_cores: int
    database_memory: int
    year_disk: int
    day_archive: float


def size(figures: dict[str, Any], *, institutions: int, peak: float) -> Size:
    """The sizes for `institutions` that make `peak` exchanges a second at most.

    Raises ValueError for a peak that one log can't take.
    """
    measured, chosen = figures["measured"], figures["chosen"]
    busy, mean = chosen["busy"], peak / chosen["peak_to_mean"]
    if peak > (most := busy / measured["logging_seconds"]):
        raise ValueError(f"one log takes {most:.0f} exchanges a second; more needs another origin")
    # A zone may be gone: what is left must carry the peak.
    routing = peak * measured["routing_seconds"] / busy
    pods = max(chosen["least_pods"], math.ceil(routing * 1.5))
    entries = mean * measured["entries_for_each_exchange"]
    year = entries * YEAR * measured["octets_for_each_entry"]
    cached = min(chosen["most_cached_mebibytes"], year * chosen["cached"] / MEBI)
    held = institutions * KIBIBYTES_FOR_EACH_INSTITUTION / 1024
    return Size(
        mean=mean,
        routing_pods=pods,
        routing_cores=_millicores(routing / pods),
        routing_memory=_up(measured["routing_mebibytes"] + held + 64, 64),
        logging_cores=_millicores(peak * measured["logging_seconds"] / busy),
        logging_memory=_up(measured["logging_mebibytes"] + held + 64, 64),
        database_cores=_millicores(peak * measured["postgres_seconds"] / busy),
        database_memory=_up(max(chosen["database_mebibytes"], cached), 256),
        year_disk=math.ceil(year / (1 - chosen["free"]) / GIBI),
        day_archive=entries * DAY * measured["wal_octets_for_each_entry"] / GIBI,
    )


def connected(figures: dict[str, Any], connections: int) -> int:
    """MiB of a database's instance to which so many are connected, whatever it keeps."""
    measured, chosen = figures["measured"], figures["chosen"]
    each = measured["connection_mebibytes"] + chosen["sorting_mebibytes"]
    needed = chosen["rest_mebibytes"] + connections * each
    return _up(max(chosen["database_mebibytes"], needed), 256)


def _millicores(cores: float) -> int:
    """Rounded up to 50 m, and never less than 100 m."""
    return max(100, math.ceil(cores * 20) * 50)


def _up(value: float, step: int) -> int:
    return math.ceil(value / step) * step


def table(figures: dict[str, Any]) -> list[str]:
    """One row for each load."""
    rows = [
        "| load | institutions | exchanges/s, peak (mean) | routing: pods x CPU, memory "
        "| logging: 2 pods x CPU, memory | its database: 3 instances x CPU, memory "
        "| disk a year, each instance | WAL archive a day |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for load in figures["loads"]:
        of = size(figures, institutions=load["institutions"], peak=load["peak"])
        cells = (
            load["name"],
            f"{load['institutions']:,}",
            f"{load['peak']:,} ({of.mean:,.3g})",
            f"{of.routing_pods} x {of.routing_cores}m, {of.routing_memory} MiB",
            f"{of.logging_cores}m, {of.logging_memory} MiB",
            f"{of.database_cores}m, {of.database_memory} MiB",
            f"{of.year_disk:,} GiB",
            f"{of.day_archive:,.1f} GiB",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def page(figures: dict[str, Any], text: str) -> str:
    """The page with the table of these figures between its marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([f"{before}{BEGIN}", *table(figures), f"{END}{after}"])


def main() -> int:
    """Write the table, or compare it."""
    old = PAGE.read_text("utf-8")
    new = page(tomllib.loads(FIGURES.read_text("utf-8")), old)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new, "utf-8")
        return 0
    same = old == new
    print("as the figures say" if same else "infra/sizing.md is old; run python -m tools.sizing")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
