"""Generated tables and questions: few names, so that grants, prohibitions and questions meet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from services.policy.model import DataPeriod, Grant, Period, Request, Way

START = datetime(2026, 3, 1, tzinfo=UTC)
INSTITUTIONS = ("onem", "capac", "cpas")
APPLICATIONS = ("files", "desk")
SERVICES = ("employment_periods", "address")
ELEMENTS = ("a", "b", "c", "d")
PURPOSES = ("right", "control")

hours = st.integers(0, 8)
instants = hours.map(lambda n: START + timedelta(hours=6 * n))
ends = st.one_of(st.none(), instants)
days = st.integers(-40, 10).map(lambda n: START.date() + timedelta(days=n))
some_elements = st.frozensets(st.sampled_from(ELEMENTS), max_size=4)
some_ways = st.frozensets(st.sampled_from(Way), min_size=1)
limits = st.builds(
    DataPeriod,
    st.one_of(st.none(), st.integers(0, 30)),
    st.one_of(st.none(), st.integers(1, 20)),
)
ids = st.integers(0, 99).map(lambda n: f"g{n:02}")


def span(pair: tuple[date, date]) -> Period:
    """A period between two days, in whatever order they came."""
    return Period(min(pair), max(pair) + timedelta(days=1))


periods = st.one_of(
    st.none(), days.map(Period), st.tuples(days, days).map(span), st.just(Period(date.min))
)

alone = st.sampled_from(("", *INSTITUTIONS)).map(lambda i: {"institution": i})
together = st.frozensets(st.sampled_from(INSTITUTIONS), min_size=1).map(
    lambda members: {"institutions": members, "group_name": "some"}
)


def for_recipients(row: dict[str, Any], recipients: dict[str, Any]) -> Grant:
    """The row for an institution, a group, or all."""
    return Grant(**row, **recipients)


giving = st.fixed_dictionaries(
    {
        "id": ids,
        "deliberation": st.sampled_from(("20/096", "18/024")),
        "application": st.sampled_from(("", *APPLICATIONS)),
        "service": st.sampled_from(SERVICES),
        "service_version": st.integers(0, 2),
        "elements": st.frozensets(st.sampled_from(ELEMENTS), min_size=1),
        "purpose": st.sampled_from(PURPOSES),
        "caller_capacities": st.frozensets(st.sampled_from(("18/1", "18/2"))),
        "caller_phases": st.frozensets(st.sampled_from(("0", "1"))),
        "source_capacities": st.frozensets(st.sampled_from(("12/1", "12/2"))),
        "source_phases": st.frozensets(st.sampled_from(("0", "1"))),
        "data_period": limits,
        "ways": some_ways,
        "volume_per_day": st.one_of(st.none(), st.just(100)),
        "blocking": st.booleans(),
        "valid_from": instants,
        "valid_until": ends,
        "recorded_from": instants,
        "recorded_until": ends,
    }
)
grants = st.builds(for_recipients, giving, st.one_of(alone, alone, together))

taking = st.fixed_dictionaries(
    {
        "id": ids,
        "deliberation": st.just("26/001"),
        "prohibition": st.just(True),
        "application": st.sampled_from(("", *APPLICATIONS)),
        "service": st.sampled_from(("", *SERVICES)),
        "service_version": st.integers(0, 2),
        "elements": some_elements,
        "purpose": st.sampled_from(("", *PURPOSES)),
        "ways": st.one_of(st.just(frozenset[Way]()), some_ways),
        "valid_from": instants,
        "valid_until": ends,
        "recorded_from": instants,
        "recorded_until": ends,
    }
)
prohibitions = st.builds(for_recipients, taking, st.one_of(alone, alone, together))

rows = st.one_of(grants, grants, grants, prohibitions)
tables = st.lists(rows, max_size=12, unique_by=lambda g: g.id)

requests = st.builds(
    Request,
    institution=st.sampled_from(("", "unknown", *INSTITUTIONS)),
    application=st.sampled_from(APPLICATIONS),
    service=st.sampled_from(("", "unknown", *SERVICES)),
    service_version=st.integers(0, 2),
    purpose=st.sampled_from(("", *PURPOSES)),
    way=st.sampled_from(Way),
    elements=some_elements,
    period=periods,
)
