"""Draws what follows from a situation: health insurance, child benefit, social assistance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from random import Random

from services.institution.population.careers import Activity
from services.institution.population.households import BELGIUM, Resident
from services.institution.population.records import (
    Aid,
    ChildBenefit,
    Incapacity,
    Inquiry,
    Membership,
)

FUNDS = ("mc", "unms", "mloz", "unmn", "unml", "caami")
FUND_WEIGHTS = (42, 29, 20, 4, 4, 1)
CHILD_FUNDS = {
    "W": ("famiwal", "infino"),
    "B": ("famiris", "infino"),
    "D": ("mdg",),
    "F": ("fons", "infino"),
}
# Regional child benefit since 2019: the demo keeps what came after.
CHILD_BENEFIT_SINCE = date(2019, 1, 1)


class Rights:
    """Adds the rows that health insurance funds, child benefit bodies and welfare centres keep."""

    def __init__(self, *, rng: Random, as_of: date) -> None:
        self._rng = rng
        self._as_of = as_of
        self._fund_of: dict[int, str] = {}
        self.memberships: list[Membership] = []
        self.incapacities: list[Incapacity] = []
        self.child_benefits: list[ChildBenefit] = []
        self.aids: list[Aid] = []
        self.inquiries: list[Inquiry] = []

    def insure(self, resident: Resident, activity: Activity, *, alone: bool) -> None:
        """Make the person a member of a fund: that of the household, if there is one."""
        rng, record = self._rng, resident.record
        share = {"RN": 0.99, "BIS": 0.4, "RAD": 0.6}[record.register]
        drawn = rng.choices(FUNDS, FUND_WEIGHTS)[0]
        fund = self._fund_of.setdefault(record.household, drawn) if record.household else drawn
        if rng.random() >= share:
            return
        start = max(resident.birth, self._ago(200, 9000))
        poor = activity in {Activity.AID, Activity.INCAPACITY} and rng.random() < 0.7
        alone_without_work = activity is Activity.UNEMPLOYED and alone
        increased = poor or alone_without_work or rng.random() < 0.08
        # Rights of those struck off ended when that happened.
        end = record.address_since if record.register == "RAD" else record.death_date
        self.memberships.append(
            Membership(
                niss=resident.niss,
                insurer=fund,
                insured=not end and rng.random() < 0.995,
                start=min(start.isoformat(), end) if end else start.isoformat(),
                end=end,
                increased_from=max(start, date(2024, 1, 1)).isoformat()
                if increased and not end
                else "",
                increased_until=f"{self._as_of.year}-12-31" if increased and not end else "",
            )
        )
        if activity is Activity.INCAPACITY and not end:
            self._disable(resident, fund)
        elif activity is Activity.EMPLOYEE and record.sex == "2" and rng.random() < 0.03:
            first = self._ago(110, 600)
            self._pause(resident, fund, "MATERNITY", first, first + timedelta(days=104))

    def _disable(self, resident: Resident, fund: str) -> None:
        start = self._ago(20, 1500)
        # Primary incapacity lasts a year, then comes invalidity.
        year = start + timedelta(days=365)
        if year > self._as_of:
            self._pause(resident, fund, "PRIMARY", start, None)
            return
        self._pause(resident, fund, "PRIMARY", start, year - timedelta(days=1))
        self._pause(resident, fund, "INVALIDITY", year, None)

    def _pause(
        self, resident: Resident, fund: str, kind: str, start: date, end: date | None
    ) -> None:
        self.incapacities.append(
            Incapacity(
                niss=resident.niss,
                insurer=fund,
                kind=kind,
                start=start.isoformat(),
                first_paid_day=start.isoformat(),
                end="" if end is None else end.isoformat(),
            )
        )

    def help(self, resident: Resident, activity: Activity, *, alone: bool) -> None:
        """Integration income for who lives from it, and files under examination."""
        rng, centre = self._rng, resident.place.centre
        if activity is Activity.AID:
            equivalent = resident.record.nationality != BELGIUM and rng.random() < 0.5
            start = self._ago(40, 900)
            self.aids.append(
                Aid(
                    niss=resident.niss,
                    integration_income=not equivalent,
                    equivalent=equivalent,
                    category="2" if alone else rng.choice("13"),
                    centre=centre,
                    start=start.isoformat(),
                    end="",
                )
            )
            if centre:
                # A decision is due within thirty days of the request.
                self._inquire(resident, start - timedelta(days=rng.randint(5, 30)), start)
        elif centre and resident.alive and resident.age >= 18 and rng.random() < 0.02:
            self._inquire(resident, self._ago(1, 28), None)

    def _inquire(self, resident: Resident, start: date, end: date | None) -> None:
        self.inquiries.append(
            Inquiry(
                niss=resident.niss,
                centre=resident.place.centre,
                start=start.isoformat(),
                end="" if end is None else end.isoformat(),
            )
        )

    def raise_children(self, residents: Iterable[Resident]) -> None:
        """Child benefit for the children of every household."""
        households: defaultdict[int, list[Resident]] = defaultdict(list)
        for resident in residents:
            if resident.record.household:
                households[resident.record.household].append(resident)
        for members in households.values():
            adults = [one for one in members if one.record.household_role != "03"]
            recipient = next((one for one in adults if one.record.sex == "2"), adults[0])
            fund = self._rng.choice(CHILD_FUNDS[recipient.place.region])
            for child in members:
                entitled = child.age < 18 or (child.age < 25 and self._rng.random() < 0.5)
                if child.record.household_role == "03" and entitled:
                    self._benefit(child, recipient, fund)

    def _benefit(self, child: Resident, recipient: Resident, fund: str) -> None:
        self.child_benefits.append(
            ChildBenefit(
                child=child.niss,
                recipient=recipient.niss,
                fund=fund,
                register="opgroeien" if recipient.place.region == "F" else "orint",
                start=max(child.birth, CHILD_BENEFIT_SINCE).isoformat(),
                end="",
            )
        )

    def _ago(self, least: int, most: int) -> date:
        return self._as_of - timedelta(days=self._rng.randint(least, most))
