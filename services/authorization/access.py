"""Who may what: the rows of a table that count at an instant. Pure.

Contract: rows come in order of id. A grant's `prohibitions` are those in force that share a request
with it: some exchange that the grant would permit, they take something from. Which elements an
exchange gets in the end only a decision says.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from services.policy.conditions import in_force
from services.policy.index import GrantTable
from services.policy.model import Grant
from services.policy.rows import known


class Access(NamedTuple):
    """A row, and for a grant the ids of the prohibitions that overlap it, sorted."""

    grant: Grant
    prohibitions: tuple[str, ...]


def who_may(
    table: GrantTable, element: str, valid_at: datetime, known_at: datetime
) -> list[Access]:
    """The rows by which `element` may be read, and those that take it away."""
    rows = _counting(table, valid_at, known_at)
    return _access([row for row in rows if _names(row, element)], element)


def what_may(
    table: GrantTable, institution: str, valid_at: datetime, known_at: datetime
) -> list[Access]:
    """The rows of an institution, and those that bind everybody."""
    rows = _counting(table, valid_at, known_at)
    return _access([row for row in rows if row.concerns(institution)], "")


def overlaps(prohibition: Grant, grant: Grant, element: str = "") -> bool:
    """Whether some request that `grant` permits loses something (`element`, if given) by
    `prohibition`, periods aside."""
    common = grant.elements
    if prohibition.elements:
        common &= prohibition.elements
    return (
        bool(common if not element else element in common)
        and not (
            prohibition.recipients
            and grant.recipients
            and prohibition.recipients.isdisjoint(grant.recipients)
        )
        and _meet(prohibition.application, grant.application)
        and _meet(prohibition.service, grant.service)
        and _meet(prohibition.service_version, grant.service_version)
        and _meet(prohibition.purpose, grant.purpose)
        and (not prohibition.ways or bool(prohibition.ways & grant.ways))
    )


def _meet(one: str | int, other: str | int) -> bool:
    """Two terms of which an empty one means any."""
    return not one or not other or one == other


def _counting(table: GrantTable, valid_at: datetime, known_at: datetime) -> Iterable[Grant]:
    return (row for row in known(table, known_at) if in_force(row, valid_at))


def _names(row: Grant, element: str) -> bool:
    return element in row.elements or (row.prohibition and not row.elements)


def _access(rows: Sequence[Grant], element: str) -> list[Access]:
    taking = sorted((row for row in rows if row.prohibition), key=attrgetter("id"))
    return [
        Access(
            row,
            ()
            if row.prohibition
            else tuple(each.id for each in taking if overlaps(each, row, element)),
        )
        for row in sorted(rows, key=attrgetter("id"))
    ]
