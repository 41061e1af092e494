"""`crossroads bench decide`, small: every figure is there, and Cedar agrees on every question."""

import os

import pytest

from services.cli.bench.decide import measure
from services.cli.bench.grants import population


def test_figures_are_those_that_json_promises() -> None:
    cores = os.sched_getaffinity(0)
    figures = measure(grants=100, rounds=1)
    assert list(figures["growth"]) == ["100", "1000"]
    assert figures["snapshot_grants"] == 1000
    for name in ("p99_us", "explain_p99_us", "cedar_ratio", "snapshot_seconds"):
        assert figures[name] > 0, name
    assert os.sched_getaffinity(0) == cores


@pytest.mark.parametrize("count", [100, 1000])
def test_the_same_count_gives_the_same_grants_and_questions(count: int) -> None:
    one, other = population(count), population(count)
    assert one.rows == other.rows
    assert one.questions(50) == other.questions(50)
