"""When a month is due, and by what an entry is found."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.logging.evidence_model import (
    Criteria,
    MonthSpan,
    criteria_of,
    deliberations,
    month_after,
    terms,
)
from services.logging.model import RetentionClass
from services.logging.retention import Retention, act_id

MONTHS = st.dates(date(1970, 1, 1), date(2200, 1, 1)).map(lambda day: day.replace(day=1))


@given(MONTHS, st.integers(0, 500), st.integers(0, 500))
def test_months_add_up(month: date, one: int, other: int) -> None:
    assert month_after(month_after(month, one), other) == month_after(month, one + other)
    assert month_after(month, 12) == month.replace(year=month.year + 1)


@given(MONTHS, st.sampled_from(RetentionClass))
def test_no_month_is_due_while_it_may_still_be_written_to(
    month: date, retention: RetentionClass
) -> None:
    shortest = Retention(exchange_months=1, administrative_months=25)
    least = {RetentionClass.EXCHANGE: 2, RetentionClass.ADMINISTRATIVE: 26}[retention]
    assert shortest.ends(MonthSpan(1, retention, month)) == month_after(month, least)


def test_exchanges_are_kept_ten_years_and_acts_thirty() -> None:
    begun = date(2026, 11, 1)
    assert [Retention().ends(MonthSpan(1, each, begun)) for each in RetentionClass] == [
        date(2036, 12, 1),
        date(2056, 12, 1),
    ]


@pytest.mark.parametrize(
    ("exchange", "administrative", "snapshots"),
    [(0, 30, 30), (30, 29, 30), (12, 24, 30), (30, 30, 31)],
)
def test_periods_that_make_no_sense_are_refused(
    exchange: int, administrative: int, snapshots: int
) -> None:
    with pytest.raises(ValueError, match=r"retention|snapshot"):
        Retention(exchange, administrative, snapshots)


def test_an_act_has_one_id() -> None:
    assert act_id("erase", 1) == act_id("erase", 1)
    assert len({act_id("erase", 1), act_id("erase", 2), act_id("erased", 1)}) == 3


def test_an_exchange_is_found_by_caller_source_ticket_trace_and_deliberation() -> None:
    party = {
        "deliberations": ["20/096"],
        "institution": "capac",
        "sources": [{"source": "onss/dimona"}],
        "ticket": "T-1",
    }
    assert terms(party, {"institution": "capac"}, {"trace_id": "abc"}) == {
        "institution/capac",
        "institution/onss",
        "ticket/T-1",
        "trace/abc",
        "deliberation/20/096",
    }


def test_an_act_is_found_by_the_institutions_in_it_and_not_by_persons() -> None:
    found = terms({"act": "x", "by": ["anna", "capac/dossier"]}, {"institution": "cpas"}, {})
    assert found == {"institution/capac", "institution/cpas"}


def test_a_refusal_is_found_by_the_deliberations_that_its_decision_names() -> None:
    audit = {"decision": {"permissions": [{"deliberation": "20/096"}, {"deliberation": "19/004"}]}}
    assert deliberations({}, audit) == ("19/004", "20/096")
    assert deliberations({}, {"decision": None}) == ()
    assert deliberations({}, {"deliberation": "20/096"}) == ("20/096",)


@given(
    st.builds(
        Criteria,
        subjects=st.just(("85073003328",)),
        institution=st.sampled_from(["", "capac"]),
        exchange_id=st.sampled_from([b"", bytes(16)]),
        ticket=st.text(max_size=5),
        hold_id=st.none() | st.uuids(),
        start=st.integers(0, 2**50),
        end=st.none() | st.integers(1, 2**50),
    )
)
def test_criteria_are_read_back_from_the_log(criteria: Criteria) -> None:
    assert criteria_of(criteria.to_json(), criteria.subjects) == criteria
