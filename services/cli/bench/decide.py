"""`crossroads bench decide`: the decision and its explanation on one core, beside Cedar.

Contract: 10,000 generated grants of 3,000 institutions (grants.py); every question is timed by
itself, and its time is the median of the rounds, so that what else the machine does meanwhile does
not count; quantiles are over the questions. A table remembers which grants fit a kind of question:
what the same questions cost a new table is told as well. Cedar gets the same grants as a parsed
policy set, and of the same questions one request for each data element that the answer can hold.
The time to load a snapshot is processor time (snapshot.py).
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from services.cli.bench.grants import NOW, Population, population
from services.cli.bench.load import percentile
from services.cli.bench.snapshot import load
from services.policy.decide import decide, explain
from services.policy.index import GrantTable
from services.policy.model import Request

GRANTS = 10_000
GROWTH = (100, 1_000, 10_000, 100_000)
QUESTIONS, EXPLAINED, JUDGED = 20_000, 5_000, 100
ROUNDS = 5
DIGEST = bytes(32)
Tell = Callable[[str], None]


def measure(
    *, grants: int = GRANTS, rounds: int = ROUNDS, tell: Tell = lambda _: None
) -> dict[str, Any]:
    """The figures, as `--json` prints them. `grants` other than 10,000 make a smaller bench."""
    growth = tuple(count for count in GROWTH if count <= 10 * grants)
    with _one_core():
        tell(f"{grants:,} grants: decision and explanation")
        people = population(grants)
        table = _table(people)
        questions = people.questions(QUESTIONS)
        took = [_durations(decide, questions, table) for _ in range(rounds)]
        new = [_durations(decide, questions, _table(people)) for _ in range(rounds)]
        explained = [_durations(explain, questions[:EXPLAINED], table) for _ in range(rounds)]
        tell("the same questions to Cedar")
        figures = {
            "grants": grants,
            "p50_us": _microseconds(took, 0.5),
            "p99_us": _microseconds(took, 0.99),
            "new_p50_us": _microseconds(new, 0.5),
            "new_p99_us": _microseconds(new, 0.99),
            "explain_p50_us": _microseconds(explained, 0.5),
            "explain_p99_us": _microseconds(explained, 0.99),
            "cedar_ratio": _cedar_ratio(people, table, questions[:JUDGED]),
        }
        return figures | _growth(growth, rounds, tell)


def _growth(counts: Sequence[int], rounds: int, tell: Tell) -> dict[str, Any]:
    """The median question in tables of these sizes, and how long the largest takes to load."""
    growth: dict[str, float] = {}
    loaded = 0.0
    for count in counts:
        tell(f"{count:,} grants")
        people = population(count)
        table, loaded = asyncio.run(load(people.rows))
        if set(table) != set(people.rows):
            raise AssertionError("the snapshot lost grants on the way")
        questions = people.questions(QUESTIONS)
        took = [_durations(decide, questions, table) for _ in range(rounds)]
        growth[str(count)] = _microseconds(took, 0.5)
    return {"growth": growth, "snapshot_grants": counts[-1], "snapshot_seconds": round(loaded, 3)}


def _table(people: Population) -> GrantTable:
    return GrantTable.of(people.rows, 1, DIGEST)


def _durations(
    asked: Callable[..., object], questions: Sequence[Request], table: GrantTable
) -> list[float]:
    """Seconds that each question takes."""
    took: list[float] = []
    clock = time.perf_counter_ns
    for question in questions:
        started = clock()
        asked(question, table, NOW, NOW)
        took.append((clock() - started) / 1e9)
    return took


def _microseconds(rounds: Sequence[Sequence[float]], share: float) -> float:
    return round(
        percentile([statistics.median(each) for each in zip(*rounds, strict=True)], share) * 1e6, 1
    )


def _cedar_ratio(
    people: Population, table: GrantTable, questions: Sequence[Request]
) -> float | None:
    """How many times longer Cedar takes for a question; None where cedarpy is not installed."""
    try:
        import cedarpy  # noqa: PLC0415 - for development only
    except ModuleNotFoundError:
        return None
    from services.cli.bench import cedar  # noqa: PLC0415

    policies = cedarpy.PolicySet.from_str(cedar.policies(people.rows))
    entities = cedarpy.Entities.from_json_str(cedar.entities(people.rows))
    every = {s: sorted(e) for s, e in people.elements().items()}
    ratios = []
    for question in questions:
        elements = sorted(question.elements) or every.get(question.service, [])
        started = time.perf_counter()
        asked = cedar.requests(question, elements, NOW, NOW)
        answers = cedarpy.is_authorized_batch(asked, policies, entities)
        theirs = time.perf_counter() - started
        ours = min(_durations(decide, [question] * 5, table))
        told = tuple(e for e, a in zip(elements, answers, strict=True) if a.allowed)
        if told != decide(question, table, NOW, NOW).elements:
            raise AssertionError("Cedar judges differently")
        ratios.append(theirs / ours)
    return round(statistics.median(ratios), 1)


@contextmanager
def _one_core() -> Iterator[None]:
    """On one core, with what is there left alone by the garbage collector."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        os.sched_setaffinity(0, allowed)
