"""Which institution has a file on whom, in which capacity and for which period. Nothing is drawn:
all follows from what the institutions keep. How long a file stays open after its facts is ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from services.institution.population.households import Resident
from services.institution.population.records import (
    Aid,
    ChildBenefit,
    Employment,
    Incapacity,
    Inquiry,
    Integration,
    Membership,
    Pension,
    SelfEmployment,
    Unemployment,
)

# How long the ONSS keeps a file open after the last day of work; the longest reach of the demo's
# grants for benefits is as long.
KEPT_AFTER_WORK = timedelta(days=5 * 366)
JOBSEEKERS = {"F": "vdab", "W": "forem", "D": "forem", "B": "actiris"}


@dataclass(frozen=True)
class Facts:
    """What the institutions keep."""

    residents: tuple[Resident, ...]
    employments: tuple[Employment, ...]
    unemployments: tuple[Unemployment, ...]
    pensions: tuple[Pension, ...]
    memberships: tuple[Membership, ...]
    incapacities: tuple[Incapacity, ...]
    self_employments: tuple[SelfEmployment, ...]
    child_benefits: tuple[ChildBenefit, ...]
    aids: tuple[Aid, ...]
    inquiries: tuple[Inquiry, ...]


def integrations_of(facts: Facts, as_of: date) -> tuple[Integration, ...]:
    """All integrations, one for each person, institution and capacity, in that order."""
    deaths = {one.niss: one.record.death_date for one in facts.residents if not one.alive}
    spans: dict[tuple[str, str, str], tuple[str, str]] = {}
    for one in _all(facts, as_of):
        until = one.until
        # A file ends the day after a death, but in the registers, which keep the dead.
        if (death := deaths.get(one.niss)) and one.institution not in {"rn", "bcss"}:
            until = min(until or "9999", _next(death))
        key = (one.niss, one.institution, one.capacity)
        start, end = spans.get(key, (one.start, until))
        spans[key] = (min(start, one.start), "" if not (end and until) else max(end, until))
    return tuple(
        Integration(niss, institution, capacity, start, until)
        for (niss, institution, capacity), (start, until) in sorted(spans.items())
        if not until or start < until
    )


def _all(facts: Facts, as_of: date) -> Iterator[Integration]:
    yield from _registers(facts.residents)
    yield from _work(facts.employments, as_of)
    yield from _unemployment(facts.unemployments, {one.niss: one for one in facts.residents})
    yield from _pensions(facts.pensions)
    yield from _health(facts.memberships, facts.incapacities)
    for business in facts.self_employments:
        for institution in ("inasti", business.fund):
            yield Integration(
                business.niss, institution, "15/2", business.start, _next(business.end)
            )
    yield from _children(facts.child_benefits)
    yield from _assistance(facts.aids, facts.inquiries)
    yield from _others(facts, as_of)


def _registers(residents: Iterable[Resident]) -> Iterator[Integration]:
    for one in residents:
        since = one.record.address_since
        if one.register == "RN":
            yield Integration(one.niss, "rn", "OWN/RESIDENT", one.birth.isoformat(), "")
        else:
            yield Integration(one.niss, "bcss", "OWN/REGISTER", since, "")
        if one.register == "RAD":
            yield Integration(one.niss, "rn", "OWN/RESIDENT", one.birth.isoformat(), since)


def _work(employments: Iterable[Employment], as_of: date) -> Iterator[Integration]:
    for job in employments:
        until = ""
        if job.end:
            closed = date.fromisoformat(job.end) + KEPT_AFTER_WORK
            until = closed.isoformat() if closed <= as_of else ""
        yield Integration(job.niss, "onss", "12/30", job.start, until)
        yield Integration(job.niss, "onss", "12/10", job.start, until)


def _unemployment(
    periods: Iterable[Unemployment], residents: dict[str, Resident]
) -> Iterator[Integration]:
    for period in periods:
        until = _next(period.end)
        if period.status == "CAREER":
            yield Integration(period.niss, "onem", "18/2", period.start, until)
            continue
        for institution in ("onem", period.payment_body):
            yield Integration(period.niss, institution, "18/1", period.start, until)
        if period.status == "FULL":
            office = JOBSEEKERS[residents[period.niss].place.region]
            yield Integration(period.niss, office, "18/4", period.start, until)


def _pensions(pensions: Iterable[Pension]) -> Iterator[Integration]:
    for pension in pensions:
        until = _next(pension.end)
        # The award file is opened with the request, about a year before.
        asked = date.fromisoformat(pension.start) - timedelta(days=365)
        yield Integration(pension.niss, "sfp", "5/20", asked.isoformat(), until)
        yield Integration(pension.niss, "sfp", "5/100", pension.start, until)
        if pension.income_guarantee:
            yield Integration(pension.niss, "sfp", "5/30", pension.start, until)


def _health(
    memberships: Iterable[Membership], incapacities: Iterable[Incapacity]
) -> Iterator[Integration]:
    for member in memberships:
        yield Integration(member.niss, member.insurer, "11/1", member.start, _next(member.end))
        if member.increased_from:
            until = _next(member.increased_until)
            yield Integration(member.niss, member.insurer, "9/2", member.increased_from, until)
    for period in incapacities:
        until = _next(period.end)
        yield Integration(period.niss, period.insurer, "11/2", period.start, until)
        if period.kind == "INVALIDITY":
            yield Integration(period.niss, "inami", "11/2", period.start, until)


def _children(benefits: Iterable[ChildBenefit]) -> Iterator[Integration]:
    for benefit in benefits:
        until = _next(benefit.end)
        start = benefit.start
        yield Integration(benefit.child, benefit.fund, "7/104", start, until)
        yield Integration(benefit.recipient, benefit.fund, "7/102", start, until)
        if benefit.register == "orint":
            yield Integration(benefit.child, "orint", "7/104", start, until)
            yield Integration(benefit.recipient, "orint", "7/102", start, until)
        else:
            yield Integration(benefit.child, "opgroeien", "OWN/CHILD_REGIONAL", start, until)


def _assistance(aids: Iterable[Aid], inquiries: Iterable[Inquiry]) -> Iterator[Integration]:
    for aid in aids:
        capacity = "17/2" if aid.integration_income else "17/3"
        for institution in filter(None, ("spp-is", aid.centre)):
            yield Integration(aid.niss, institution, capacity, aid.start, _next(aid.end))
    for inquiry in inquiries:
        yield Integration(inquiry.niss, inquiry.centre, "17/1", inquiry.start, _next(inquiry.end))


def _others(facts: Facts, as_of: date) -> Iterator[Integration]:
    """Taxpayers under recovery and holders of a pass: some, told by their number, not drawn."""
    year = f"{as_of.year}-01-01"
    for one in facts.residents:
        if one.register == "RN" and one.age >= 18 and int(one.niss) % 12 == 0:
            yield Integration(one.niss, "spf-finances", "OWN/TAXPAYER", year, "")
        if one.place.region == "F" and one.age >= 65 and int(one.niss) % 5 == 0:
            yield Integration(one.niss, "de-lijn", "OWN/TRAVELLER", year, "")


def _next(day: str) -> str:
    """The day after; empty stays empty."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat() if day else ""
