"""Every key of the demo is valid by our own rules and by python-stdnum's."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.be import bis, nn, vat

from services.institution.population import LEAST, generate
from services.institution.population.issuer import Issuer
from services.keys import enterprise, person
from services.keys.person import Register, Sex

births = st.dates(min_value=date(1910, 1, 1), max_value=date(2026, 9, 30))


@settings(max_examples=8, deadline=None)
@given(persons=st.integers(LEAST, 300), seed=st.integers(0, 2**31))
def test_every_key_of_a_population_is_valid(persons: int, seed: int) -> None:
    population = generate(persons, seed)
    for one in population.persons:
        key = person.read(one.niss)
        assert key.register is (Register.BIS if one.register == "BIS" else Register.NATIONAL)
        assert str(key.year) == one.birth_date[:4]
        assert (bis if one.register == "BIS" else nn).is_valid(one.niss)
        if one.register != "BIS":
            assert key.sex is (Sex.MALE if one.sex == "1" else Sex.FEMALE)
    for replacement in population.replacements:
        assert person.read(replacement.niss).register is Register.BIS
        assert bis.is_valid(replacement.niss)
    for employer in population.enterprises:
        assert enterprise.check(employer.number) == employer.number
        assert vat.is_valid(employer.number)
        assert enterprise.check_unit(employer.establishment) == employer.establishment


@given(birth=births, male=st.booleans(), number=st.integers(1, 5))
def test_national_numbers_of_a_day_are_distinct_and_tell_the_sex(
    birth: date, male: bool, number: int
) -> None:
    issuer = Issuer()
    keys = [issuer.national(birth, male=male) for _ in range(number)]
    assert len(set(keys)) == number
    for key in keys:
        assert nn.is_valid(key)
        assert person.read(key).sex is (Sex.MALE if male else Sex.FEMALE)


@given(birth=births, male=st.booleans(), sex_known=st.booleans(), date_known=st.booleans())
def test_bis_numbers_tell_the_sex_only_where_it_was_known(
    birth: date, male: bool, sex_known: bool, date_known: bool
) -> None:
    key = Issuer().bis(birth, male=male, sex_known=sex_known, date_known=date_known)
    assert bis.is_valid(key)
    told = person.read(key).sex
    assert told is ((Sex.MALE if male else Sex.FEMALE) if sex_known else None)


def test_births_a_century_apart_have_distinct_numbers() -> None:
    issuer = Issuer()
    keys = {issuer.national(date(year, 3, 4), male=True) for year in (1925, 2025)}
    assert len(keys) == 2


def test_a_day_that_has_no_serial_left_is_refused() -> None:
    issuer, day = Issuer(), date(1970, 1, 1)
    for _ in range(499):
        issuer.national(day, male=True)
    with pytest.raises(person.InvalidKey, match="serial"):
        issuer.national(day, male=True)


@given(birth=births)
def test_the_unknown_number_has_good_check_digits(birth: date) -> None:
    assert nn.is_valid(Issuer().unused(birth))


def test_the_wrong_number_fails_at_its_check_digits_only() -> None:
    for seed in range(20):
        subjects = generate(LEAST, seed).subjects
        with pytest.raises(person.InvalidKey, match="check_digits"):
            person.check(subjects.wrong_check)
        assert subjects.wrong_check[:9] == subjects.demo[:9]
        assert person.check(subjects.unknown) == subjects.unknown
