"""The decision against its specification, and the properties that any such decision must have."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.decide import decide, explain
from services.policy.index import GrantTable
from services.policy.model import (
    Condition,
    DataPeriod,
    Grant,
    Outcome,
    Period,
    Request,
    Way,
)
from tests.unit.policy import naive
from tests.unit.policy.tables import (
    grants,
    instants,
    prohibitions,
    requests,
    tables,
)

START = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
TODAY = NOW.date()
GRANT = Grant(
    id="g1",
    deliberation="20/096",
    institution="capac",
    application="files",
    service="employment_periods",
    service_version=1,
    elements=frozenset({"employment.start", "employment.end", "employer.number"}),
    purpose="unemployment.right",
    caller_capacities=frozenset({"18/2", "18/1"}),
    ways=frozenset({Way.ONLINE}),
    valid_from=START,
    recorded_from=START,
)
PROHIBITION = Grant(
    id="p1", deliberation="26/001", prohibition=True, valid_from=START, recorded_from=START
)
REQUEST = Request(
    institution="capac",
    application="files",
    service="employment_periods",
    service_version=1,
    purpose="unemployment.right",
)


@settings(max_examples=600, deadline=None)
@given(tables, st.lists(st.tuples(requests, instants, instants), min_size=1, max_size=12))
def test_decision_is_what_the_specification_says(
    rows: list[Grant], questions: list[tuple[Request, datetime, datetime]]
) -> None:
    table = GrantTable.of(rows, 7, b"digest")
    for request, valid_at, known_at in questions:
        expected = naive.decide(request, rows, valid_at, known_at, 7, b"digest")
        assert decide(request, table, valid_at, known_at) == expected


@settings(deadline=None)
@given(tables, requests, instants, instants)
def test_without_a_grant_nothing_passes(
    rows: list[Grant], request: Request, valid_at: datetime, known_at: datetime
) -> None:
    only = GrantTable.of(r for r in rows if r.prohibition)
    decision = decide(request, only, valid_at, known_at)
    assert not decision.permitted
    assert decision.elements == ()
    assert decision.reason is Outcome.NO_GRANT


@settings(deadline=None)
@given(tables, requests, instants)
def test_a_prohibition_of_everything_denies_everything(
    rows: list[Grant], request: Request, at: datetime
) -> None:
    table = GrantTable.of([*rows, PROHIBITION])
    assert decide(request, table, at, at).elements == ()


@settings(deadline=None)
@given(tables, requests, instants, instants, st.randoms(use_true_random=False))
def test_order_and_duplicates_do_not_matter(
    rows: list[Grant],
    request: Request,
    valid_at: datetime,
    known_at: datetime,
    dice: random.Random,
) -> None:
    again = rows + dice.choices(rows, k=3) if rows else []
    dice.shuffle(again)
    first, second = GrantTable.of(rows), GrantTable.of(again)
    assert decide(request, first, valid_at, known_at) == decide(request, second, valid_at, known_at)


@settings(deadline=None)
@given(tables, requests, instants, instants)
def test_removing_what_does_not_match_changes_nothing(
    rows: list[Grant], request: Request, valid_at: datetime, known_at: datetime
) -> None:
    decision = decide(request, GrantTable.of(rows), valid_at, known_at)
    named = {p.grant for p in decision.permissions} | set(decision.prohibitions)
    left = decide(request, GrantTable.of(r for r in rows if r.id in named), valid_at, known_at)
    assert left.permissions == decision.permissions
    assert left.elements == decision.elements


@settings(deadline=None)
@given(tables, grants, requests, instants, instants)
def test_a_grant_more_never_removes_an_element(
    rows: list[Grant], more: Grant, request: Request, valid_at: datetime, known_at: datetime
) -> None:
    before = decide(request, GrantTable.of(rows), valid_at, known_at)
    after = decide(request, GrantTable.of([*rows, replace(more, id="new")]), valid_at, known_at)
    assert set(before.elements) <= set(after.elements)


@settings(deadline=None)
@given(tables, prohibitions, requests, instants, instants)
def test_a_prohibition_more_never_adds_an_element(
    rows: list[Grant], more: Grant, request: Request, valid_at: datetime, known_at: datetime
) -> None:
    before = decide(request, GrantTable.of(rows), valid_at, known_at)
    after = decide(request, GrantTable.of([*rows, replace(more, id="new")]), valid_at, known_at)
    assert set(after.elements) <= set(before.elements)


@settings(deadline=None)
@given(tables, requests, instants, instants)
def test_rows_that_were_not_on_record_leave_no_trace(
    rows: list[Grant], request: Request, valid_at: datetime, known_at: datetime
) -> None:
    known = [r for r in rows if naive.recorded(r, known_at)]
    assert decide(request, GrantTable.of(rows), valid_at, known_at) == decide(
        request, GrantTable.of(known), valid_at, known_at
    )


@settings(deadline=None)
@given(tables, requests, instants, instants)
def test_explanation_tells_the_same_decision_and_every_condition(
    rows: list[Grant], request: Request, valid_at: datetime, known_at: datetime
) -> None:
    table = GrantTable.of(rows)
    decision = decide(request, table, valid_at, known_at)
    explanation = explain(request, table, valid_at, known_at)
    assert explanation.decision == decision
    near = {n.grant: n.failed for n in explanation.near}
    assert len(near) == len(explanation.near)
    assert all(near[p.grant] == () for p in decision.permissions)
    assert all(near[f.grant][0] is f.condition for f in decision.failed)
    for failed in near.values():
        assert list(failed) == [c for c in Condition if c in failed]
    for grant, failed in near.items():
        row = table.get(grant)
        assert row is not None
        service = [] if row.service == request.service else [Condition.SERVICE]
        prohibited = [Condition.PROHIBITED] if Condition.PROHIBITED in failed else []
        assert list(failed) == service + naive.broken(row, request, valid_at) + prohibited


def test_all_granted_elements_pass_when_none_is_named() -> None:
    decision = decide(REQUEST, GrantTable.of([GRANT], 3, b"\x01"), NOW, NOW)
    assert decision.permitted
    assert decision.reason is Outcome.PERMITTED
    assert decision.elements == ("employer.number", "employment.end", "employment.start")
    assert decision.permissions[0].caller_capacities == ("18/1", "18/2")
    assert decision.grants == ("g1",)


def test_only_asked_elements_that_are_granted_pass() -> None:
    asked = replace(REQUEST, elements=frozenset({"employment.end", "salary"}))
    assert decide(asked, GrantTable.of([GRANT]), NOW, NOW).elements == ("employment.end",)


@pytest.mark.parametrize(
    ("request_", "grant", "reason"),
    [
        (replace(REQUEST, institution="onem"), GRANT, Outcome.NO_GRANT),
        (replace(REQUEST, service="address"), GRANT, Outcome.NO_GRANT),
        (replace(REQUEST, application="desk"), GRANT, Outcome.APPLICATION),
        (replace(REQUEST, service_version=2), GRANT, Outcome.SERVICE_VERSION),
        (replace(REQUEST, way=Way.BATCH), GRANT, Outcome.WAY),
        (replace(REQUEST, purpose="curiosity"), GRANT, Outcome.PURPOSE),
        (REQUEST, replace(GRANT, valid_until=NOW), Outcome.IN_FORCE),
        (REQUEST, replace(GRANT, valid_from=NOW + timedelta(microseconds=1)), Outcome.IN_FORCE),
        (REQUEST, replace(GRANT, recorded_until=NOW), Outcome.NO_GRANT),
        (REQUEST, replace(GRANT, recorded_from=NOW + timedelta(seconds=1)), Outcome.NO_GRANT),
        (replace(REQUEST, elements=frozenset({"salary"})), GRANT, Outcome.ELEMENTS),
        (
            replace(REQUEST, period=Period(date(2010, 1, 1), date(2011, 1, 1))),
            replace(GRANT, data_period=DataPeriod(days_back=365)),
            Outcome.DATA_PERIOD,
        ),
    ],
)
def test_refusal_says_how_far_the_nearest_grant_came(
    request_: Request, grant: Grant, reason: Outcome
) -> None:
    decision = decide(request_, GrantTable.of([grant]), NOW, NOW)
    assert not decision.permitted
    assert decision.reason is reason


def test_reason_is_that_of_the_grant_that_came_furthest() -> None:
    ended = replace(GRANT, valid_until=NOW)
    other = replace(GRANT, id="g2", application="desk")
    decision = decide(REQUEST, GrantTable.of([other, ended]), NOW, NOW)
    assert decision.reason is Outcome.IN_FORCE
    assert [(f.grant, f.condition) for f in decision.failed] == [
        ("g1", Condition.IN_FORCE),
        ("g2", Condition.APPLICATION),
    ]


def test_prohibition_takes_the_elements_it_names_and_no_other() -> None:
    taking = replace(PROHIBITION, elements=frozenset({"employer.number", "salary"}))
    decision = decide(REQUEST, GrantTable.of([GRANT, taking]), NOW, NOW)
    assert decision.elements == ("employment.end", "employment.start")
    assert decision.prohibitions == ("p1",)


def test_prohibition_that_takes_nothing_away_is_not_named() -> None:
    taking = replace(PROHIBITION, elements=frozenset({"salary"}))
    assert decide(REQUEST, GrantTable.of([GRANT, taking]), NOW, NOW).prohibitions == ()


def test_prohibition_of_all_that_is_granted_is_the_reason() -> None:
    decision = decide(REQUEST, GrantTable.of([GRANT, PROHIBITION]), NOW, NOW)
    assert decision.reason is Outcome.PROHIBITED
    assert decision.failed[0].condition is Condition.PROHIBITED


@pytest.mark.parametrize(
    ("limits", "asked", "told"),
    [
        (DataPeriod(), None, None),
        (DataPeriod(), Period(date(1990, 1, 1)), Period(date(1990, 1, 1))),
        (DataPeriod(days_back=10), None, Period(date(2026, 2, 28))),
        (DataPeriod(days_back=0), Period(date(2026, 1, 1)), Period(date(2026, 3, 10))),
        (
            DataPeriod(days_back=10),
            Period(date(2026, 2, 1), date(2026, 3, 5)),
            Period(date(2026, 2, 28), date(2026, 3, 5)),
        ),
        (DataPeriod(max_days=5), None, Period(date(2026, 3, 6), date(2026, 3, 11))),
        (
            DataPeriod(max_days=5),
            Period(date(2025, 1, 1), date(2026, 1, 1)),
            Period(date(2025, 12, 27), date(2026, 1, 1)),
        ),
        (
            DataPeriod(max_days=5),
            Period(date(2026, 6, 1)),
            Period(date(2026, 6, 1), date(2026, 6, 6)),
        ),
        (DataPeriod(days_back=10**7), Period(date.min), Period(date.min)),
        (DataPeriod(max_days=10**7), Period(date.max), Period(date.max)),
    ],
)
def test_period_is_clipped_to_what_the_grant_covers(
    limits: DataPeriod, asked: Period | None, told: Period | None
) -> None:
    table = GrantTable.of([replace(GRANT, data_period=limits)])
    decision = decide(replace(REQUEST, period=asked), table, NOW, NOW)
    assert decision.permissions[0].period == told


def test_day_of_the_data_period_is_that_of_utc() -> None:
    table = GrantTable.of([replace(GRANT, data_period=DataPeriod(days_back=0))])
    late = datetime.fromisoformat("2026-03-11T00:30:00+01:00")
    assert decide(REQUEST, table, late, late).permissions[0].period == Period(date(2026, 3, 10))


def test_explanation_tells_a_bounded_number_of_grants_for_other_services() -> None:
    others = [replace(GRANT, id=f"x{n:03}", service=f"other{n}") for n in range(37)]
    explanation = explain(REQUEST, GrantTable.of([GRANT, *others]), NOW, NOW)
    assert explanation.omitted == 5
    assert [n.grant for n in explanation.near] == ["g1", *(g.id for g in others[:32])]
    assert explanation.near[1].failed == (Condition.SERVICE,)
