"""Gives out numbers of persons and enterprises for the demo, each once, by the rules of `keys`."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import count

from services.keys import enterprise, person
from services.keys.person import MonthOffset

FIRST_MALE, FIRST_FEMALE = 1, 2
LAST_MALE = 997
# Far above the numbers given out until now, so that no real enterprise is meant.
FIRST_ENTERPRISE, FIRST_ESTABLISHMENT = 19_900_001, 89_000_001


class Issuer:
    """Numbers in the order of registration: odd serials for men, even ones for women."""

    def __init__(self) -> None:
        self._serials: defaultdict[tuple[int, int, int, MonthOffset, bool], count[int]] = (
            defaultdict(lambda: count(0))
        )
        self._enterprises = count(FIRST_ENTERPRISE)
        self._establishments = count(FIRST_ESTABLISHMENT)

    def national(self, birth: date, *, male: bool) -> str:
        """A national register number; InvalidKey when the day's serials are used up."""
        return self._next(birth, MonthOffset.NONE, male=male, date_known=True)

    def bis(self, birth: date, *, male: bool, sex_known: bool, date_known: bool) -> str:
        """A BIS number; with an unknown date it tells the year only. InvalidKey as `national`."""
        offset = MonthOffset.BIS_SEX_KNOWN if sex_known else MonthOffset.BIS_SEX_UNKNOWN
        return self._next(birth, offset, male=male, date_known=date_known)

    def unused(self, birth: date) -> str:
        """A number with good check digits that nobody bears: the last serial of a man that day."""
        return person.make(birth, LAST_MALE)

    def enterprise(self) -> str:
        """An enterprise number."""
        return enterprise.make(next(self._enterprises))

    def establishment(self) -> str:
        """The number of an establishment unit."""
        return enterprise.make(next(self._establishments))

    def _next(self, birth: date, offset: MonthOffset, *, male: bool, date_known: bool) -> str:
        month, day = (birth.month, birth.day) if date_known else (0, 0)
        serial = next(self._serials[birth.year, month, day, offset, male]) * 2
        return person.make(
            birth,
            serial + (FIRST_MALE if male else FIRST_FEMALE),
            offset=offset,
            month_known=date_known,
        )
