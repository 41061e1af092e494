"""Makes the population: the same persons and seed give the same population, on any machine that has
the same version of Faker."""

from __future__ import annotations

from collections import Counter
from datetime import date
from random import Random

from services.institution.population.careers import Activity, Careers, draw_activity
from services.institution.population.households import SCRIPTED, Households, Resident
from services.institution.population.integrations import Facts, integrations_of
from services.institution.population.issuer import Issuer
from services.institution.population.places import Pool, pools
from services.institution.population.records import DemoSubjects, Enterprise, Population
from services.institution.population.rights import Rights

# The last day of a quarter: everything up to it has been declared.
AS_OF = date(2026, 9, 30)
# With fewer persons some of the demo's subjects may be missing.
LEAST = 50
JOINT_COMMITTEES = ("124", "140", "144", "145", "149", "302", "322", "XXX")
COMMITTEE_WEIGHTS = (7, 6, 2, 2, 5, 7, 6, 65)


def generate(persons: int, seed: int, *, as_of: date = AS_OF) -> Population:
    """So many persons, as the institutions know them on the day `as_of`.

    Raises ValueError for fewer than LEAST persons, ImportError without Faker.
    """
    if persons < LEAST:
        raise ValueError(f"persons: at least {LEAST}, so that the demo has its subjects")
    # Not for secrets: the same seed has to give the same population.
    rng = Random(seed)  # noqa: S311
    issuer, drawn = Issuer(), pools(seed)
    households = Households(rng=rng, issuer=issuer, pools=drawn, as_of=as_of)
    households.draw(persons)
    employers = _employers(max(12, persons // 40), rng, issuer, drawn)
    facts = _live(tuple(households.residents), rng, as_of, employers)
    replaced = {one.current: one.niss for one in households.replacements}
    return Population(
        seed=seed,
        as_of=as_of.isoformat(),
        persons=tuple(one.record for one in facts.residents),
        replacements=tuple(households.replacements),
        enterprises=employers,
        employments=facts.employments,
        unemployments=facts.unemployments,
        pensions=facts.pensions,
        memberships=facts.memberships,
        incapacities=facts.incapacities,
        self_employments=facts.self_employments,
        child_benefits=facts.child_benefits,
        aids=facts.aids,
        inquiries=facts.inquiries,
        integrations=integrations_of(facts, as_of),
        subjects=_subjects(facts, replaced, issuer),
    )


def demo_subjects(population: Population) -> DemoSubjects:
    """The persons by whom the demo shows what happens: the same for the same population."""
    return population.subjects


def _live(
    residents: tuple[Resident, ...], rng: Random, as_of: date, employers: tuple[Enterprise, ...]
) -> Facts:
    careers = Careers(rng=rng, as_of=as_of, employers=employers)
    rights = Rights(rng=rng, as_of=as_of)
    sizes = Counter(one.record.household for one in residents if one.record.household)
    for index, resident in enumerate(residents):
        alone = sizes[resident.record.household] <= 1
        if index < SCRIPTED:
            activity, body = Activity.INCOME_GUARANTEE, "capac"
        else:
            activity, body = draw_activity(resident, rng), ""
        # Who died lived from a pension or from nothing that the demo keeps.
        if resident.alive or activity is Activity.PENSION:
            careers.live(resident, activity, alone=alone, body=body)
            if resident.alive:
                rights.help(resident, activity, alone=alone)
        rights.insure(resident, activity, alone=alone)
    rights.raise_children(residents)
    return Facts(
        residents=residents,
        employments=tuple(careers.employments),
        unemployments=tuple(careers.unemployments),
        pensions=tuple(careers.pensions),
        memberships=tuple(rights.memberships),
        incapacities=tuple(rights.incapacities),
        self_employments=tuple(careers.self_employments),
        child_benefits=tuple(rights.child_benefits),
        aids=tuple(rights.aids),
        inquiries=tuple(rights.inquiries),
    )


def _employers(
    number: int, rng: Random, issuer: Issuer, drawn: dict[str, Pool]
) -> tuple[Enterprise, ...]:
    employers = []
    for index in range(number):
        registration = 100_000 + index * 7
        pool = drawn["fr" if index % 5 < 2 else "nl"]
        employers.append(
            Enterprise(
                number=issuer.enterprise(),
                name=rng.choice(pool.companies),
                # Seven digits and two of check, as ONSS numbers look; the rule is ours.
                employer_number=f"{registration:07d}{97 - registration % 97:02d}",
                establishment=issuer.establishment(),
                joint_committee=rng.choices(JOINT_COMMITTEES, COMMITTEE_WEIGHTS)[0],
            )
        )
    return tuple(employers)


def _subjects(facts: Facts, replaced: dict[str, str], issuer: Issuer) -> DemoSubjects:
    demo, replacing = facts.residents[0], facts.residents[1]
    claimants = {one.niss for one in facts.unemployments}
    running = (one.niss for one in facts.employments if not one.end)
    unknown = issuer.unused(demo.birth)
    wrong = f"{demo.niss[:9]}{int(demo.niss[9:]) % 97 + 1:02d}"
    return DemoSubjects(
        demo=demo.niss,
        not_at_capac=next(niss for niss in running if niss not in claimants),
        replaced=replaced[replacing.niss],
        replacing=replacing.niss,
        unknown=unknown,
        wrong_check=wrong,
    )
