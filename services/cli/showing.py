"""How the command shows an exchange to a person: decision, answer, receipt, log, trace."""

from collections.abc import Sequence

from rich.console import Console, Group
from rich.json import JSON
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.cli.asking import Answered
from services.cli.otlp import SpanRecord
from services.cli.waterfall import Span, waterfall
from services.runtime.errors import CrossroadsError


def answer(console: Console, answered: Answered) -> None:
    """The answer of each source."""
    for each in answered.answers:
        body: JSON | Text = Text("nothing on this person", style="dim")
        if each["answer"] is not None:
            body = JSON.from_data(each["answer"])
        title = f"{each['source']} · {each['outcome']}"
        console.print(Panel(body, title=title, title_align="left", border_style="green"))


def facts(console: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Names and what they are, in two columns under a title."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    console.print(Panel(Group(table), title=title, title_align="left"))


def receipt(console: Console, answered: Answered) -> None:
    """What the institution keeps, and where it stands in the log."""
    kept, proven = answered.receipt, answered.proven
    facts(
        console,
        "receipt, signed by the log; kept by the caller",
        [
            ("exchange", f"{answered.exchange_id} (attempt {answered.attempt})"),
            ("log", f"{kept.origin}, entry {kept.index}"),
            ("leaf", kept.leaf_hash.hex()),
            ("key", kept.key_id.hex()),
        ],
    )
    facts(
        console,
        "log entry, proven against the signed checkpoint",
        [
            ("inclusion", f"entry {proven.index} is in the tree of {proven.size} entries"),
            ("proof", f"{proven.hashes} hashes lead from the leaf to the root"),
            ("root", proven.root.hex()),
        ],
    )


def trace(console: Console, trace_id: str, spans: Sequence[SpanRecord]) -> None:
    """The trace as a waterfall."""
    rows = [
        Span(
            each.span_id,
            each.parent_id,
            _short(each.name),
            each.service,
            each.start_ns,
            each.end_ns,
            each.failed,
        )
        for each in spans
    ]
    console.print(
        Panel(waterfall(rows), title=f"trace {trace_id}", title_align="left", border_style="blue")
    )


def refusal(console: Console, asked: str, error: CrossroadsError) -> None:
    """A refusal, with its reason and the remedy that its text names."""
    console.print(Text.assemble("  ✗ ", (asked, "bold"), style="red"))
    console.print(Text(f"    {error.reason}: {error.message}"))


def _short(name: str) -> str:
    """A span's name without the package: RoutingService/Exchange."""
    package, slash, method = name.rpartition("/")
    return f"{package.rpartition('.')[2]}{slash}{method}"
