"""Gives out numbers of persons and enterprises for the demo, each once, by the rules of `keys`."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import count

FIRST_MALE, FIRST_FEMALE = 1, 2
LAST_MALE = 997
# Far above the numbers given out until now, so that no real enterprise is meant.
FIRST_ENTERPRISE, FIRST_ESTABLISHMENT = 19_900_001, 89_000_001


def check(nine: int, year: int) -> int:
    return 97 - (nine + (2_000_000_000 if year >= 2000 else 0)) % 97


class Issuer:
    """Numbers in the order of registration: odd serials for men, even ones for women."""

    def __init__(self) -> None:
        self._serials: defaultdict[tuple[str, bool], count[int]] = defaultdict(lambda: count(0))
        self._enterprises = count(FIRST_ENTERPRISE)
        self._establishments = count(FIRST_ESTABLISHMENT)

    def national(self, birth: date, *, male: bool) -> str:
        """A national register number."""
        return self._next(f"{birth:%y%m%d}", birth.year, male=male)

    def bis(self, birth: date, *, male: bool, sex_known: bool, date_known: bool) -> str:
        """A BIS number: 40 is added to the month, 20 where the sex is unknown; an unknown month and
        day are 00."""
        month, day = (birth.month, birth.day) if date_known else (0, 0)
        shifted = month + (40 if sex_known else 20)
        return self._next(f"{birth:%y}{shifted:02d}{day:02d}", birth.year, male=male)

    def unused(self, birth: date) -> str:
        """A number with good check digits that nobody bears: the day's last serial of a man."""
        return self._number(f"{birth:%y%m%d}", LAST_MALE, birth.year)

    def enterprise(self) -> str:
        first = next(self._enterprises)
        return f"{first:08d}{97 - first % 97:02d}"

    def establishment(self) -> str:
        first = next(self._establishments)
        return f"{first:08d}{97 - first % 97:02d}"

    def _next(self, day: str, year: int, *, male: bool) -> str:
        serial = next(self._serials[f"{year // 100}{day}", male]) * 2
        return self._number(day, serial + (FIRST_MALE if male else FIRST_FEMALE), year)

    def _number(self, day: str, serial: int, year: int) -> str:
        first = f"{day}{serial:03d}"
        return f"{first}{check(int(first), year):02d}"
