"""Tables and questions drawn with plain dice, the same each time: quick enough for every mutant.

Many questions go to each table, so that what it remembers of the earlier ones is put to the test.
"""

from __future__ import annotations

import random
from datetime import datetime

import pytest

from services.policy.decide import decide, explain
from services.policy.index import GrantTable
from services.policy.model import Condition, Grant, Near, Request
from tests.unit.policy import naive
from tests.unit.policy.tables import asked, drawn, drawn_row

TABLES, QUESTIONS = 150, 40


@pytest.mark.parametrize("seed", range(4))
def test_decisions_are_what_the_specification_says(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(TABLES):
        rows = drawn(dice)
        table = GrantTable.of(rows, 7, b"digest")
        for request, valid_at, known_at in _questions(dice, rows):
            expected = naive.decide(request, rows, valid_at, known_at, 7, b"digest")
            assert decide(request, table, valid_at, known_at) == expected


@pytest.mark.parametrize("seed", range(2))
def test_explanations_name_every_condition_of_every_grant_near(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(TABLES):
        rows = drawn(dice)
        table = GrantTable.of(rows)
        for request, valid_at, known_at in _questions(dice, rows):
            explanation = explain(request, table, valid_at, known_at)
            assert explanation.omitted == 0
            assert explanation.decision == naive.decide(request, rows, valid_at, known_at)
            prohibited = {
                f.grant for f in explanation.decision.failed if f.condition is Condition.PROHIBITED
            }
            assert list(explanation.near) == [
                _near(row, request, valid_at, prohibited=row.id in prohibited)
                for row in sorted(rows, key=lambda row: row.id)
                if naive.recorded(row, known_at)
                and not row.prohibition
                and naive.receives(row, request)
            ]


@pytest.mark.parametrize("seed", range(2))
def test_changed_tables_decide_as_new_ones_do(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(TABLES // 2):
        rows = {row.id: row for row in drawn(dice)}
        table = GrantTable.of(rows.values())
        for version in range(1, 4):
            before, kept = table, list(rows.values())
            changes = _changes(dice, rows)
            table = table.apply(changes, version, b"digest")
            for name, row in changes:
                rows.pop(name, None)
                if row is not None:
                    rows[name] = row
            left = list(rows.values())
            assert sorted(row.id for row in table) == sorted(rows)
            assert (len(table), len(before)) == (len(left), len(kept))
            for request, valid_at, known_at in _questions(dice, left + kept, 10):
                expected = naive.decide(request, left, valid_at, known_at, version, b"digest")
                assert decide(request, table, valid_at, known_at) == expected
                expected = naive.decide(
                    request, kept, valid_at, known_at, before.version, before.digest
                )
                assert decide(request, before, valid_at, known_at) == expected


def _questions(
    dice: random.Random, rows: list[Grant], count: int = QUESTIONS
) -> list[tuple[Request, datetime, datetime]]:
    return [asked(dice, rows) for _ in range(count)]


def _near(row: Grant, request: Request, valid_at: datetime, *, prohibited: bool) -> Near:
    """What an explanation must tell of this grant."""
    failed = naive.broken(row, request, valid_at)
    if prohibited:
        failed = [Condition.PROHIBITED]
    elif row.service != request.service:
        failed = [Condition.SERVICE, *failed]
    return Near(row.id, row.deliberation, tuple(failed))


def _changes(dice: random.Random, rows: dict[str, Grant]) -> list[tuple[str, Grant | None]]:
    """Rows that come, change or leave; some leave that are not there."""
    names = [*rows, *(f"g{dice.randrange(100):02}" for _ in range(3))]
    return [
        (name, drawn_row(dice, name) if dice.random() < 0.6 else None)
        for name in dice.choices(names, k=dice.randint(0, 12))
    ]
