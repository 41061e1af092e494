"""The waterfall shows every span once, children below their parents."""

from __future__ import annotations

from rich.console import Console

from services.cli.waterfall import Span, in_order, waterfall


def span(name: str, parent: str, start: int, end: int) -> Span:
    return Span(name, parent, name, "routing", start, end, failed=False)


def test_children_follow_their_parent_in_order_of_start() -> None:
    spans = [span("c", "a", 5, 6), span("a", "", 0, 10), span("b", "a", 1, 4), span("d", "b", 2, 3)]
    assert [(depth, s.name) for depth, s in in_order(spans)] == [
        (0, "a"),
        (1, "b"),
        (2, "d"),
        (1, "c"),
    ]


def test_a_span_whose_parent_was_not_kept_is_shown_as_a_root() -> None:
    assert [depth for depth, _ in in_order([span("x", "lost", 0, 1)])] == [0]


def test_each_line_says_how_long_the_step_took() -> None:
    console = Console(width=120, record=True, quiet=False, file=None)
    with console.capture() as captured:
        console.print(waterfall([span("a", "", 0, 12_500_000), span("b", "a", 0, 2_000_000)]))
    assert "12.5" in captured.get()
    assert "2.0" in captured.get()


def test_no_spans_make_an_empty_table() -> None:
    assert waterfall([]).row_count == 0
