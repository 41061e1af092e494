"""What a table remembers of its answers: the same as without, bounded, and only while it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.policy import index
from services.policy.decide import decide
from services.policy.index import GrantTable, Memory
from services.policy.model import Condition, Failure, Grant, Outcome, Request, Way
from services.policy.sorting import sort

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
GRANT = Grant(
    id="g1",
    deliberation="20/096",
    institution="capac",
    service="address",
    elements=frozenset({"a"}),
    purpose="right",
    ways=frozenset({Way.ONLINE}),
    valid_from=START + HOUR,
    valid_until=START + 4 * HOUR,
    recorded_from=START + 2 * HOUR,
    recorded_until=START + 3 * HOUR,
)
REQUEST = Request(
    institution="capac",
    application="files",
    service="address",
    service_version=1,
    purpose="right",
)


def test_answer_holds_until_the_next_row_begins_or_ends() -> None:
    table = GrantTable.of([GRANT])
    at = START + 2 * HOUR
    first = sort(REQUEST, table, at, at)
    assert first[4:] == (GRANT.recorded_from, GRANT.recorded_until, START + HOUR, START + 4 * HOUR)
    assert sort(REQUEST, table, START + HOUR, at) is first
    assert sort(REQUEST, table, START + 4 * HOUR - TICK, START + 3 * HOUR - TICK) is first
    for valid_at, known_at in (
        (START + HOUR - TICK, at),
        (START + 4 * HOUR, at),
        (at, START + 2 * HOUR - TICK),
        (at, START + 3 * HOUR),
    ):
        other = sort(REQUEST, table, valid_at, known_at)
        assert other is not first
        assert other.fit == ()
        assert sort(REQUEST, table, at, at) == first


def test_answer_holds_for_ever_where_no_row_is() -> None:
    table = GrantTable.of([])
    answer = sort(REQUEST, table, START, START)
    assert answer.reason is Outcome.NO_GRANT
    for at in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC) - TICK):
        assert sort(REQUEST, table, at, at) is answer


def test_answer_holds_between_the_nearest_rows() -> None:
    rows = [
        replace(
            GRANT,
            id=f"g{n}",
            valid_from=START + n * HOUR,
            valid_until=START + (n + 10) * HOUR,
            recorded_from=START + n * HOUR,
            recorded_until=START + (n + 10) * HOUR,
        )
        for n in range(8)
    ]
    at = START + 5 * HOUR + TICK
    for order in (rows, rows[::-1]):
        answer = sort(REQUEST, GrantTable.of(order), at, at)
        assert answer[4:] == (START + 5 * HOUR, START + 6 * HOUR) * 2
        assert [each.whole.grant for each in answer.fit] == [f"g{n}" for n in range(6)]


def test_answer_is_shared_by_questions_that_differ_in_elements_and_period_alone() -> None:
    table = GrantTable.of([GRANT])
    at = START + 2 * HOUR
    first = sort(REQUEST, table, at, at)
    assert sort(replace(REQUEST, elements=frozenset({"x"})), table, at, at) is first
    for other in (
        replace(REQUEST, institution="onem"),
        replace(REQUEST, application="desk"),
        replace(REQUEST, service="other"),
        replace(REQUEST, service_version=2),
        replace(REQUEST, purpose="other"),
        replace(REQUEST, way=Way.BATCH),
    ):
        assert sort(other, table, at, at) is not first


def test_grants_that_were_sorted_out_say_what_they_failed() -> None:
    other = replace(GRANT, id="g2", purpose="other")
    table = GrantTable.of([GRANT, other])
    at = START + 2 * HOUR
    answer = sort(replace(REQUEST, application="desk"), table, at, at)
    assert answer.failed == (Failure("g2", Condition.PURPOSE),)
    assert answer.reason is Outcome.PURPOSE


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "REMEMBERED", 2)
    memory = Memory[int, int]()
    sizes = []
    for number in range(5):
        memory.keep(number, number)
        assert memory[number] == number
        sizes.append(len(memory))
    assert sizes == [1, 2, 1, 2, 1]
    table = GrantTable.of([GRANT])
    for number in range(5):
        decide(replace(REQUEST, purpose=str(number)), table, START, START)
        table.giving(str(number))
        assert len(table.sortings) <= 2


def test_grants_that_concern_an_institution_are_gathered_once_and_in_order() -> None:
    rows = [
        replace(GRANT, id="g3", institution="", institutions=frozenset({"capac", "onem"})),
        replace(GRANT, id="g2", institution="", service="other"),
        GRANT,
        replace(GRANT, id="g4", institution="onem"),
    ]
    table = GrantTable.of(rows)
    assert [each.id for each in table.giving("capac")] == ["g1", "g2", "g3"]
    assert table.giving("capac") is table.giving("capac")
    assert [each.id for each in table.giving("nobody")] == ["g2"]
    after = table.apply([("g2", None)], 2, b"")
    assert [each.id for each in after.giving("nobody")] == []
    assert [each.id for each in table.giving("nobody")] == ["g2"]
