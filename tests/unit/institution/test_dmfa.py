"""Quarterly declarations follow from an employment relation."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.institution.dmfa import Quarter, quarters, worker_record, working_days
from services.institution.population import Employment

DECLARED_UNTIL = date(2026, 9, 30)
days = st.dates(min_value=date(2003, 1, 1), max_value=DECLARED_UNTIL)


def job(start: date, end: date | None) -> Employment:
    return Employment(
        niss="85073003328",
        period_id=1,
        enterprise="0314595348",
        employer_number="010000012",
        establishment="2147812701",
        worker_type="OTH",
        worker_code="495",
        joint_committee="XXX",
        start=start.isoformat(),
        end="" if end is None else end.isoformat(),
        weekly_hours=3800,
        reference_weekly_hours=3800,
        monthly_cents=300_000,
        planned_hours=0,
        user_enterprise="",
    )


def test_a_full_quarter_pays_three_months() -> None:
    record = worker_record(job(date(2025, 1, 1), None), Quarter(2025, 2))
    assert record.quarter == "2025/2"
    assert (record.record_start, record.record_end) == ("2025-04-01", "2025-06-30")
    assert record.occupations[0].remunerations[0].amount_cents == 900_000
    assert record.occupations[0].occupation_end == ""


def test_a_quarter_that_is_not_over_is_not_declared() -> None:
    assert [str(one) for one in quarters(job(date(2026, 5, 1), None), date(2026, 8, 15))] == [
        "2026/2"
    ]


def test_the_last_quarter_ends_with_the_job() -> None:
    record = worker_record(job(date(2025, 1, 1), date(2025, 5, 9)), Quarter(2025, 2))
    assert record.record_end == record.occupations[0].occupation_end == "2025-05-09"


def test_an_earlier_quarter_does_not_know_the_end() -> None:
    record = worker_record(job(date(2025, 1, 1), date(2025, 5, 9)), Quarter(2025, 1))
    assert record.occupations[0].occupation_end == ""


@given(start=days, length=st.integers(min_value=0, max_value=900))
def test_quarters_cover_a_job_without_gap_or_overlap(start: date, length: int) -> None:
    end = min(start + timedelta(days=length), DECLARED_UNTIL)
    one = job(start, end)
    records = [worker_record(one, quarter) for quarter in quarters(one, DECLARED_UNTIL)]
    assert records[0].record_start == start.isoformat()
    assert records[-1].record_end == end.isoformat()
    for before, after in pairwise(records):
        last = date.fromisoformat(before.record_end)
        assert after.record_start == (last + timedelta(days=1)).isoformat()


@given(start=days, length=st.integers(min_value=0, max_value=400))
def test_working_days_are_mondays_to_fridays(start: date, length: int) -> None:
    end = start + timedelta(days=length)
    counted = sum((start + timedelta(days=n)).weekday() < 5 for n in range(length + 1))
    assert working_days(start, end) == counted
