"""What is odd about grants before publication, held against what decisions come to."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.authorization.analysis import Oddity, analyse, contained, forbidden
from services.policy.decide import decide
from services.policy.index import GrantTable
from services.policy.model import Decision, Grant, Period, Request, Way
from tests.support.exchanges import grant
from tests.unit.authorization.rows import EARLY, INSTANT, grants, prohibitions

PERIODS = (None, Period(EARLY.date()), Period(EARLY.date(), INSTANT.date()))


class Listing:
    """Everybody is active but for "gone"; "e.old" is deprecated."""

    def institution_active(self, institution: str) -> bool | None:
        return institution != "gone"

    def application_active(self, institution: str, application: str) -> bool | None:
        return application != "gone"

    def deprecated(self, element: str) -> bool:
        return element == "e.old"


def requests(row: Grant) -> Iterator[Request]:
    """Every kind of request that this grant could permit."""
    for institution, version, way, period in product(sorted(row.recipients), (1, 2), Way, PERIODS):
        for application in ("payments", "benefits", "other"):
            yield Request(
                institution=institution,
                application=application,
                service=row.service,
                service_version=version,
                purpose=row.purpose,
                way=way,
                period=period,
            )


def decided(request: Request, *rows: Grant) -> Decision:
    return decide(request, GrantTable.of(rows), INSTANT, INSTANT)


def found(draft: list[Grant], *table: Grant) -> list[tuple[str, Oddity, tuple[str, ...]]]:
    findings = analyse(draft, table, Listing(), INSTANT)
    return [(each.grant, each.oddity, each.others) for each in findings]


@st.composite
def widened(draw: st.DrawFn) -> tuple[Grant, Grant]:
    """A grant, and one that differs from it in a few terms: often wider."""
    inner, other = draw(grants(1)), draw(grants(2))
    fields = draw(
        st.sets(
            st.sampled_from(
                ["application", "service_version", "elements", "ways", "data_period", "blocking",
                 "caller_capacities", "volume_per_day"]
            ),
            max_size=3,
        )
    )  # fmt: skip
    changes = {name: getattr(other, name) for name in fields}
    return inner, replace(inner, id="26/001#2", **changes)


@given(widened())
def test_contained_grant_adds_nothing_to_any_decision(pair: tuple[Grant, Grant]) -> None:
    inner, outer = pair
    assume(contained(inner, outer))
    for request in requests(inner):
        alone, with_both = decided(request, outer), decided(request, inner, outer)
        assert alone.elements == with_both.elements
        mine = decided(request, inner)
        if mine.permitted:
            (inside,), (outside,) = mine.permissions, alone.permissions
            assert outside.period is None or (
                inside.period is not None and outside.period.start <= inside.period.start
            )


@given(grants(1), grants(2))
def test_each_contains_itself_and_two_contain_each_other_only_if_equal(
    one: Grant, other: Grant
) -> None:
    assert contained(one, replace(one, id="26/001#2"))
    if contained(one, other) and contained(other, one):
        assert one == replace(other, id=one.id, group_name=one.group_name)


@given(grants(1), st.lists(prohibitions(), max_size=3))
def test_what_is_always_forbidden_passes_in_no_decision(row: Grant, taking: list[Grant]) -> None:
    rows = [replace(each, id=f"26/002#{place}") for place, each in enumerate(taking)]
    never = forbidden(row, rows, INSTANT)
    for request in requests(row):
        assert not never & set(decided(request, row, *rows).elements)


@given(st.lists(grants(1), max_size=4), st.lists(prohibitions(), max_size=2))
def test_never_applies_is_true_and_order_changes_nothing(
    some: list[Grant], taking: list[Grant]
) -> None:
    draft = [replace(each, id=f"26/001#{n}") for n, each in enumerate(some)]
    table = [replace(each, id=f"26/002#{n}") for n, each in enumerate(taking)]
    findings = found(draft, *table)
    assert findings == found(draft, *reversed(table))
    for row in draft:
        if (row.id, Oddity.NEVER_APPLIES) in [each[:2] for each in findings]:
            assert not any(decided(each, row, *table).permitted for each in requests(row))


@pytest.mark.parametrize(
    ("row", "oddity"),
    [
        (grant(valid_until=INSTANT - timedelta(days=1)), Oddity.NEVER_APPLIES),
        (grant(institution="gone"), Oddity.CLOSED_INSTITUTION),
        (grant(application="gone"), Oddity.CLOSED_INSTITUTION),
        (grant(elements=frozenset({"e.old"})), Oddity.DEPRECATED_ELEMENT),
    ],
)
def test_what_one_grant_says_of_itself(row: Grant, oddity: Oddity) -> None:
    assert found([row]) == [("20/096#1", oddity, ())]


def test_of_two_that_are_the_same_the_later_is_named() -> None:
    first, second = grant(), grant(id="20/096#2")
    assert found([first, second]) == [("20/096#2", Oddity.CONTAINED, ("20/096#1",))]
    standing = grant(id="19/001#1", recorded_from=EARLY)
    assert found([replace(first, recorded_from=INSTANT)], standing) == [
        ("20/096#1", Oddity.CONTAINED, ("19/001#1",))
    ]


def test_prohibition_that_meets_a_grant_is_named() -> None:
    taking = Grant(id="19/002#1", deliberation="19/002", prohibition=True, valid_from=EARLY,
                   recorded_from=EARLY, elements=frozenset({"employment.end"}))  # fmt: skip
    named = ("20/096#1", Oddity.OVERLAPS_PROHIBITION, ("19/002#1",))
    assert found([grant()], taking) == [named]
    assert found([grant()], replace(taking, recorded_until=INSTANT)) == []
    assert found([grant()], replace(taking, valid_until=INSTANT)) == []
    whole = replace(taking, elements=frozenset())
    never = ("20/096#1", Oddity.NEVER_APPLIES, ("19/002#1",))
    assert found([grant()], whole) == [never, named]
