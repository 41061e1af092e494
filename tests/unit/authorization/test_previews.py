"""A draft held against the table: what is odd about it, and what it would change."""

from dataclasses import replace
from datetime import datetime

import pytest

from services.authorization.analysis import Oddity
from services.authorization.previews import Previews
from services.authorization.replay import Logged
from services.policy.index import GrantTable
from services.policy.model import Grant, Request
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authorization_world import START, MemoryRegistry, TestClock, draft, term
from tests.support.exchanges import grant


class Current:
    """A table that is current."""

    def __init__(self, *rows: Grant) -> None:
        self.table = GrantTable.of(rows, 3, b"\x03" * 32)
        self.recorded_at: datetime | None = START

    def require(self) -> None:
        """It always is."""


STANDING = grant(
    id="25/007#1",
    deliberation="25/007",
    service="employment",
    elements=frozenset({"e.start", "e.end"}),
    purpose="BENEFIT",
    caller_capacities=frozenset(),
)


def previews(*rows: Grant) -> Previews:
    return Previews(current=Current(*rows), registry=MemoryRegistry(), clock=TestClock())


def asked(institution: str, *elements: str) -> Logged:
    request = Request(
        institution=institution,
        application="payments",
        service="employment",
        service_version=1,
        purpose="BENEFIT",
        elements=frozenset(elements),
    )
    return Logged(request, {})


LOGGED = [asked("capac"), asked("onem"), asked("onss"), asked("capac", "e.end")]


def test_new_draft_adds_to_what_is_and_is_in_force_at_once() -> None:
    later = draft(term(institution="onem"), enters_into_force=START.replace(year=2030))
    done = previews(STANDING).simulate(later, LOGGED)
    assert (done.newly_permitted, done.newly_refused, done.altered, done.unchanged) == (1, 0, 0, 3)
    (change,) = done.changes
    assert (change.place, change.then.elements) == (1, ("e.start",))


def test_amendment_takes_the_place_of_what_it_amends() -> None:
    done = previews(STANDING).simulate(draft(term(), amends="25/007"), LOGGED)
    assert (done.newly_permitted, done.newly_refused, done.altered, done.unchanged) == (0, 1, 1, 2)
    assert [change.place for change in done.changes] == [0, 3]


def test_no_change_is_told_where_nothing_changes() -> None:
    done = previews(STANDING).simulate(draft(term()), LOGGED)
    assert (done.unchanged, list(done.changes)) == (4, [])


def test_analysis_looks_at_the_table_but_for_what_is_amended() -> None:
    (finding,) = previews(STANDING).analyse(draft(term()))
    assert (finding.grant, finding.oddity, finding.others) == (
        "#1", Oddity.CONTAINED, ("25/007#1",)
    )  # fmt: skip
    assert previews(STANDING).analyse(draft(term(), amends="25/007")) == []
    assert previews(replace(STANDING, recorded_until=START)).analyse(draft(term())) == []


def test_analysis_tells_of_a_closed_institution_that_a_draft_is_refused_for() -> None:
    weighed = previews()
    weighed._registry.closed.add("onem")  # type: ignore[attr-defined]
    (finding,) = weighed.analyse(draft(term(institution="onem")))
    assert finding.oddity is Oddity.CLOSED_INSTITUTION


def test_analysis_refuses_what_is_no_grant_at_all() -> None:
    for wrong in (term(ways=("BY_PIGEON",)), term(elements=())):
        with pytest.raises(CrossroadsError) as raised:
            previews().analyse(draft(wrong))
        assert raised.value.reason is Reason.INVALID_ARGUMENT


def test_draft_that_is_wrong_is_refused_and_not_weighed() -> None:
    with pytest.raises(CrossroadsError) as raised:
        previews().simulate(draft(term(elements=("e.wage",))), LOGGED)
    assert raised.value.reason is Reason.INVALID_ARGUMENT
