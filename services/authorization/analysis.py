"""What is odd about grants before they are published. Pure.

Contract: `analyse` looks at the rows of a draft beside the table that they would join, at an
instant, and says what the committee should know. A finding refuses nothing: what is wrong beyond
doubt, validation refuses. Rows of the table count while they are on record and not over.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from services.authorization.access import overlaps
from services.policy.model import Grant


class Oddity(StrEnum):
    """Kinds of findings."""

    NEVER_APPLIES = "never_applies"
    CONTAINED = "contained"
    OVERLAPS_PROHIBITION = "overlaps_prohibition"
    CLOSED_INSTITUTION = "closed_institution"
    DEPRECATED_ELEMENT = "deprecated_element"


class Finding(NamedTuple):
    """One thing that is odd about a grant. `others`: rows that make it so, sorted."""

    grant: str
    oddity: Oddity
    text: str
    others: tuple[str, ...] = ()


class Listing(Protocol):
    """What registry says of institutions and data elements."""

    def institution_active(self, institution: str) -> bool | None:
        """Whether it is active; None if there is no such institution."""
        ...

    def application_active(self, institution: str, application: str) -> bool | None:
        """Whether it is active; None if there is no such application."""
        ...

    def deprecated(self, element: str) -> bool:
        """Whether nothing new should name this data element."""
        ...


def analyse(
    draft: Sequence[Grant], table: Iterable[Grant], listing: Listing, now: datetime
) -> list[Finding]:
    """The findings on each grant of the draft, in its order."""
    standing = [row for row in table if row.recorded_until is None and not over(row, now)]
    standing.sort(key=lambda row: row.id)
    findings: list[Finding] = []
    for place, grant in enumerate(draft):
        if not grant.prohibition:
            others = [*standing, *draft[:place], *draft[place + 1 :]]
            findings += _beside(grant, others, draft[:place], now)
        findings += _named(grant, listing)
    return findings


def over(grant: Grant, now: datetime) -> bool:
    """Whether it ended before now, or never begins."""
    until = grant.valid_until
    return until is not None and until <= max(now, grant.valid_from)


def contained(inner: Grant, outer: Grant) -> bool:
    """Whether whatever `inner` permits, `outer` permits on terms that are no narrower."""
    return (
        _within(inner.recipients, outer.recipients)
        and outer.application in ("", inner.application)
        and outer.service == inner.service
        and outer.service_version in (0, inner.service_version)
        and inner.elements <= outer.elements
        and outer.purpose == inner.purpose
        and inner.ways <= outer.ways
        and _within(inner.caller_capacities, outer.caller_capacities)
        and _within(inner.caller_phases, outer.caller_phases)
        and _within(inner.source_capacities, outer.source_capacities)
        and _within(inner.source_phases, outer.source_phases)
        and _at_most(inner.data_period.days_back, outer.data_period.days_back)
        and _at_most(inner.data_period.max_days, outer.data_period.max_days)
        and _at_most(inner.volume_per_day, outer.volume_per_day)
        and (inner.blocking or not outer.blocking)
        and inner.valid_from >= outer.valid_from
        and _ends_by(inner.valid_until, outer.valid_until)
    )


def forbidden(grant: Grant, others: Iterable[Grant], now: datetime) -> frozenset[str]:
    """The elements of a grant that prohibitions take from every exchange it would permit."""
    taken: frozenset[str] = frozenset()
    for row in others:
        if row.prohibition and _always(row, grant, now):
            taken |= row.elements & grant.elements if row.elements else grant.elements
    return taken


def _beside(
    grant: Grant, others: Sequence[Grant], before: Sequence[Grant], now: datetime
) -> Iterator[Finding]:
    if over(grant, now):
        yield Finding(grant.id, Oddity.NEVER_APPLIES, "its period is over before it begins")
        return
    taking = [row for row in others if row.prohibition and _meet_in_time(row, grant)]
    if forbidden(grant, taking, now) == grant.elements:
        always = tuple(row.id for row in taking if _always(row, grant, now))
        yield Finding(
            grant.id, Oddity.NEVER_APPLIES, "prohibitions take all its elements away", always
        )
    overlapping = tuple(row.id for row in taking if overlaps(row, grant))
    if overlapping:
        yield Finding(
            grant.id, Oddity.OVERLAPS_PROHIBITION, "prohibitions take something away", overlapping
        )
    # Of two that are the same, the later one is named.
    containing = tuple(
        row.id
        for row in others
        if not row.prohibition
        and contained(grant, row)
        and (row in before or not contained(row, grant) or row.recorded_from < grant.recorded_from)
    )
    if containing:
        yield Finding(
            grant.id, Oddity.CONTAINED, "adds nothing to what another grant gives", containing
        )


def _named(grant: Grant, listing: Listing) -> Iterator[Finding]:
    for institution in sorted(grant.recipients):
        if not listing.institution_active(institution):
            yield Finding(
                grant.id, Oddity.CLOSED_INSTITUTION, f"institution {institution} is not active"
            )
        elif grant.application and not listing.application_active(institution, grant.application):
            yield Finding(
                grant.id,
                Oddity.CLOSED_INSTITUTION,
                f"application {institution}/{grant.application} is not active",
            )
    for element in sorted(grant.elements):
        if listing.deprecated(element):
            yield Finding(
                grant.id, Oddity.DEPRECATED_ELEMENT, f"data element {element} is deprecated"
            )


def _always(prohibition: Grant, grant: Grant, now: datetime) -> bool:
    """Whether a prohibition applies to every exchange that a grant permits from now on."""
    return (
        _within(grant.recipients, prohibition.recipients)
        and prohibition.application in ("", grant.application)
        and prohibition.service in ("", grant.service)
        and prohibition.service_version in (0, grant.service_version)
        and prohibition.purpose in ("", grant.purpose)
        and (not prohibition.ways or grant.ways <= prohibition.ways)
        and prohibition.valid_from <= max(now, grant.valid_from)
        and _ends_by(grant.valid_until, prohibition.valid_until)
    )


def _meet_in_time(one: Grant, other: Grant) -> bool:
    return (one.valid_until is None or other.valid_from < one.valid_until) and (
        other.valid_until is None or one.valid_from < other.valid_until
    )


def _within(inner: frozenset[str], outer: frozenset[str]) -> bool:
    """Of two sets of which an empty one means any."""
    return not outer or (bool(inner) and inner <= outer)


def _at_most(inner: int | None, outer: int | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


def _ends_by(inner: datetime | None, outer: datetime | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)
