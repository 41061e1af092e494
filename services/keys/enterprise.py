"""Keys of enterprises and of their establishment units (BCE / KBO numbers).

Contract: pure; a key is a string of 10 digits, and no error ever repeats the text that was given.

The rules (economie.fgov.be, "Identificatienummers"): ten digits; an enterprise's first is 0 or 1, a
unit's 2 to 8; the last two are 97 - (first eight mod 97), so 01 to 97. The old form of nine digits,
still accepted in messages, is an enterprise's without its leading 0.
"""

from __future__ import annotations

import re

from services.keys.invalid import InvalidKey

__all__ = ["InvalidKey", "check", "check_unit", "display", "make"]

_FORM = re.compile(r"(?:BE ?)?(?:[01][. ]?)?\d{3}[. ]?\d{3}[. ]?\d{3}", re.ASCII)
_UNIT_FORM = re.compile(r"\d[. ]?\d{3}[. ]?\d{3}[. ]?\d{3}", re.ASCII)
_SEPARATORS = str.maketrans("", "", ". BE")


def check(text: str) -> str:
    """The 10 digits of an enterprise key: `0314.595.348`, `BE 0314595348`, old `314.595.348`.

    InvalidKey names what is wrong.
    """
    stripped = text.strip()
    if _FORM.fullmatch(stripped) is None:
        raise InvalidKey("form", "must be 10 digits starting with 0 or 1, as in 0NNN.NNN.NCC")
    digits = stripped.translate(_SEPARATORS).zfill(10)
    _require_check_digits(digits)
    return digits


def check_unit(text: str) -> str:
    """The 10 digits of a unit's key, `2.147.812.701`; InvalidKey names what is wrong."""
    stripped = text.strip()
    if _UNIT_FORM.fullmatch(stripped) is None:
        raise InvalidKey("form", "must be 10 digits starting with 2 to 8, as in N.NNN.NNN.NCC")
    digits = stripped.translate(_SEPARATORS)
    if digits[0] not in "2345678":
        raise InvalidKey("first_digit", "must be 2 to 8")
    _require_check_digits(digits)
    return digits


def make(eight: int) -> str:
    """The key whose first eight digits are this number, 1 to 89,999,999; else InvalidKey."""
    if not 1 <= eight < 90_000_000:
        raise InvalidKey("number", "must have eight digits and start with 0 to 8")
    return f"{eight:08}{97 - eight % 97:02}"


def display(digits: str) -> str:
    """A key as it is written for people: `0314.595.348`, of a unit `2.147.812.701`."""
    if digits[0] in "01":
        return f"{digits[:4]}.{digits[4:7]}.{digits[7:]}"
    return f"{digits[0]}.{digits[1:4]}.{digits[4:7]}.{digits[7:]}"


def _require_check_digits(digits: str) -> None:
    if int(digits[8:]) != 97 - int(digits[:8]) % 97:
        raise InvalidKey("check_digits", "do not fit the other digits")
