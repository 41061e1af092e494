"""What the demo institutions answer, from the population: one handler for each exchange service.

A handler tells everything that the institution knows, also what nobody was granted: routing keeps
only what is. None means that the institution has nothing. A period is answered whole if any of its
days lies in what was asked and granted; a quarter belongs to the period in which it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from google.protobuf.message import Message

from crossroads.sector.child_benefit.v1 import child_benefit_pb2
from crossroads.sector.employment.v1 import employment_pb2
from crossroads.sector.health.v1 import health_pb2
from crossroads.sector.pension.v1 import pension_pb2
from crossroads.sector.person.v1 import person_pb2
from crossroads.sector.self_employed.v1 import self_employed_pb2
from crossroads.sector.social_assistance.v1 import social_assistance_pb2
from crossroads.sector.unemployment.v1 import unemployment_pb2
from services.institution import population as records
from services.institution.dmfa import quarters, worker_record
from services.institution.population import Store
from services.institution.sector import load

OPEN = "9999-12-31"


@dataclass(frozen=True)
class Period:
    """Days from `start` to `until`, both included, as ISO dates; empty is open."""

    start: str = ""
    until: str = ""

    def overlaps(self, start: str, end: str) -> bool:
        """Whether it has a day in common with that stretch, whose empty end is open."""
        return start <= (self.until or OPEN) and (end or OPEN) >= self.start

    def narrowed(self, start: str, until: str) -> Period:
        """What it has in common with another one."""
        both = min(self.until or OPEN, until or OPEN)
        return Period(max(self.start, start), "" if both == OPEN else both)


@dataclass(frozen=True)
class Asked:
    """One question, as it reaches a source."""

    store: Store
    institution: str
    question: Any
    subject: str
    # What is granted of the asked period.
    period: Period


Handler = Callable[[Asked], Message | None]


def person_data(asked: Asked) -> Message | None:
    """Legal person data."""
    person = _kept(asked)
    if person is None:
        return None
    return person_pb2.PersonDataAnswer(
        niss=person.niss,
        register=person.register,
        last_name=person.last_name,
        first_names=person.first_names,
        birth_date=person.birth_date,
        birth_place=person.birth_place,
        sex=person.sex,
        nationality=person.nationality,
        civil_status=person.civil_status,
        civil_status_date=person.civil_status_date,
        partner_niss=person.partner,
        death_date=person.death_date,
        registration_kind=person.registration_kind,
    )


def address(asked: Asked) -> Message | None:
    """The main residence, or the one abroad."""
    person = _kept(asked)
    # The register of the demo keeps the present residence only.
    if person is None or not _on(asked, person.address_since, ""):
        return None
    return person_pb2.AddressAnswer(
        street=person.street,
        house_number=person.house_number,
        box=person.box,
        postal_code=person.postal_code,
        municipality=person.municipality,
        country=person.country,
        since=person.address_since,
        abroad=person.abroad,
    )


def household(asked: Asked) -> Message | None:
    """The composition of the household."""
    person = _kept(asked)
    if person is None or not person.household:
        return None
    members = asked.store.rows(records.Person, by="household", key=person.household)
    return person_pb2.HouseholdAnswer(
        reference_person=next(one.niss for one in members if one.household_role == "01"),
        role=person.household_role,
        size=len(members),
        members=[
            person_pb2.HouseholdMember(niss=one.niss, role=one.household_role) for one in members
        ],
    )


def employment_periods(asked: Asked) -> Message | None:
    """The declared quarters, oldest first."""
    jobs = asked.store.rows(records.Employment, by="niss", key=asked.subject)
    declared_until = date.fromisoformat(asked.store.as_of)
    first, last = asked.question.from_quarter, asked.question.until_quarter or OPEN
    lines = [
        worker_record(job, quarter)
        for job in jobs
        for quarter in quarters(job, declared_until)
        if first <= str(quarter) <= last
        and asked.period.start <= quarter.first.isoformat() <= (asked.period.until or OPEN)
    ]
    if not lines:
        return None
    lines.sort(key=lambda line: (line.quarter, line.record_start))
    return employment_pb2.EmploymentPeriodsAnswer(records=lines)


def dimona(asked: Asked) -> Message | None:
    """The employment relations, oldest first."""
    jobs = asked.store.rows(records.Employment, by="niss", key=asked.subject)
    periods = [
        employment_pb2.DimonaPeriod(
            period_id=job.period_id,
            employer_number=job.employer_number,
            enterprise_number=job.enterprise,
            worker_type=job.worker_type,
            joint_committee=job.joint_committee,
            start_date=job.start,
            end_date=job.end,
            planned_hours=job.planned_hours,
            user_enterprise=job.user_enterprise,
            status="ACCEPTED",
        )
        for job in jobs
        if _asked_period(asked).overlaps(job.start, job.end)
    ]
    return employment_pb2.DimonaAnswer(periods=periods) if periods else None


def unemployment_status(asked: Asked) -> Message | None:
    """The periods of benefit, and the career interruption."""
    period = _asked_period(asked)
    rows = asked.store.rows(records.Unemployment, by="niss", key=asked.subject)
    rows = [row for row in rows if period.overlaps(row.start, row.end)]
    if not rows:
        return None
    answer = unemployment_pb2.UnemploymentStatusAnswer()
    as_of = date.fromisoformat(asked.store.as_of)
    for row in rows:
        if row.status == "CAREER":
            answer.career_interruption_from = row.start
            answer.career_interruption_until = row.end
            continue
        end = date.fromisoformat(row.end) if row.end else as_of
        # Benefit is paid for six days a week.
        days = max(0, (end - date.fromisoformat(row.start)).days + 1) * 600 // 7
        answer.periods.add(
            status=row.status,
            family_category=row.family_category,
            payment_body=row.payment_body,
            from_date=row.start,
            until_date=row.end,
            days_hundredths=days,
        )
    return answer


def pension(asked: Asked) -> Message | None:
    """The pension file."""
    rows = asked.store.rows(records.Pension, by="niss", key=asked.subject)
    if not rows:
        return None
    return pension_pb2.PensionAnswer(
        file_exists=True,
        income_guarantee=any(row.income_guarantee for row in rows),
        rights=[
            pension_pb2.PensionRight(
                kind=row.kind, start_date=row.start, monthly_amount_cents=row.monthly_cents
            )
            for row in rows
            if asked.period.overlaps(row.start, row.end)
        ],
    )


def insurability(asked: Asked) -> Message | None:
    """What this fund knows of its member."""
    rows = asked.store.rows(records.Membership, by="niss", key=asked.subject)
    row = next((row for row in rows if row.insurer == asked.institution), None)
    if row is None or not _on(asked, row.start, row.end):
        return None
    incapacities = asked.store.rows(records.Incapacity, by="niss", key=asked.subject)
    day = asked.question.on or asked.store.as_of
    return health_pb2.InsurabilityAnswer(
        insurer=row.insurer,
        insured=row.insured,
        increased_reimbursement=bool(row.increased_from)
        and row.increased_from <= day <= (row.increased_until or OPEN),
        increased_reimbursement_from=row.increased_from,
        increased_reimbursement_until=row.increased_until,
        incapacities=[
            health_pb2.Incapacity(
                start=one.start, first_paid_day=one.first_paid_day, end=one.end, kind=one.kind
            )
            for one in incapacities
            if one.insurer == asked.institution and asked.period.overlaps(one.start, one.end)
        ],
    )


def self_employed_status(asked: Asked) -> Message | None:
    """The career as self-employed."""
    period = _asked_period(asked)
    rows = asked.store.rows(records.SelfEmployment, by="niss", key=asked.subject)
    periods = [
        self_employed_pb2.SelfEmployedPeriod(
            from_date=row.start,
            until_date=row.end,
            contribution_category=row.category,
            fund=row.fund,
            contributions_paid=row.contributions_paid,
        )
        for row in rows
        if period.overlaps(row.start, row.end)
    ]
    return self_employed_pb2.SelfEmployedStatusAnswer(periods=periods) if periods else None


def child_benefit(asked: Asked) -> Message | None:
    """The benefit of which the subject is the child or the recipient."""
    period = _asked_period(asked)
    rows = [
        row
        for column in ("child", "recipient")
        for row in asked.store.rows(records.ChildBenefit, by=column, key=asked.subject)
    ]
    periods = [
        child_benefit_pb2.ChildBenefitPeriod(
            child=row.child,
            recipient=row.recipient,
            from_date=row.start,
            until_date=row.end,
            fund=row.fund,
        )
        for row in sorted(rows, key=lambda row: (row.start, row.child))
        if row.register == asked.institution and period.overlaps(row.start, row.end)
    ]
    return child_benefit_pb2.ChildBenefitAnswer(periods=periods) if periods else None


def integration_income(asked: Asked) -> Message | None:
    """The periods of aid."""
    period = _asked_period(asked)
    rows = asked.store.rows(records.Aid, by="niss", key=asked.subject)
    periods = [
        social_assistance_pb2.AidPeriod(
            integration_income=row.integration_income,
            equivalent=row.equivalent,
            category=row.category,
            from_date=row.start,
            until_date=row.end,
        )
        for row in rows
        if period.overlaps(row.start, row.end)
    ]
    return social_assistance_pb2.IntegrationIncomeAnswer(periods=periods) if periods else None


HANDLERS: Mapping[str, Handler] = {
    "person_data": person_data,
    "address": address,
    "household": household,
    "employment_periods": employment_periods,
    "dimona": dimona,
    "unemployment_status": unemployment_status,
    "pension": pension,
    "insurability": insurability,
    "self_employed_status": self_employed_status,
    "child_benefit": child_benefit,
    "integration_income": integration_income,
}


def handlers_of(source: str) -> dict[tuple[str, int], Handler]:
    """What a source, "<institution>/<application>", answers: (service, version) -> handler."""
    return {
        (service.id, service.version): HANDLERS[service.id]
        for service in load().services
        if source in service.sources
    }


def sources() -> tuple[str, ...]:
    """All sources of the catalogue, "<institution>/<application>", sorted."""
    return tuple(sorted({source for service in load().services for source in service.sources}))


def _kept(asked: Asked) -> records.Person | None:
    """The person, if this institution keeps them: `rn` those of RN, `bcss` those of BIS and RAD."""
    person = asked.store.person(asked.subject)
    if person is None or (person.register == "RN") != (asked.institution == "rn"):
        return None
    return person


def _asked_period(asked: Asked) -> Period:
    return asked.period.narrowed(asked.question.from_date, asked.question.until_date)


def _on(asked: Asked, start: str, end: str) -> bool:
    """Whether a situation that lasts from `start` to `end` holds on the day asked, if any is, and
    that day is granted."""
    day = asked.question.on
    if day:
        return asked.period.overlaps(day, day) and start <= day <= (end or OPEN)
    return asked.period.overlaps(start, end)
