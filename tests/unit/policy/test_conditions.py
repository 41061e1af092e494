"""Days and data periods, at their edges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from services.policy.conditions import covered, day, prohibits
from services.policy.model import DataPeriod, Grant, Period, Request, Way

TODAY = date(2026, 3, 10)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-10T00:00:00+00:00", date(2026, 3, 10)),
        ("2026-03-10T23:59:59.999999+00:00", date(2026, 3, 10)),
        ("2026-03-11T00:59:59.999999+01:00", date(2026, 3, 10)),
        ("2026-03-11T01:00:00+01:00", date(2026, 3, 11)),
        ("2026-03-10T22:59:59.999999-01:00", date(2026, 3, 10)),
        ("2026-03-10T23:00:00-01:00", date(2026, 3, 11)),
        ("2026-03-10T23:01:01-00:58:59", date(2026, 3, 11)),
        ("2026-03-10T23:01:00-00:58:59", date(2026, 3, 10)),
        ("2026-03-10T23:01:00-00:59", date(2026, 3, 11)),
    ],
)
def test_day_of_an_instant_is_that_of_utc(at: str, expected: date) -> None:
    assert day(datetime.fromisoformat(at)) == expected.toordinal()


def test_day_counts_beyond_the_first_and_the_last_that_a_date_can_name() -> None:
    assert day(datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))) == 0
    assert day(datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))) == (
        date.max.toordinal() + 1
    )
    assert day(datetime.max.replace(tzinfo=UTC)) == date.max.toordinal()


@pytest.mark.parametrize(
    ("limits", "asked", "told"),
    [
        (DataPeriod(days_back=1), Period(date(2026, 3, 8), TODAY), Period(date(2026, 3, 9), TODAY)),
        (DataPeriod(days_back=1), Period(date(2026, 3, 8), date(2026, 3, 9)), None),
        (DataPeriod(days_back=0), Period(date(2026, 3, 8), TODAY), None),
        (DataPeriod(days_back=0), Period(TODAY, date.max), Period(TODAY, date.max)),
        (DataPeriod(max_days=1), Period(TODAY), Period(TODAY, date(2026, 3, 11))),
        (DataPeriod(max_days=1), Period(date.max), Period(date.max)),
        (DataPeriod(max_days=2), Period(date.min), Period(date(2026, 3, 9), date(2026, 3, 11))),
        (
            DataPeriod(days_back=3, max_days=2),
            Period(date(2026, 3, 1), date(2026, 3, 9)),
            Period(date(2026, 3, 7), date(2026, 3, 9)),
        ),
        (DataPeriod(days_back=10**7), None, Period(date.min)),
    ],
)
def test_covered_is_the_part_of_the_asked_period_that_the_limits_leave(
    limits: DataPeriod, asked: Period | None, told: Period | None
) -> None:
    assert covered(limits, asked, TODAY.toordinal()) == told


NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ANY = Grant(id="p", deliberation="26/001", prohibition=True, valid_from=NOON, recorded_from=NOON)
REQUEST = Request(
    institution="capac",
    application="files",
    service="address",
    service_version=1,
    purpose="right",
    way=Way.ONLINE,
)


@pytest.mark.parametrize(
    ("row", "applies"),
    [
        (ANY, True),
        (replace(ANY, application="files"), True),
        (replace(ANY, application="desk"), False),
        (replace(ANY, service_version=1), True),
        (replace(ANY, service_version=2), False),
        (replace(ANY, ways=frozenset({Way.ONLINE, Way.BATCH})), True),
        (replace(ANY, ways=frozenset({Way.BATCH})), False),
        (replace(ANY, purpose="right"), True),
        (replace(ANY, purpose="control"), False),
        (replace(ANY, valid_until=NOON + timedelta(microseconds=1)), True),
        (replace(ANY, valid_until=NOON), False),
        (replace(ANY, valid_from=NOON + timedelta(microseconds=1)), False),
    ],
)
def test_prohibition_applies_to_what_it_names_and_where_it_names_nothing_to_all(
    row: Grant, *, applies: bool
) -> None:
    assert prohibits(row, REQUEST, NOON) is applies
