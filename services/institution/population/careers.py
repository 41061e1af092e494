"""Draws what people live from: jobs, business, unemployment, pensions. Shares are round guesses."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from random import Random

from services.institution.population.households import Resident
from services.institution.population.records import (
    Employment,
    Enterprise,
    Pension,
    SelfEmployment,
    Unemployment,
)

# The demo keeps no older jobs; DmfA in this form begins in 2003.
OLDEST_JOB = date(2012, 1, 1)
FULL_TIME = 3800
BODIES = ("csc", "fgtb", "capac", "cgslb")
BODY_WEIGHTS = (38, 35, 20, 7)


class Activity(StrEnum):
    """What somebody mainly lives from on the day of the population."""

    CHILD = "child"
    STUDENT = "student"
    EMPLOYEE = "employee"
    SELF_EMPLOYED = "self_employed"
    UNEMPLOYED = "unemployed"
    # Works part-time and gets the income guarantee benefit beside.
    INCOME_GUARANTEE = "income_guarantee"
    CAREER_BREAK = "career_break"
    INCAPACITY = "incapacity"
    AID = "aid"
    PENSION = "pension"
    INACTIVE = "inactive"


YOUNG = {
    Activity.STUDENT: 45,
    Activity.EMPLOYEE: 36,
    Activity.UNEMPLOYED: 6,
    Activity.AID: 3,
    Activity.INACTIVE: 10,
}
ADULT = {
    Activity.EMPLOYEE: 61,
    Activity.SELF_EMPLOYED: 11,
    Activity.UNEMPLOYED: 6,
    Activity.INCOME_GUARANTEE: 2,
    Activity.CAREER_BREAK: 2,
    Activity.INCAPACITY: 7,
    Activity.AID: 2,
    Activity.INACTIVE: 9,
}
OUTSIDE = {Activity.EMPLOYEE: 60, Activity.SELF_EMPLOYED: 5, Activity.INACTIVE: 35}


def draw_activity(resident: Resident, rng: Random) -> Activity:
    """By age and register."""
    age = resident.age
    if age < 18:
        return Activity.CHILD
    if age >= 66 or (age == 65 and resident.birth.year < 1960):
        return Activity.PENSION if rng.random() < 0.96 else Activity.INACTIVE
    if age >= 63 and rng.random() < 0.25:
        return Activity.PENSION
    shares = YOUNG if age < 25 else ADULT
    if resident.register != "RN":
        shares = OUTSIDE
    return rng.choices(tuple(shares), tuple(shares.values()))[0]


class Careers:
    """Adds the rows that an activity leaves with the institutions."""

    def __init__(self, *, rng: Random, as_of: date, employers: tuple[Enterprise, ...]) -> None:
        self._rng = rng
        self._as_of = as_of
        self._employers = employers
        self.employments: list[Employment] = []
        self.unemployments: list[Unemployment] = []
        self.self_employments: list[SelfEmployment] = []
        self.pensions: list[Pension] = []

    def live(self, resident: Resident, activity: Activity, *, alone: bool, body: str = "") -> None:
        """Give this person the past and present of the activity; `body` fixes the payment body."""
        rng = self._rng
        body = body or rng.choices(BODIES, BODY_WEIGHTS)[0]
        match activity:
            case Activity.EMPLOYEE:
                self._work(resident)
            case Activity.STUDENT if rng.random() < 0.6:
                self._student_job(resident)
            case Activity.SELF_EMPLOYED:
                self._run_business(resident)
            case Activity.UNEMPLOYED:
                self._lose_work(resident, body, alone=alone)
            case Activity.INCOME_GUARANTEE:
                job = self._jobs(resident, part_time=True)
                since = max(_day(job.start), self._ago(60, 400))
                self._benefit(resident, "IGA", body, since, alone=alone)
            case Activity.CAREER_BREAK:
                self._jobs(resident, part_time=True)
                self._benefit(resident, "CAREER", "", self._ago(30, 700), alone=alone)
            case Activity.INCAPACITY | Activity.AID if rng.random() < 0.6:
                self._jobs(resident, ended=self._ago(60, 900))
            case Activity.PENSION:
                self._retire(resident)

    def _ago(self, least: int, most: int) -> date:
        return self._as_of - timedelta(days=self._rng.randint(least, most))

    def _work(self, resident: Resident) -> None:
        rng = self._rng
        self._jobs(resident, part_time=rng.random() < 0.28)
        if rng.random() < 0.03:
            self._job(resident, self._ago(30, 300), None, worker_type="FLX", weekly_hours=800)
        if rng.random() < 0.04:
            self._business(resident, self._ago(100, 3000), None, "D")
        if rng.random() < 0.05 and resident.register == "RN":
            start = self._ago(100, 700)
            body = rng.choices(BODIES, BODY_WEIGHTS)[0]
            end = start + timedelta(days=rng.randint(5, 60))
            self._benefit(resident, "TEMP", body, start, end=end, alone=False)

    def _jobs(
        self, resident: Resident, *, part_time: bool = False, ended: date | None = None
    ) -> Employment:
        """A job that runs, or that ended on that day, and earlier ones; returns the last."""
        rng, first = self._rng, self._first_day(resident)
        last = ended or self._as_of
        drawn = last - timedelta(days=int(rng.expovariate(1 / 1500)) + 40)
        start = min(max(first, drawn), last - timedelta(days=30))
        hours = rng.choice((1900, 2280, 3040)) if part_time else FULL_TIME
        earlier: list[tuple[date, date]] = []
        edge = start
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            end = edge - timedelta(days=rng.randint(1, 200))
            edge = end - timedelta(days=rng.randint(60, 1500))
            if edge < first:
                break
            earlier.append((edge, end))
        for past in reversed(earlier):
            self._job(resident, *past)
        return self._job(resident, start, ended, weekly_hours=hours)

    def _first_day(self, resident: Resident) -> date:
        grown = resident.birth + timedelta(days=18 * 366)
        return min(max(OLDEST_JOB, grown), self._as_of - timedelta(days=30))

    def _job(
        self,
        resident: Resident,
        start: date,
        end: date | None,
        *,
        worker_type: str = "",
        weekly_hours: int = FULL_TIME,
        planned_hours: int = 0,
    ) -> Employment:
        rng, employer = self._rng, self._rng.choice(self._employers)
        manual = rng.random() < 0.42
        agency = employer.joint_committee == "322"
        construction = manual and employer.joint_committee == "124"
        job = Employment(
            niss=resident.niss,
            period_id=1_000_000_001 + len(self.employments),
            enterprise=employer.number,
            employer_number=employer.employer_number,
            establishment=employer.establishment,
            worker_type=worker_type or ("BCW" if construction else "OTH"),
            worker_code="015" if manual else "495",
            joint_committee=employer.joint_committee,
            start=start.isoformat(),
            end="" if end is None else end.isoformat(),
            weekly_hours=weekly_hours,
            reference_weekly_hours=FULL_TIME,
            monthly_cents=rng.randint(2200, 5600) * 100 * weekly_hours // FULL_TIME,
            planned_hours=planned_hours,
            user_enterprise=rng.choice(self._employers).number if agency else "",
        )
        self.employments.append(job)
        return job

    def _student_job(self, resident: Resident) -> None:
        start = self._ago(20, 500)
        end = start + timedelta(days=self._rng.randint(10, 90))
        hours = self._rng.randint(40, 400)
        over = end < self._as_of
        self._job(
            resident,
            start,
            end if over else None,
            worker_type="STU",
            weekly_hours=1200,
            planned_hours=hours,
        )

    def _run_business(self, resident: Resident) -> None:
        start = max(self._first_day(resident), self._ago(60, 5000))
        if self._rng.random() < 0.4 and start - timedelta(days=200) > self._first_day(resident):
            self._jobs(resident, ended=start - timedelta(days=1))
        self._business(resident, start, None, "A")

    def _business(self, resident: Resident, start: date, end: date | None, category: str) -> None:
        self.self_employments.append(
            SelfEmployment(
                niss=resident.niss,
                category=category,
                fund="cas",
                contributions_paid=self._rng.random() < 0.94,
                start=start.isoformat(),
                end="" if end is None else end.isoformat(),
            )
        )

    def _lose_work(self, resident: Resident, body: str, *, alone: bool) -> None:
        ended = self._ago(20, 650)
        self._jobs(resident, ended=ended)
        self._benefit(resident, "FULL", body, ended + timedelta(days=1), alone=alone)

    def _benefit(
        self,
        resident: Resident,
        status: str,
        body: str,
        start: date,
        *,
        alone: bool,
        end: date | None = None,
    ) -> None:
        category = "N" if alone else self._rng.choice("ABB")
        self.unemployments.append(
            Unemployment(
                niss=resident.niss,
                status=status,
                family_category="" if status == "CAREER" else category,
                payment_body=body,
                start=start.isoformat(),
                end="" if end is None else end.isoformat(),
            )
        )

    def _retire(self, resident: Resident) -> None:
        rng, record = self._rng, resident.record
        # 65 for who was born before 1960, 66 after (law of 10 August 2015); some go at 63.
        years = min(resident.age, 65 if resident.birth.year < 1960 else 66)
        start = min(_month_after(resident.birth, years), self._as_of.replace(day=1))
        if start > OLDEST_JOB + timedelta(days=400) and rng.random() < 0.7:
            self._jobs(resident, ended=start - timedelta(days=1))
        poor = rng.random() < 0.06
        self._pension(resident, "RETIREMENT", start, rng.randint(900, 2900), guarantee=False)
        if poor:
            self._pension(resident, "GRAPA", start, rng.randint(200, 700), guarantee=True)
        if record.civil_status == "W" and rng.random() < 0.5:
            self._pension(resident, "SURVIVOR", start, rng.randint(300, 1200), guarantee=False)
        if rng.random() < 0.03 and resident.alive:
            self._business(resident, max(start, self._ago(100, 1500)), None, "E")

    def _pension(
        self, resident: Resident, kind: str, start: date, monthly: int, *, guarantee: bool
    ) -> None:
        self.pensions.append(
            Pension(
                niss=resident.niss,
                kind=kind,
                start=start.isoformat(),
                end=resident.record.death_date,
                monthly_cents=monthly * 100,
                income_guarantee=guarantee,
            )
        )


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _month_after(birth: date, years: int) -> date:
    """First day of the month after that birthday."""
    month = birth.month % 12 + 1
    return date(birth.year + years + (birth.month == 12), month, 1)
