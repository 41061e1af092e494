"""What the values refuse, and how they are written for the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given, settings

from services.policy.decide import decide
from services.policy.index import GrantTable
from services.policy.model import DataPeriod, Grant, Period, Request, Way, instant
from services.proof.record import canonical_json
from tests.unit.policy.tables import START, instants, requests, tables


def grant(**fields: Any) -> Grant:
    base: dict[str, Any] = {
        "id": "g",
        "deliberation": "20/096",
        "service": "address",
        "elements": frozenset("a"),
        "purpose": "right",
        "ways": frozenset({Way.ONLINE}),
        "valid_from": START,
        "recorded_from": START,
    }
    return Grant(**(base | fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"service": ""},
        {"elements": frozenset[str]()},
        {"purpose": ""},
        {"ways": frozenset[Way]()},
        {"valid_from": START.replace(tzinfo=None)},
        {"recorded_from": START.replace(tzinfo=None)},
        {"valid_until": START.replace(tzinfo=None)},
        {"recorded_until": START.replace(tzinfo=None)},
    ],
)
def test_grant_that_says_too_little_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="grant"):
        grant(**fields)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"institution": "a", "institutions": frozenset({"b"})}, "not both"),
        ({"institutions": frozenset({"", "b"}), "group_name": "some"}, "names its members"),
        ({"institutions": frozenset({""})}, "names its members"),
        ({"group_name": "some"}, "names its members"),
    ],
)
def test_recipient_that_is_no_group_and_no_institution_is_refused(
    fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        grant(**fields)


def test_grant_concerns_its_institution_its_group_or_all() -> None:
    one, all_ = grant(institution="a"), grant()
    some = grant(institutions=frozenset({"a", "b"}), group_name="some")
    assert [row.recipients for row in (one, some, all_)] == [{"a"}, {"a", "b"}, set()]
    assert [row.concerns("a") for row in (one, some, all_)] == [True, True, True]
    assert [row.concerns("c") for row in (one, some, all_)] == [False, False, True]


def test_limits_at_the_edge_of_the_possible_are_taken() -> None:
    assert DataPeriod(days_back=0).limited
    assert DataPeriod(max_days=1).limited
    assert not DataPeriod().limited
    assert Period(date(2026, 1, 1), date(2026, 1, 2)).canonical() == ["2026-01-01", "2026-01-02"]
    assert Period(date(2026, 1, 1)).canonical() == ["2026-01-01", None]


def test_decision_names_the_grants_that_were_considered_in_order() -> None:
    rows = [grant(id="b"), grant(id="c", purpose="other"), grant(id="a", purpose="other")]
    request = Request(
        institution="x", application="y", service="address", service_version=1, purpose="right"
    )
    decision = decide(request, GrantTable.of(rows), START, START)
    assert decision.grants == ("a", "b", "c")
    assert decision.canonical()["permissions"] == [
        {"deliberation": "20/096", "elements": ["a"], "grant": "b", "period": None}
    ]


def test_what_a_grant_does_not_say_means_any_and_a_check_that_blocks() -> None:
    row = grant()
    assert (row.version, row.service_version, row.prohibition, row.blocking) == (1, 0, False, True)
    assert (row.application, row.recipients, row.volume_per_day) == ("", frozenset(), None)
    assert not row.data_period.limited


def test_prohibition_may_leave_all_open() -> None:
    row = Grant(id="p", deliberation="1", prohibition=True, valid_from=START, recorded_from=START)
    assert row.elements == frozenset()


def test_period_without_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="end must be after start"):
        Period(date(2026, 1, 1), date(2026, 1, 1))


@pytest.mark.parametrize(("back", "span"), [(-1, None), (None, 0)])
def test_impossible_data_period_is_refused(back: int | None, span: int | None) -> None:
    with pytest.raises(ValueError, match="data_period"):
        DataPeriod(back, span)


@settings(deadline=None)
@given(tables, requests, instants, instants)
def test_logged_decision_is_taken_again_byte_for_byte(
    rows: list[Grant], request: Request, valid_at: datetime, known_at: datetime
) -> None:
    first = decide(request, GrantTable.of(rows, 4, b"\x07" * 32), valid_at, known_at)
    logged = canonical_json({"decision": first.canonical(), "request": request.canonical()})
    read = orjson.loads(logged)
    again = decide(
        Request.of(read["request"]),
        GrantTable.of(reversed(rows), 4, bytes.fromhex(read["decision"]["table_digest"])),
        datetime.fromisoformat(read["decision"]["valid_at"]),
        datetime.fromisoformat(read["decision"]["known_at"]),
    )
    assert canonical_json(again.canonical()) == rfc8785.dumps(first.canonical())
    assert again == first


def test_request_is_read_back_as_it_was_written() -> None:
    request = Request(
        institution="capac",
        application="files",
        service="address",
        service_version=1,
        purpose="right",
        way=Way.BATCH,
        elements=frozenset({"b", "a"}),
        period=Period(date(2026, 1, 1), date(2026, 2, 1)),
    )
    assert request.canonical()["elements"] == ["a", "b"]
    assert Request.of(request.canonical()) == request
    open_end = replace(request, period=Period(date(2026, 1, 1)))
    assert Request.of(open_end.canonical()) == open_end


def test_instant_is_written_in_utc_with_microseconds() -> None:
    assert instant(datetime.fromisoformat("2026-01-01T01:00:00+02:00")) == (
        "2025-12-31T23:00:00.000000Z"
    )
    assert instant(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000000Z"
