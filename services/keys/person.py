"""Keys of persons: national register and BIS numbers (NISS / INSZ).

Contract: pure; a key is a string of 11 digits, and no error ever repeats the text that was given.

The rules (royal decree of 3 April 1984; of 8 February 1991 for BIS numbers):
- six digits of date (YYMMDD), a serial of three, two check digits;
- check = 97 - (first nine mod 97), so 01 to 97; for births from 2000 on a 2 goes before the nine.
  2 000 000 000 mod 97 is 68, so the two never agree, and the check tells the century;
- serials go from 001 to 998, odd for men and even for women;
- an unknown month or day is 00. When the serials of a day are used up, month and day become 00 00
  and the serial starts again, then the day counts up (00 01, 00 02 …). So month 00 never proves an
  unknown date: the date of birth is data of its own and is not read from the key;
- a BIS number has 40 added to the month if the sex was known when it was given, 20 if not; only
  with 40 does the serial's parity tell the sex.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from services.keys.invalid import InvalidKey

__all__ = [
    "InvalidKey",
    "MonthOffset",
    "PersonKey",
    "Register",
    "Sex",
    "check",
    "display",
    "make",
    "read",
    "well_formed",
]

_FORM = re.compile(r"\d\d[. ]?\d\d[. ]?\d\d[- ]?\d{3}[. ]?\d\d", re.ASCII)
_SEPARATORS = str.maketrans("", "", ". -")
_CENTURY_2000 = 2_000_000_000


class Register(StrEnum):
    """Who gave the number."""

    NATIONAL = "national"
    BIS = "bis"


class Sex(StrEnum):
    """What the serial's parity says."""

    MALE = "male"
    FEMALE = "female"


class MonthOffset(StrEnum):
    """What is added to the month: nothing in the national register, 40 or 20 in BIS numbers."""

    NONE = "none"
    BIS_SEX_KNOWN = "bis_sex_known"
    BIS_SEX_UNKNOWN = "bis_sex_unknown"

    @property
    def months(self) -> int:
        """The number that is added."""
        return {"none": 0, "bis_sex_known": 40, "bis_sex_unknown": 20}[self.value]


@dataclass(frozen=True, slots=True)
class PersonKey:
    """What a key says by itself. `sex` is None where its parity means nothing.

    `year` is that of the first group and of the century of the check; with month and day 00 it may
    stand for an unknown year, too.
    """

    digits: str = field(repr=False)
    register: Register
    year: int
    serial: int
    sex: Sex | None


def check(text: str, *, today: date | None = None) -> str:
    """The 11 digits of a key in one of its usual forms, `42.01.22-051.81` for instance.

    InvalidKey names what is wrong. With `today`, births in a later year are refused too.
    """
    digits = text
    if len(text) != 11 or not text.isascii() or not text.isdigit():
        stripped = text.strip()
        if _FORM.fullmatch(stripped) is None:
            raise InvalidKey("form", "must be 11 digits, as in YYMMDDSSSCC or YY.MM.DD-SSS.CC")
        digits = stripped.translate(_SEPARATORS)
    year = _year(digits)
    _require_date(year, int(digits[2:4]), int(digits[4:6]))
    if not 1 <= int(digits[6:9]) <= 998:
        raise InvalidKey("serial", "must be 001 to 998")
    if today is not None and year > today.year:
        raise InvalidKey("date", "must not be in the future")
    return digits


def well_formed(key: str) -> bool:
    """Whether the check digits of a key fit its other digits, and `check` takes it."""
    try:
        check(key)
    except InvalidKey:
        return False
    return True


def read(text: str) -> PersonKey:
    """What a key says by itself; InvalidKey as `check`."""
    digits = check(text)
    month, serial = int(digits[2:4]), int(digits[6:9])
    sex = Sex.MALE if serial % 2 else Sex.FEMALE
    return PersonKey(
        digits=digits,
        register=Register.BIS if month >= 20 else Register.NATIONAL,
        year=_year(digits),
        serial=serial,
        sex=None if 20 <= month < 40 else sex,
    )


def display(digits: str) -> str:
    """A key as it is written for people, `42.01.22-051.81`."""
    return f"{digits[:2]}.{digits[2:4]}.{digits[4:6]}-{digits[6:9]}.{digits[9:]}"


def make(
    birth_date: date,
    serial: int,
    *,
    offset: MonthOffset = MonthOffset.NONE,
    month_known: bool = True,
    day_known: bool = True,
) -> str:
    """The key for a date of birth from 1900 to 2099 and a serial from 1 to 998.

    Unknown parts become 00; without the month the day is left out too. Without serials left, the
    caller passes `month_known=False`, as the register does. InvalidKey for another year or serial.
    """
    if not 1900 <= birth_date.year <= 2099:
        raise InvalidKey("date", "must be of 1900 to 2099")
    if not 1 <= serial <= 998:
        raise InvalidKey("serial", "must be 001 to 998")
    month = (birth_date.month if month_known else 0) + offset.months
    day = birth_date.day if month_known and day_known else 0
    nine = f"{birth_date.year % 100:02}{month:02}{day:02}{serial:03}"
    return f"{nine}{_check_digits(nine, birth_date.year >= 2000):02}"


def _check_digits(nine: str, from_2000: bool) -> int:
    number = int(nine) + (_CENTURY_2000 if from_2000 else 0)
    return 97 - number % 97


def _year(digits: str) -> int:
    """The year of birth, by the century that the check digits fit."""
    nine, given = digits[:9], int(digits[9:])
    if given == _check_digits(nine, from_2000=False):
        return 1900 + int(digits[:2])
    if given == _check_digits(nine, from_2000=True):
        return 2000 + int(digits[:2])
    raise InvalidKey("check_digits", "do not fit the other digits")


def _require_date(year: int, month: int, day: int) -> None:
    """Refuse months and days that no key has."""
    if not (month <= 12 or 20 <= month <= 32 or 40 <= month <= 52):
        raise InvalidKey("date", "must have a month of 00 to 12, 20 to 32 or 40 to 52")
    calendar_month = month % 20
    # Without a month the day may count: it is no day of a month.
    if calendar_month and day > monthrange(year, calendar_month)[1]:
        raise InvalidKey("date", "must have a day of that month, or 00")
