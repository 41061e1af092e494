"""The synthetic population: the same from the same seed, with good keys, and consistent."""

from __future__ import annotations

from collections import defaultdict

import pytest
from stdnum.be import nn

from services.institution.population import (
    AS_OF,
    LEAST,
    Population,
    demo_subjects,
    generate,
)
from services.institution.sector import load


@pytest.fixture(scope="module")
def population() -> Population:
    return generate(1500, 7)


def test_there_are_as_many_persons_as_asked(population: Population) -> None:
    assert len(population.persons) == 1500
    assert len(generate(LEAST, 1).persons) == LEAST


def test_the_same_seed_makes_the_same_population() -> None:
    assert generate(200, 3) == generate(200, 3)
    assert generate(200, 3).persons != generate(200, 4).persons


def test_too_few_persons_are_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        generate(LEAST - 1, 1)


def test_no_number_is_given_twice(population: Population) -> None:
    numbers = [one.niss for one in population.persons]
    numbers += [one.niss for one in population.replacements]
    assert len(numbers) == len(set(numbers))


def test_bis_and_rad_registers_are_there(population: Population) -> None:
    assert {one.register for one in population.persons} == {"RN", "BIS", "RAD"}
    assert any(one.death_date for one in population.persons)


def test_numbers_of_a_register_have_its_form(population: Population) -> None:
    for one in population.persons:
        assert (int(one.niss[2:4]) >= 20) == (one.register == "BIS")
    assert all(int(one.niss[2:4]) >= 20 for one in population.replacements)


def test_spouses_name_each_other(population: Population) -> None:
    partner = {one.niss: one.partner for one in population.persons if one.partner}
    assert partner
    assert all(partner[other] == niss for niss, other in partner.items())


def test_every_household_has_one_reference_person(population: Population) -> None:
    roles: defaultdict[int, list[str]] = defaultdict(list)
    for one in population.persons:
        if one.household:
            roles[one.household].append(one.household_role)
    assert all(found.count("01") == 1 for found in roles.values())


def test_integrations_are_in_capacities_that_the_institution_may_use(
    population: Population,
) -> None:
    capacities = {one.id: set(one.capacities) for one in load().institutions}
    assert all(one.capacity in capacities[one.institution] for one in population.integrations)


def test_integrations_are_about_known_persons_and_hold_a_day(population: Population) -> None:
    numbers = {one.niss for one in population.persons}
    for one in population.integrations:
        assert one.niss in numbers
        assert not one.until or one.start < one.until


@pytest.mark.parametrize(
    ("institution", "capacity", "facts"),
    [
        ("onss", "12/10", "employments"),
        ("inasti", "15/2", "self_employments"),
        ("sfp", "5/100", "pensions"),
        ("spp-is", "17/2", "aids"),
    ],
)
def test_who_is_integrated_is_who_the_institution_has_facts_on(
    population: Population, institution: str, capacity: str, facts: str
) -> None:
    integrated = {
        one.niss
        for one in population.integrations
        if (one.institution, one.capacity) == (institution, capacity)
    }
    known = {one.niss for one in getattr(population, facts)}
    assert integrated
    assert integrated <= known


def test_codes_in_records_are_in_the_code_lists(population: Population) -> None:
    lists = {name: {one.code for one in codes} for name, codes in load().code_lists.items()}
    for name, used in {
        "civil_status": {one.civil_status for one in population.persons},
        "country": {one.nationality for one in population.persons},
        "nis_municipality": {one.municipality for one in population.persons} - {""},
        "household_role": {one.household_role for one in population.persons} - {""},
        "dimona_worker_type": {one.worker_type for one in population.employments},
        "worker_code": {one.worker_code for one in population.employments},
        "dimona_joint_committee": {one.joint_committee for one in population.employments},
        "unemployment_status": {one.status for one in population.unemployments},
        "pension_kind": {one.kind for one in population.pensions},
        "incapacity_kind": {one.kind for one in population.incapacities},
        "self_employed_contribution_category": {
            one.category for one in population.self_employments
        },
        "integration_income_category": {one.category for one in population.aids},
    }.items():
        assert used <= lists[name], name


def test_nothing_begins_after_the_day_of_the_population(population: Population) -> None:
    facts = (population.employments, population.unemployments, population.pensions, population.aids)
    for rows in facts:
        assert all(one.start <= AS_OF.isoformat() for one in rows)
        assert all(not one.end or one.start <= one.end for one in rows)


@pytest.mark.parametrize("seed", range(5))
def test_the_subjects_of_the_demo_are_what_they_should_be(seed: int) -> None:
    population = generate(LEAST, seed)
    subjects = demo_subjects(population)
    running = {
        (one.niss, one.institution, one.capacity)
        for one in population.integrations
        if not one.until
    }
    for niss in (subjects.demo, subjects.replacing):
        assert (niss, "capac", "18/1") in running
        assert (niss, "onss", "12/10") in running
    assert (subjects.not_at_capac, "onss", "12/10") in running
    assert not [one for one in running if one[:2] == (subjects.not_at_capac, "capac")]
    assert (subjects.replaced, subjects.replacing) in {
        (one.niss, one.current) for one in population.replacements
    }
    known = {one.niss for one in population.persons} | {one.niss for one in population.replacements}
    assert subjects.unknown not in known
    assert nn.is_valid(subjects.unknown)
    assert not nn.is_valid(subjects.wrong_check)
