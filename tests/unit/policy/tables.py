"""Generated tables and questions: few names, so that grants, prohibitions and questions meet.

Hypothesis makes tables and single questions, and shrinks them; `drawn` and `asked` draw tables and
questions with plain dice, a hundred times as fast.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st

from services.policy.model import DataPeriod, Grant, Period, Request, Way

T = TypeVar("T")
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


def drawn(dice: random.Random, most: int = 12) -> list[Grant]:
    """The rows of a table, each with its own id, in no order."""
    names = dice.sample([f"g{n:02}" for n in range(100)], dice.randint(0, most))
    return [drawn_row(dice, name) for name in names]


def drawn_row(dice: random.Random, name: str) -> Grant:
    """A row with this id: a grant, or one time in four a prohibition."""
    prohibition = dice.random() < 0.25
    least = 0 if prohibition else 1
    terms: dict[str, Any] = {
        "id": name,
        "deliberation": dice.choice(("20/096", "18/024")),
        "prohibition": prohibition,
        "application": dice.choice(("", *APPLICATIONS)),
        "service": dice.choice((*SERVICES, "") if prohibition else SERVICES),
        "service_version": dice.randrange(3),
        "elements": _some(dice, ELEMENTS, least),
        "purpose": dice.choice((*PURPOSES, "") if prohibition else PURPOSES),
        "ways": _some(dice, tuple(Way), least),
        "valid_from": _instant(dice),
        "valid_until": dice.choice((None, _instant(dice))),
        "recorded_from": _instant(dice),
        "recorded_until": dice.choice((None, _instant(dice))),
    }
    if dice.random() < 0.3:
        terms |= {"institutions": _some(dice, INSTITUTIONS, 1), "group_name": "some"}
    else:
        terms["institution"] = dice.choice(("", *INSTITUTIONS))
    if not prohibition:
        terms |= {
            "caller_capacities": _some(dice, ("18/1", "18/2"), 0),
            "caller_phases": _some(dice, ("0", "1"), 0),
            "source_capacities": _some(dice, ("12/1", "12/2"), 0),
            "source_phases": _some(dice, ("0", "1"), 0),
            "data_period": DataPeriod(
                dice.choice((None, dice.randint(0, 30))), dice.choice((None, dice.randint(1, 20)))
            ),
            "volume_per_day": dice.choice((None, 100)),
            "blocking": dice.random() < 0.5,
        }
    return Grant(**terms)


def _some(dice: random.Random, names: Sequence[T], least: int) -> frozenset[T]:
    """Some of the names, at least so many."""
    return frozenset(dice.sample(names, dice.randint(least, len(names))))


def _instant(dice: random.Random) -> datetime:
    return START + timedelta(hours=6 * dice.randint(0, 8))


def asked(dice: random.Random, rows: Sequence[Grant]) -> tuple[Request, datetime, datetime]:
    """A question with its two instants: what a row names, but for a few terms drawn anew."""
    row = dice.choice(rows) if rows and dice.random() < 0.9 else None
    terms = _drawn(dice)
    valid_at, known_at = _instant(dice), _instant(dice)
    if row is not None:
        kept = _named(dice, row)
        for name in dice.sample(("application", "purpose", "service", "way"), dice.randrange(3)):
            kept.pop(name, None)
        terms |= kept
        if dice.random() < 0.9:
            valid_at, known_at = row.valid_from, max(row.valid_from, row.recorded_from)
    return Request(**terms), valid_at, known_at


def _drawn(dice: random.Random) -> dict[str, Any]:
    """All terms of a question, each drawn by itself."""
    return {
        "institution": dice.choice((*INSTITUTIONS, "", "unknown")),
        "application": dice.choice(APPLICATIONS),
        "service": dice.choice((*SERVICES, "", "unknown")),
        "service_version": dice.randrange(3),
        "purpose": dice.choice((*PURPOSES, "")),
        "way": dice.choice(tuple(Way)),
        "elements": frozenset(e for e in ELEMENTS if dice.random() < 0.4),
        "period": _drawn_period(dice),
    }


def _named(dice: random.Random, row: Grant) -> dict[str, Any]:
    """What a row names of a question's terms."""
    named = {
        "institution": row.institution or (dice.choice(sorted(row.institutions or INSTITUTIONS))),
        "application": row.application,
        "service": row.service,
        "service_version": row.service_version,
        "purpose": row.purpose,
        "way": dice.choice(sorted(row.ways)) if row.ways else "",
    }
    return {name: value for name, value in named.items() if value}


def _drawn_period(dice: random.Random) -> Period | None:
    kind = dice.randrange(4)
    if kind == 0:
        return None
    one, other = (START.date() + timedelta(days=dice.randint(-40, 10)) for _ in range(2))
    if kind == 1:
        return Period(one)
    return span((one, other)) if kind == 2 or dice.random() < 0.8 else Period(date.min)
