"""What the demo institutions keep on persons and enterprises: one frozen record for each row.

Days are ISO dates (YYYY-MM-DD), because they are stored, compared and sent as text. `end` is the
last day, included, empty while it runs; only an integration has `until`, the first day after, as
the reference directory takes it. Money is in eurocents; hours of a week in hundredths.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the national register or a register of the Crossroads Bank keeps it."""

    niss: str
    register: str
    last_name: str
    first_names: str
    birth_date: str
    birth_place: str
    sex: str
    nationality: str
    civil_status: str
    civil_status_date: str
    partner: str
    death_date: str
    registration_kind: str
    # 0: no household in the national register.
    household: int
    household_role: str
    street: str
    house_number: str
    box: str
    postal_code: str
    municipality: str
    country: str
    address_since: str
    abroad: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """A number that was replaced: `niss` (kept in `register`) by `current`, from `since` on."""

    niss: str
    register: str
    current: str
    since: str


@dataclass(frozen=True, slots=True)
class Enterprise:
    """An employer with one establishment unit."""

    number: str
    name: str
    employer_number: str
    establishment: str
    joint_committee: str


@dataclass(frozen=True, slots=True)
class Employment:
    """One employment relation: what Dimona announces and DmfA declares."""

    niss: str
    period_id: int
    enterprise: str
    employer_number: str
    establishment: str
    worker_type: str
    worker_code: str
    joint_committee: str
    start: str
    end: str
    weekly_hours: int
    reference_weekly_hours: int
    monthly_cents: int
    planned_hours: int
    user_enterprise: str


@dataclass(frozen=True, slots=True)
class Unemployment:
    """One period of benefit; the status CAREER is a career interruption, without a payment body."""

    niss: str
    status: str
    family_category: str
    payment_body: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Pension:
    """One pension right in payment."""

    niss: str
    kind: str
    start: str
    end: str
    monthly_cents: int
    income_guarantee: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """The membership of one health insurance fund; `increased_*` is empty without that right."""

    niss: str
    insurer: str
    insured: bool
    start: str
    end: str
    increased_from: str
    increased_until: str


@dataclass(frozen=True, slots=True)
class Incapacity:
    """One period of incapacity for work."""

    niss: str
    insurer: str
    kind: str
    start: str
    first_paid_day: str
    end: str


@dataclass(frozen=True, slots=True)
class SelfEmployment:
    """One period under the self-employed scheme."""

    niss: str
    category: str
    fund: str
    contributions_paid: bool
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class ChildBenefit:
    """Benefit for one child; `register` keeps it: orint, or opgroeien for Flanders."""

    child: str
    recipient: str
    fund: str
    register: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Aid:
    """Integration income or its equivalent; `centre` is empty where no demo centre pays it."""

    niss: str
    integration_income: bool
    equivalent: bool
    category: str
    centre: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A file under examination at a welfare centre."""

    niss: str
    centre: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Integration:
    """ "We have a file on this person, in this capacity, from `start` to before `until`." """

    niss: str
    institution: str
    capacity: str
    start: str
    until: str


@dataclass(frozen=True, slots=True)
class DemoSubjects:
    """Persons by whom the demo shows what happens.

    `demo` works and gets benefit: capac and onss know them. `not_at_capac` is known to onss only.
    `replaced` is an old number of `replacing`, whom capac and onss know. `unknown` has good check
    digits and is nobody; `wrong_check` has not.
    """

    demo: str
    not_at_capac: str
    replaced: str
    replacing: str
    unknown: str
    wrong_check: str


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody, and what the institutions know of them on the day `as_of`."""

    seed: int
    as_of: str
    persons: tuple[Person, ...]
    replacements: tuple[Replacement, ...]
    enterprises: tuple[Enterprise, ...]
    employments: tuple[Employment, ...]
    unemployments: tuple[Unemployment, ...]
    pensions: tuple[Pension, ...]
    memberships: tuple[Membership, ...]
    incapacities: tuple[Incapacity, ...]
    self_employments: tuple[SelfEmployment, ...]
    child_benefits: tuple[ChildBenefit, ...]
    aids: tuple[Aid, ...]
    inquiries: tuple[Inquiry, ...]
    integrations: tuple[Integration, ...]
    subjects: DemoSubjects

    def summary(self) -> dict[str, int]:
        """How many rows of each kind there are."""
        return {
            name: len(rows)
            for name in self.__dataclass_fields__
            if isinstance(rows := getattr(self, name), tuple)
        }
