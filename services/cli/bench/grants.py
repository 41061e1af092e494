"""Generated grants and questions for `crossroads bench decide`: large, skewed, the same each time.

Contract: `population(count)` gives the same rows for the same count. Few institutions have many
grants and few services are asked much (weights 1/(rank + 20) and 1/(rank + 5)), so that some
buckets are full. Of the rows 2 % are prohibitions, 3 % are for groups, 15 % are not in force or no
longer on record, 40 % limit the data period. Half of the questions ask for something that nobody
granted.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from services.policy.model import DataPeriod, Grant, Period, Request, Way

INSTITUTIONS = 3000
SERVICES = 200
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
_DAY = timedelta(days=1)
_WAYS = (
    frozenset({Way.ONLINE}),
    frozenset({Way.ONLINE, Way.BATCH}),
    frozenset({Way.EVENT}),
    frozenset(Way),
)


@dataclass(frozen=True)
class Population:
    """Rows, and the generator that asks about them."""

    rows: tuple[Grant, ...]
    groups: tuple[frozenset[str], ...]

    def questions(self, count: int, seed: int = 1) -> list[Request]:
        """Questions about grants drawn at random; half of them differ in something."""
        dice = random.Random(seed)  # noqa: S311 - a bench
        giving = [row for row in self.rows if not row.prohibition]
        return [_question(dice, dice.choice(giving)) for _ in range(count)]

    def elements(self) -> dict[str, frozenset[str]]:
        """All data elements that rows for each service name."""
        found: dict[str, frozenset[str]] = {}
        for row in self.rows:
            found[row.service] = found.get(row.service, frozenset()) | row.elements
        return found


def population(count: int) -> Population:
    """`count` rows of up to 3,000 institutions."""
    dice = random.Random(count)  # noqa: S311 - a bench
    draw = _Draw(dice)
    return Population(tuple(draw.row(number) for number in range(count)), draw.groups)


class _Weighted(NamedTuple):
    """Names of which the first are drawn most."""

    names: tuple[str, ...]
    cumulated: tuple[float, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], flat: int) -> _Weighted:
        return cls(names, tuple(accumulate(1 / (rank + flat) for rank in range(len(names)))))

    def draw(self, dice: random.Random) -> str:
        return dice.choices(self.names, cum_weights=self.cumulated)[0]


class _Draw:
    """Draws rows; what is equal is one object, as after reading a snapshot."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._institutions = _Weighted.of(tuple(f"i{n:04}" for n in range(INSTITUTIONS)), 20)
        self._services = _Weighted.of(tuple(f"service_{n:03}" for n in range(SERVICES)), 5)
        self._elements = {
            service: [
                frozenset(
                    f"{service}.element_{n:02}" for n in dice.sample(range(24), dice.randint(3, 15))
                )
                for _ in range(8)
            ]
            for service in self._services.names
        }
        self.groups = tuple(
            frozenset(dice.sample(self._institutions.names, size))
            for size in (600, 400, 200, 100, 50, 50, 20, 20, 10, 10)
        )

    def row(self, number: int) -> Grant:
        """The row with this number."""
        dice = self._dice
        service = self._services.draw(dice)
        prohibition = dice.random() < 0.02
        terms = self._recipient(dice) | self._terms(dice, service, prohibition=prohibition)
        valid_from = NOW - _DAY * dice.randint(30, 3000)
        if dice.random() < 0.05:
            valid_from = NOW + _DAY * dice.randint(1, 300)
        return Grant(
            id=f"{number // 40:05}#{number % 40 + 1}",
            deliberation=f"{number // 40:05}",
            prohibition=prohibition,
            service=service,
            valid_from=valid_from,
            valid_until=NOW - _DAY if dice.random() < 0.05 else None,
            recorded_from=NOW - _DAY * 3001,
            recorded_until=NOW - _DAY if dice.random() < 0.05 else None,
            **terms,
        )

    def _recipient(self, dice: random.Random) -> dict[str, Any]:
        if dice.random() < 0.03:
            return {"institutions": dice.choice(self.groups), "group_name": "group"}
        institution = self._institutions.draw(dice)
        application = f"a{dice.randint(0, 2)}" if dice.random() < 0.5 else ""
        return {"institution": institution, "application": application}

    def _terms(self, dice: random.Random, service: str, *, prohibition: bool) -> dict[str, Any]:
        elements = dice.choice(self._elements[service])
        purpose = f"PURPOSE_{int(service[-3:]) % 20:02}_{dice.randint(0, 3)}"
        if prohibition:
            return {"elements": elements, "purpose": dice.choice((purpose, ""))}
        limits = DataPeriod(dice.choice((None, 365, 3650)), dice.choice((None, 31, 366)))
        return {
            "elements": elements,
            "purpose": purpose,
            "legal_basis": "law",
            "service_version": dice.choice((0, 0, 0, 1, 2)),
            "caller_capacities": frozenset({f"18/{dice.randint(1, 9)}"}),
            "source_capacities": frozenset({f"12/{dice.randint(1, 9)}"}),
            "data_period": limits if dice.random() < 0.4 else DataPeriod(),
            "ways": dice.choice(_WAYS),
        }


def _question(dice: random.Random, grant: Grant) -> Request:
    institution = grant.institution or dice.choice(sorted(grant.institutions))
    elements = sorted(grant.elements)
    start = NOW.date() - _DAY * dice.randint(0, 4000)
    terms: dict[str, Any] = {
        "institution": institution,
        "application": grant.application or f"a{dice.randint(0, 2)}",
        "service": grant.service,
        "service_version": grant.service_version or dice.randint(1, 2),
        "purpose": grant.purpose,
        "way": dice.choice(sorted(grant.ways)),
        "elements": frozenset(dice.sample(elements, 2)) if dice.random() < 0.5 else frozenset(),
        "period": dice.choice((None, Period(start), Period(start, start + _DAY * 90))),
    }
    if dice.random() < 0.5:
        other = _OTHERS[dice.randrange(len(_OTHERS))]
        terms |= other
    return Request(**terms)


_OTHERS: tuple[dict[str, Any], ...] = (
    {"application": "other"},
    {"purpose": "OTHER"},
    {"way": Way.ASYNCHRONOUS},
    {"service_version": 3},
    {"elements": frozenset({"none.of.these"})},
    {"period": Period(date(1990, 1, 1), date(1991, 1, 1))},
    {"service": "service_000"},
    {"institution": "i0001"},
)
