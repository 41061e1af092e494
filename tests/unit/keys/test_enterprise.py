"""Keys of enterprises and units: the rules, published examples, and python-stdnum's opinion."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.be import vat

from services.keys.enterprise import check, check_unit, display, make
from services.keys.invalid import InvalidKey

enterprises = st.integers(1, 19_999_999).map(make)
units = st.integers(20_000_000, 89_999_999).map(make)


@pytest.mark.parametrize("text", ["0314.595.348", "0353.456.320"])
def test_published_enterprises_are_keys(text: str) -> None:
    assert display(check(text)) == text


@pytest.mark.parametrize("text", ["2.147.812.701", "2.147.812.897", "2.000.000.339"])
def test_published_units_are_keys(text: str) -> None:
    assert display(check_unit(text)) == text


@pytest.mark.parametrize(
    "text", ["0314595348", "314595348", "314.595.348", "BE 0314.595.348", "BE0314595348"]
)
def test_usual_forms_are_the_same_key(text: str) -> None:
    assert check(text) == "0314595348"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "form"),
        ("31459534", "form"),
        ("2147812701", "form"),
        ("٠٣١٤٥٩٥٣٤٨", "form"),
        ("0314595349", "check_digits"),
        ("0314595300", "check_digits"),
    ],
)
def test_what_is_no_enterprise_key_is_refused(text: str, field: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        check(text)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("214781270", "form"),
        ("0314595348", "first_digit"),
        ("9000000077", "first_digit"),
        ("2147812702", "check_digits"),
    ],
)
def test_what_is_no_unit_key_is_refused(text: str, field: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        check_unit(text)
    assert refused.value.field == field


@given(enterprises)
def test_made_enterprises_are_keys_to_us_and_to_python_stdnum(key: str) -> None:
    assert check(key) == check(display(key)) == key == vat.validate(key)


@given(units)
def test_made_units_are_keys_of_units_alone(key: str) -> None:
    assert check_unit(key) == check_unit(display(key)) == key
    with pytest.raises(InvalidKey):
        check(key)


@given(st.from_regex(r"[0-9]{9,10}", fullmatch=True))
def test_python_stdnum_agrees(text: str) -> None:
    # It takes any remainder as a check, also 00; the rule gives 97 there.
    assume(text[-2:] not in {"00", "98", "99"})
    try:
        check(text)
        ours = True
    except InvalidKey:
        ours = False
    assert ours is bool(vat.is_valid(text))


@given(enterprises, st.integers(0, 9), st.integers(1, 9))
def test_one_wrong_digit_is_found(key: str, place: int, more: int) -> None:
    digit = (int(key[place]) + more) % 10
    with pytest.raises(InvalidKey):
        check(f"{key[:place]}{digit}{key[place + 1 :]}")


def test_check_digits_are_97_and_not_00() -> None:
    key = make(97)
    assert key == "0000009797"
    assert check(key) == key


@pytest.mark.parametrize("eight", [0, 90_000_000, -1])
def test_number_without_eight_digits_is_not_made(eight: int) -> None:
    with pytest.raises(InvalidKey):
        make(eight)


@given(st.text(max_size=14))
def test_refusal_never_repeats_the_text(text: str) -> None:
    assume(len(text.strip()) > 3)
    with pytest.raises(InvalidKey) as refused:
        check(text)
    assert text not in str(refused.value)
