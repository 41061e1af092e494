"""Who may what, and which prohibitions meet a grant, against the decision itself."""

from datetime import UTC, datetime
from itertools import product

from hypothesis import given

from services.authorization.access import overlaps, what_may, who_may
from services.policy.decide import decide
from services.policy.index import GrantTable
from services.policy.model import Grant, Request, Way
from tests.support.exchanges import grant
from tests.unit.authorization.rows import INSTANT, grants, prohibitions

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def ids(rows: list[Grant]) -> list[str]:
    return [row.id for row in rows]


def test_rows_count_only_in_force_and_on_record() -> None:
    table = GrantTable.of(
        [
            grant(id="a#1"),
            grant(id="a#2", valid_until=NOW),
            grant(id="a#3", recorded_until=NOW),
            grant(id="a#4", valid_from=LATER),
            grant(id="a#5", institution="onem"),
        ]
    )
    who = who_may(table, "employment.start", NOW, NOW)
    assert ids([row.grant for row in who]) == ["a#1", "a#5"]
    what = what_may(table, "capac", NOW, NOW)
    assert ids([row.grant for row in what]) == ["a#1"]
    assert ids([row.grant for row in what_may(table, "capac", LATER, NOW)]) == ["a#1", "a#4"]
    assert who_may(table, "employment.wage", NOW, NOW) == []


def test_grant_names_the_prohibitions_that_bind_it() -> None:
    everybody = Grant(id="p#1", deliberation="p", prohibition=True, valid_from=NOW,
                      recorded_from=NOW, elements=frozenset({"employment.end"}))  # fmt: skip
    table = GrantTable.of([grant(id="a#1"), everybody])
    (first, second) = what_may(table, "capac", LATER, LATER)
    assert (first.grant.id, first.prohibitions) == ("a#1", ("p#1",))
    assert (second.grant.id, second.prohibitions) == ("p#1", ())
    (only,) = who_may(table, "employment.start", LATER, LATER)
    assert only.prohibitions == ()


@given(grants(), prohibitions())
def test_overlap_is_a_request_that_loses_something(row: Grant, prohibition: Grant) -> None:
    alone, both = GrantTable.of([row]), GrantTable.of([row, prohibition])
    loses = False
    for institution, application, version, way in product(
        row.recipients,
        {row.application or "x", prohibition.application or "x"},
        {row.service_version or 1, prohibition.service_version or 1},
        Way,
    ):
        request = Request(
            institution=institution,
            application=application,
            service=row.service,
            service_version=version,
            purpose=row.purpose,
            way=way,
        )
        before = decide(request, alone, INSTANT, INSTANT)
        loses |= before.elements != decide(request, both, INSTANT, INSTANT).elements
    assert overlaps(prohibition, row) == loses
