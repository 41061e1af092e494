"""Keys of persons: the rules, public examples, and python-stdnum's opinion."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.be import bis, nn

from services.keys.invalid import InvalidKey
from services.keys.person import MonthOffset, Register, Sex, check, display, make, read

# Published as examples, of nobody: python-stdnum's documentation and public instructions.
EXAMPLES = ["42.01.22-051.81", "85.07.30-033.28", "17.07.30-033.84"]
BIS_EXAMPLES = ["98.47.28-997.65", "01.49.07-001.85"]

days = st.dates(date(1900, 1, 1), date(2025, 12, 31))
serials = st.integers(1, 998)
offsets = st.sampled_from(MonthOffset)
keys = st.builds(
    make, days, serials, offset=offsets, month_known=st.booleans(), day_known=st.booleans()
)


def checked(nine: str, century: int) -> str:
    """Nine digits with the check digits of a century."""
    return f"{nine}{97 - (int(nine) + (2_000_000_000 if century == 2000 else 0)) % 97:02}"


@pytest.mark.parametrize("text", EXAMPLES + BIS_EXAMPLES)
def test_published_examples_are_keys(text: str) -> None:
    assert display(check(text)) == text


@pytest.mark.parametrize(
    "text", ["42012205181", " 42.01.22-051.81 ", "42 01 22 051 81", "420122-051.81"]
)
def test_usual_forms_are_the_same_key(text: str) -> None:
    assert check(text) == "42012205181"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "form"),
        ("4201220518", "form"),
        ("420122051811", "form"),
        ("42/01/22-051.81", "form"),
        ("42..01.22-051.81", "form"),
        ("٤٢٠١٢٢٠٥١٨١", "form"),
        ("4201220518²", "form"),
        ("42012205182", "check_digits"),
        ("42012205100", "check_digits"),
        (checked("421322051", 1900), "date"),
        (checked("423322051", 1900), "date"),
        (checked("423922051", 1900), "date"),
        (checked("425322051", 1900), "date"),
        (checked("420132051", 1900), "date"),
        (checked("010229051", 2000), "date"),
        (checked("014229051", 1900), "date"),
        (checked("420122000", 1900), "serial"),
        (checked("420122999", 1900), "serial"),
    ],
)
def test_what_is_no_key_is_refused_by_the_part_that_is_wrong(text: str, field: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        check(text)
    assert refused.value.field == field


@given(st.integers(0, 96), days, serials)
def test_refusal_never_repeats_the_text(wrong: int, born: date, serial: int) -> None:
    nine = make(born, serial)[:9]
    text = f"{nine}{wrong:02}"
    assume(text not in {checked(nine, 1900), checked(nine, 2000)})
    with pytest.raises(InvalidKey) as refused:
        check(text)
    assert nine not in str(refused.value) + repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@given(days, serials, offsets)
def test_key_is_made_as_it_is_read(born: date, serial: int, offset: MonthOffset) -> None:
    made = read(make(born, serial, offset=offset))
    assert (made.year, made.serial) == (born.year, serial)
    national = offset is MonthOffset.NONE
    assert made.register is (Register.NATIONAL if national else Register.BIS)
    if offset is MonthOffset.BIS_SEX_UNKNOWN:
        assert made.sex is None
    else:
        assert made.sex is (Sex.MALE if serial % 2 else Sex.FEMALE)
    assert made.digits not in repr(made)


@given(keys)
def test_made_keys_are_keys(key: str) -> None:
    assert check(key) == key
    assert check(display(key)) == key


@given(keys, st.integers(0, 10), st.integers(1, 9))
def test_one_wrong_digit_is_found(key: str, place: int, more: int) -> None:
    digit = (int(key[place]) + more) % 10
    wrong = f"{key[:place]}{digit}{key[place + 1 :]}"
    # Both centuries' checks are tried: a digit may turn one century's key into the other's, once in
    # a while; then the year tells it apart.
    try:
        found = read(wrong)
    except InvalidKey:
        return
    assert found.year // 100 != read(key).year // 100


@given(days, serials)
def test_century_is_told_by_the_check_digits(born: date, serial: int) -> None:
    key = make(born, serial)
    assert read(key).year == born.year
    other = checked(key[:9], 1900 if born.year >= 2000 else 2000)
    assert other != key


@given(keys)
def test_python_stdnum_accepts_what_we_make(key: str) -> None:
    assert bis.is_valid(key) is (read(key).register is Register.BIS)
    assert nn.is_valid(key) is (read(key).register is Register.NATIONAL)


@given(
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
    serials,
    st.sampled_from([1900, 2000, 0]),
)
def test_python_stdnum_agrees_on_any_date(
    year: int, month: int, day: int, serial: int, century: int
) -> None:
    nine = f"{year:02}{month:02}{day:02}{serial:03}"
    key = checked(nine, century) if century else f"{nine}42"
    # It takes a day that no month has for an unknown one, and looks at today's date; we do neither.
    assume(day <= 28)
    assume(century != 2000 or year <= 25)
    assume(int(key) > 0)
    theirs = nn.is_valid(key) or bis.is_valid(key)
    try:
        check(key, today=date(2026, 6, 1))
        ours = True
    except InvalidKey:
        ours = False
    assert ours is theirs


def test_birth_in_a_later_year_is_refused_when_today_is_known() -> None:
    key = make(date(2030, 1, 1), 1)
    assert check(key) == key
    with pytest.raises(InvalidKey, match="future"):
        check(key, today=date(2026, 1, 1))


@pytest.mark.parametrize(
    ("born", "serial"), [(date(1899, 12, 31), 1), (date(2100, 1, 1), 1), (date(1990, 1, 1), 0)]
)
def test_key_that_cannot_be_is_not_made(born: date, serial: int) -> None:
    with pytest.raises(InvalidKey):
        make(born, serial)


def test_unknown_parts_of_the_date_become_zeros() -> None:
    assert make(date(1950, 6, 7), 3, day_known=False)[:6] == "500600"
    assert make(date(1950, 6, 7), 3, month_known=False)[:6] == "500000"
    assert make(date(1950, 6, 7), 3, month_known=False, offset=MonthOffset.BIS_SEX_UNKNOWN)[:6] == (
        "502000"
    )


@pytest.mark.parametrize("century", [1900, 2000])
def test_nothing_known_of_the_date_is_a_key_of_either_century(century: int) -> None:
    assert read(checked("000001001", century)).year == century


def test_fictitious_number_of_a_partner_is_no_key() -> None:
    with pytest.raises(InvalidKey):
        check("000001-999.00")
