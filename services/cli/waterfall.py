"""A trace as a waterfall: a line a span, indented below its parent, bars on a common axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

AXIS = 24


@dataclass(frozen=True, slots=True)
class Span:
    """One step of a trace. Times are nanoseconds since the epoch; `parent_id` is "" at the root."""

    span_id: str
    parent_id: str
    name: str
    service: str
    start_ns: int
    end_ns: int
    failed: bool

    @property
    def milliseconds(self) -> float:
        """How long the step took."""
        return (self.end_ns - self.start_ns) / 1e6


def in_order(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Depth and span, parents before children, siblings by start. Orphans count as roots."""
    known = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda s: (s.start_ns, -s.end_ns)):
        parent = span.parent_id if span.parent_id in known else ""
        children.setdefault(parent, []).append(span)
    pending = [(0, span) for span in reversed(children.get("", []))]
    while pending:
        depth, span = pending.pop()
        yield depth, span
        pending += [(depth + 1, child) for child in reversed(children.get(span.span_id, []))]


def waterfall(spans: Sequence[Span]) -> Table:
    """The table to print; empty when there are no spans."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("step", no_wrap=True)
    table.add_column("in", style="cyan", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=AXIS)
    if not spans:
        return table
    began = min(span.start_ns for span in spans)
    whole = max(span.end_ns for span in spans) - began or 1
    for depth, span in in_order(spans):
        start = (span.start_ns - began) * AXIS // whole
        length = max(1, round((span.end_ns - span.start_ns) * AXIS / whole))
        bar = Text(" " * start + "█" * min(length, AXIS - start or 1))
        bar.stylize("red" if span.failed else "green")
        table.add_row("  " * depth + span.name, span.service, f"{span.milliseconds:.1f}", bar)
    return table
