"""Rows as the index holds them, and how they stand for one kind of question.

Contract: a `Bucket` changes only while the table that owns it is made; all else never.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from services.policy.model import DataPeriod, Failure, Grant, Outcome, Permission, made


class Bucket:
    """The rows of one (recipient, service) that give and those that take away, by id."""

    __slots__ = ("giving", "taking")

    def __init__(self, giving: list[Grant], taking: list[Grant]) -> None:
        self.giving = giving
        self.taking = taking

    def side(self, grant: Grant) -> list[Grant]:
        """The rows among which this one belongs."""
        return self.taking if grant.prohibition else self.giving


def known(rows: Iterable[Grant], at: datetime) -> list[Grant]:
    """Those of the rows that were on record at this instant.

    One expression, not a call for each: an explanation looks at hundreds.
    """
    return [
        row
        for row in rows
        if row.recorded_from <= at and (row.recorded_until is None or at < row.recorded_until)
    ]


class Fitting(NamedTuple):
    """A grant that fits a kind of question: all that it can permit, and the limits of its data.

    `limits` is None where nothing limits the period.
    """

    whole: Permission
    limits: DataPeriod | None

    @classmethod
    def of(cls, grant: Grant) -> Fitting:
        """The grant, with what a decision needs of it worked out."""
        terms = (
            grant.id,
            grant.deliberation,
            _ordered(grant.elements),
            _ordered(grant.caller_capacities),
            _ordered(grant.caller_phases),
            _ordered(grant.source_capacities),
            _ordered(grant.source_phases),
            grant.blocking,
            grant.volume_per_day,
            None,
        )
        limits = grant.data_period
        whole = made(Permission, terms)
        return made(cls, (whole, limits if limits.limited else None))


@lru_cache(maxsize=4096)
def _ordered(names: frozenset[str]) -> tuple[str, ...]:
    """The names sorted; many grants share them."""
    return tuple(sorted(names))


class Sorting(NamedTuple):
    """How the rows stand for requests that differ at most in elements and period.

    `fit` are the grants that meet every condition up to IN_FORCE, `failed` the others that are on
    record with the first that they do not meet, `reason` how far the nearest of these came,
    `taking` the prohibitions that apply; each in order of id. It holds for instants in
    `[known_from, known_until)` and `[valid_from, valid_until)`.
    """

    fit: tuple[Fitting, ...]
    failed: tuple[Failure, ...]
    reason: Outcome
    taking: tuple[Grant, ...]
    known_from: datetime
    known_until: datetime
    valid_from: datetime
    valid_until: datetime
