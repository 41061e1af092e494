"""A draft held against what is: its analysis, and what it would change in logged exchanges.

Contract: nothing is recorded. Both look at the newest version of the table; the rows of a
deliberation that the draft amends are left out, as they would be once it is in force.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from services.authorization.analysis import Finding, Listing, analyse
from services.authorization.decisions import Current
from services.authorization.lifecycle import Draft, compiled
from services.authorization.model import Grant as Term
from services.authorization.model import row
from services.authorization.replay import Logged
from services.authorization.validation import Catalogue, validate
from services.policy.decide import decide
from services.policy.index import GrantTable
from services.policy.model import Decision, Grant
from services.runtime.clock import Clock
from services.runtime.errors import invalid

MOST_CHANGES = 100
"""More than these are counted and not told."""


class Registry(Catalogue, Listing, Protocol):
    """What registry says of institutions, services and data elements."""

    def require(self) -> None:
        """Raise LEASE_EXPIRED if what is known here may be out of date."""
        ...


class Changed(NamedTuple):
    """A logged question that would be decided otherwise; `place` among those given."""

    place: int
    now: Decision
    then: Decision


class Simulation(NamedTuple):
    """What a draft would change."""

    newly_permitted: int
    newly_refused: int
    altered: int
    unchanged: int
    changes: Sequence[Changed]


class Previews:
    """The use cases of whoever weighs a draft."""

    def __init__(self, *, current: Current, registry: Registry, clock: Clock) -> None:
        self._current = current
        self._registry = registry
        self._clock = clock

    def analyse(self, draft: Draft) -> list[Finding]:
        """What is odd about its grants, also where they would be refused."""
        self._registry.require()
        self._current.require()
        now = self._clock.now()
        table = [each for each in self._current.table if not _amended(draft, each)]
        grants = compiled(draft, "", 1, max(draft.enters_into_force or now, now))
        return analyse(_rows(grants, now), table, self._registry, now)

    def simulate(self, draft: Draft, logged: Sequence[Logged]) -> Simulation:
        """What would be decided otherwise, were it in force now."""
        self._registry.require()
        self._current.require()
        table = self._current.table
        with_draft = self._with(draft, table)
        now = self._clock.now()
        known_at = max(now, self._current.recorded_at or now)
        counts = {"newly_permitted": 0, "newly_refused": 0, "altered": 0, "unchanged": 0}
        changes: list[Changed] = []
        for place, each in enumerate(logged):
            before = decide(each.request, table, now, known_at)
            after = decide(each.request, with_draft, now, known_at)
            kind = _kind(before, after)
            counts[kind] += 1
            if kind != "unchanged" and len(changes) < MOST_CHANGES:
                changes.append(Changed(place, before, after))
        return Simulation(changes=changes, **counts)

    def _with(self, draft: Draft, table: GrantTable) -> GrantTable:
        """The table as it would be."""
        gone = [(each.id, None) for each in table if _amended(draft, each)]
        now = self._clock.now()
        grants = compiled(draft, "", 1, now)
        validate(grants, self._registry, draft.scope, "draft")
        at_once = [dataclasses.replace(grant, valid_from=now) for grant in grants]
        new = [(each.id, each) for each in _rows(at_once, now)]
        return table.apply([*gone, *new], table.version, table.digest)


def _rows(grants: Sequence[Term], now: datetime) -> list[Grant]:
    """The rows that decisions would be taken on, "#<n>"."""
    try:
        return [row(grant, "", now) for grant in grants]
    except ValueError as error:
        raise invalid("draft.grants", f"hold what is no grant ({error}); correct it") from None


def _amended(draft: Draft, each: Grant) -> bool:
    return bool(draft.amends) and each.deliberation == draft.amends


def _kind(before: Decision, after: Decision) -> str:
    if before.permitted != after.permitted:
        return "newly_permitted" if after.permitted else "newly_refused"
    periods = [{p.period for p in each.permissions} for each in (before, after)]
    same = before.elements == after.elements and periods[0] == periods[1]
    return "unchanged" if same else "altered"
