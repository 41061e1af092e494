"""What a decision comes to for one subject: who has integrated it, and what may pass then.

Contract: pure. The policy decides on grants alone; here the integration check of each permission is
made (is the subject known to the caller and to a source, in a capacity and period that the grant
demands?), and what is left is put together.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.policy.model import Period, Permission
from services.routing.model import Admission, Asked, Caller, Integrations


def admit(
    permissions: Iterable[Permission],
    *,
    wanted: frozenset[str],
    integrations: Integrations,
    caller: str,
    sources: Sequence[Caller],
) -> Admission | None:
    """What may pass of `permissions`, given who knows the subject; None: nothing, or not all asked.

    `wanted` empty asks for all that is granted. Permissions whose integrations hold come first;
    those that do not block count only for elements that are still missing. Each must share days
    with those before it: the source is asked for a period that every grant used covers.
    """
    held: list[_Weighed] = []
    flagged: list[_Weighed] = []
    for each in permissions:
        elements = frozenset(each.elements)
        useful = elements & wanted if wanted else elements
        known, asked = _known(each, integrations, caller, sources)
        if known and asked:
            held.append(_Weighed(each, useful, asked))
        elif not each.blocking:
            # A sole source is asked even so; of several, only those that know the subject.
            whom = tuple(sources) if len(sources) == 1 else asked
            flagged.append(_Weighed(each, useful, whom))
    found = _Found()
    found.take(held)
    integrated = len(found.grants)
    if not wanted or not found.elements >= wanted:
        found.take(flagged)
    if not found.grants or not found.elements >= wanted:
        return None
    return Admission(
        elements=tuple(sorted(found.elements)),
        grants=tuple(found.grants),
        deliberations=tuple(sorted(found.deliberations)),
        asked=tuple(
            Asked(each, frozenset(found.asked[each])) for each in sources if each in found.asked
        ),
        period=found.period,
        not_integrated=len(found.grants) > integrated,
    )


def _known(
    permission: Permission,
    integrations: Integrations,
    caller: str,
    sources: Sequence[Caller],
) -> tuple[bool, tuple[Caller, ...]]:
    """Whether the caller knows the subject as the permission demands, and which sources do."""
    period = permission.period
    capacities, phases = permission.caller_capacities, permission.caller_phases
    known = any(i.meets(capacities, phases, period) for i in integrations.get(caller, ()))
    capacities, phases = permission.source_capacities, permission.source_phases
    asked = tuple(
        source
        for source in sources
        if any(
            i.meets(capacities, phases, period) for i in integrations.get(source.institution, ())
        )
    )
    return known, asked


class _Weighed(NamedTuple):
    """A permission, what of it is wanted, and whom it lets us ask."""

    permission: Permission
    useful: frozenset[str]
    sources: tuple[Caller, ...]


class _Found:
    """What has been admitted so far."""

    def __init__(self) -> None:
        self.elements: set[str] = set()
        self.grants: list[str] = []
        self.deliberations: set[str] = set()
        self.asked: dict[Caller, set[str]] = {}
        self.period: Period | None = None

    def take(self, weighed: list[_Weighed]) -> None:
        """Add what each gives that was missing, those that give most first."""
        for each in sorted(weighed, key=lambda w: (-len(w.useful), w.permission.grant)):
            asked = {s: each.useful - self.asked.get(s, set()) for s in each.sources}
            missing = each.useful - self.elements or any(asked.values())
            period = each.permission.period
            if not missing or (self.grants and not _overlap(self.period, period)):
                continue
            self.period = _shared(self.period, period)
            self.elements |= each.useful
            for source, elements in asked.items():
                self.asked.setdefault(source, set()).update(elements)
            self.grants.append(each.permission.grant)
            self.deliberations.add(each.permission.deliberation)


def _overlap(one: Period | None, other: Period | None) -> bool:
    """Whether both cover some day. None covers every day."""
    if one is None or other is None:
        return True
    ahead = other.end is None or one.start < other.end
    return ahead and (one.end is None or other.start < one.end)


def _shared(one: Period | None, other: Period | None) -> Period | None:
    """The days that both cover, of which there are some."""
    if one is None or other is None:
        return other if one is None else one
    ends = [each.end for each in (one, other) if each.end is not None]
    return Period(max(one.start, other.start), min(ends, default=None))
