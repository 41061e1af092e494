"""The quarterly declaration (DmfA) that an employment relation leads to, line by line.

The demo's ONSS keeps relations; their quarters follow by rule, so nothing is stored twice.
Amounts are plausible, not those of the law: contributions are taken as 38.07 % of the pay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from crossroads.sector.employment.v1 import employment_pb2 as messages
from services.institution.population import Employment

FIRST_QUARTER = "2003/1"
CONTRIBUTION_BASIS_POINTS = 3807
DAYS_A_WEEK = 5
# Zone 00062: 1, work and paid absence; zone 00067: 1, pay linked to the work of the quarter.
ORDINARY = "1"
ORDINARY_EMPLOYER = "000"


@dataclass(frozen=True)
class Quarter:
    """A calendar quarter."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Quarter:
        """The quarter in which the day lies."""
        return cls(day.year, (day.month - 1) // 3 + 1)

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.number * 3 - 2, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.next.first - timedelta(days=1)

    @property
    def next(self) -> Quarter:
        """The quarter after."""
        last = self.number == 4
        return Quarter(self.year + last, 1 if last else self.number + 1)

    def __str__(self) -> str:
        return f"{self.year}/{self.number}"


def quarters(job: Employment, declared_until: date) -> Iterator[Quarter]:
    """The quarters of a relation that were declared by that day: a quarter that has ended."""
    end = date.fromisoformat(job.end) if job.end else declared_until
    quarter = Quarter.of(date.fromisoformat(job.start))
    while quarter.first <= end and quarter.last <= declared_until:
        if str(quarter) >= FIRST_QUARTER:
            yield quarter
        quarter = quarter.next


def worker_record(job: Employment, quarter: Quarter) -> messages.WorkerRecord:
    """The worker line of one relation and quarter, with its one occupation line."""
    start = max(date.fromisoformat(job.start), quarter.first)
    ended = bool(job.end) and job.end <= quarter.last.isoformat()
    end = date.fromisoformat(job.end) if ended else quarter.last
    days = working_days(start, end)
    hours = days * job.weekly_hours // DAYS_A_WEEK
    # A month's pay covers a third of the quarter's working days.
    pay = job.monthly_cents * 3 * days // max(1, working_days(quarter.first, quarter.last))
    student = job.worker_type == "STU"
    occupation = messages.Occupation(
        occupation_start=job.start,
        occupation_end=job.end if ended else "",
        contract_type="0" if job.weekly_hours >= job.reference_weekly_hours else "1",
        weekly_hours_hundredths=job.weekly_hours,
        reference_weekly_hours_hundredths=job.reference_weekly_hours,
        establishment_unit=job.establishment,
        working_times=[
            messages.WorkingTime(
                service_code=ORDINARY, days_hundredths=days * 100, hours_hundredths=hours
            )
        ],
        remunerations=[messages.Remuneration(remuneration_code=ORDINARY, amount_cents=pay)],
    )
    return messages.WorkerRecord(
        quarter=str(quarter),
        enterprise_number=job.enterprise,
        employer_category=ORDINARY_EMPLOYER,
        worker_code=job.worker_code,
        record_start=start.isoformat(),
        record_end=end.isoformat(),
        contribution_cents=0 if student else pay * CONTRIBUTION_BASIS_POINTS // 10_000,
        student_hours=hours // 100 if student else 0,
        student_remuneration_cents=pay if student else 0,
        occupations=[occupation],
    )


def working_days(start: date, end: date) -> int:
    """Mondays to Fridays from `start` to `end`, both included; holidays count as paid absence."""
    total = (end - start).days + 1
    weeks, rest = divmod(total, 7)
    return weeks * 5 + sum((start.weekday() + n) % 7 < 5 for n in range(rest))
