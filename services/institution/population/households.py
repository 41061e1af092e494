"""Draws the people: households of the national register, and those whom only the Crossroads Bank
keeps (BIS, RAD). Shares are round guesses, not statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from services.institution.population.issuer import Issuer
from services.institution.population.places import (
    Municipality,
    Pool,
    draw_municipality,
    language_of,
)
from services.institution.population.records import Person, Replacement

BELGIUM = "150"
NEIGHBOURS = ("111", "129", "103", "128")
COUNTRIES = {"111": "France", "129": "Nederland", "103": "Deutschland", "128": "Italia"}
BIS_SHARE, RAD_SHARE, DEATH_SHARE = 0.03, 0.007, 0.008
# Of those with a foreign nationality.
REPLACED_SHARE = 0.06
# The first households are made on purpose: each is one adult, for the demo.
SCRIPTED = 2


@dataclass(frozen=True)
class Resident:
    """A person with what the drawing of careers and rights needs beside the record."""

    record: Person
    birth: date
    place: Municipality
    age: int
    alive: bool

    @property
    def niss(self) -> str:
        """The number."""
        return self.record.niss

    @property
    def register(self) -> str:
        """RN, BIS or RAD."""
        return self.record.register


@dataclass(frozen=True)
class Member:
    """A place in a household, before anybody bears it."""

    age: int
    sex: str
    role: str
    civil_status: str


@dataclass(frozen=True)
class Home:
    """Where a household lives."""

    number: int
    place: Municipality
    pool: Pool
    street: str
    house_number: str
    box: str
    since: date


class Households:
    """Makes persons until there are as many as asked."""

    def __init__(self, *, rng: Random, issuer: Issuer, pools: dict[str, Pool], as_of: date) -> None:
        self._rng = rng
        self._issuer = issuer
        self._pools = pools
        self._as_of = as_of
        self.residents: list[Resident] = []
        self.replacements: list[Replacement] = []

    def draw(self, persons: int) -> None:
        """Fill `residents` with so many persons, and `replacements` with numbers that they had."""
        for number in range(SCRIPTED):
            self._add_household(number + 1, [self._member(32 + number * 9, "1", "01", "10")])
        self._replace(self.residents[1])
        outside = round(persons * BIS_SHARE), round(persons * RAD_SHARE)
        household = SCRIPTED
        while (room := persons - sum(outside) - len(self.residents)) > 0:
            household += 1
            self._add_household(household, self._members()[:room])
        for register, count in zip(("BIS", "RAD"), outside, strict=True):
            for _ in range(count):
                self._add_outside(register)

    def _members(self) -> list[Member]:
        rng, kind = self._rng, self._rng.random()
        if kind < 0.34:
            return self._single()
        age = rng.randint(25, 88) if kind < 0.62 else rng.randint(27, 55)
        parents = self._couple(age) if kind < 0.90 else [self._parent(age)]
        if kind < 0.62:
            return parents
        # Nobody here was born to a parent under twenty.
        most = min(one.age for one in parents) - 20
        ages = sorted(
            (rng.randint(0, 24) for _ in range(rng.choice((1, 1, 2, 2, 2, 3, 4)))), reverse=True
        )
        return parents + [Member(one, rng.choice("12"), "03", "10") for one in ages if one <= most]

    def _single(self) -> list[Member]:
        age = self._rng.choice((self._rng.randint(20, 60), self._rng.randint(24, 95)))
        status = "10"
        if age > 68 and self._rng.random() < 0.6:
            status = "W"
        elif age > 32 and self._rng.random() < 0.35:
            status = "41"
        return [self._member(age, self._rng.choice("12"), "01", status)]

    def _couple(self, age: int) -> list[Member]:
        rng = self._rng
        first = rng.choice("112")
        second = first if rng.random() < 0.04 else ("2" if first == "1" else "1")
        other = max(20, age + rng.randint(-6, 4))
        married = rng.random() < (0.4 if age < 35 else 0.75)
        status, role = ("20", "02") if married else ("10", "21")
        return [self._member(age, first, "01", status), self._member(other, second, role, status)]

    def _parent(self, age: int) -> Member:
        return self._member(
            age, self._rng.choice("2221"), "01", self._rng.choice(("10", "41", "41", "W"))
        )

    def _member(self, age: int, sex: str, role: str, status: str) -> Member:
        return Member(age=age, sex=sex, role=role, civil_status=status)

    def _birth(self, age: int) -> date:
        return self._as_of - timedelta(days=age * 365.2425 + self._rng.randint(3, 360))

    def _add_household(self, number: int, members: list[Member]) -> None:
        births = [self._birth(one.age) for one in members]
        numbers = [self._number(one, birth) for one, birth in zip(members, births, strict=True)]
        home = self._home(number, births[0])
        married = self._married_since(members, births)
        family = ""
        for index, (member, birth) in enumerate(zip(members, births, strict=True)):
            name = family if member.role == "03" else self._rng.choice(home.pool.last)
            family = family or name
            spouse = member.role in {"01", "02"} and len(members) > 1 and members[1].role == "02"
            record = replace(
                self._registered(home, member, birth, numbers[index]),
                last_name=name,
                civil_status_date=married if spouse else birth.isoformat(),
                partner=numbers[1 - index] if spouse else "",
            )
            if len(members) == 1 and number > SCRIPTED:
                record = self._perhaps_dead(record, member.age)
            self._add(record, birth, home.place, member.age)
            if number > SCRIPTED and record.registration_kind == "FOR":
                self._perhaps_replaced(self.residents[-1])

    def _home(self, number: int, eldest: date) -> Home:
        rng, place = self._rng, draw_municipality(self._rng)
        pool = self._pools[language_of(place, rng)]
        since = max(eldest, self._as_of - timedelta(days=rng.randint(40, 9000)))
        return Home(
            number=number,
            place=place,
            pool=pool,
            street=rng.choice(pool.streets),
            house_number=str(rng.randint(1, 240)),
            box=str(rng.randint(1, 30)) if rng.random() < 0.25 else "",
            since=since,
        )

    def _registered(self, home: Home, member: Member, birth: date, niss: str) -> Person:
        rng, place = self._rng, home.place
        foreign = rng.random() < 0.1
        names = home.pool.male if member.sex == "1" else home.pool.female
        return Person(
            niss=niss,
            register="RN",
            last_name="",
            first_names=" ".join(rng.sample(names, 2)),
            birth_date=birth.isoformat(),
            birth_place=place.name_nl if place.region == "F" else place.name_fr,
            sex=member.sex,
            nationality=rng.choice(NEIGHBOURS) if foreign else BELGIUM,
            civil_status=member.civil_status,
            civil_status_date="",
            partner="",
            death_date="",
            registration_kind="FOR" if foreign else "POP",
            household=home.number,
            household_role=member.role,
            street=home.street,
            house_number=home.house_number,
            box=home.box,
            postal_code=place.postal_code,
            municipality=place.code,
            country=BELGIUM,
            address_since=max(home.since, birth).isoformat(),
            abroad="",
        )

    def _perhaps_dead(self, record: Person, age: int) -> Person:
        if self._rng.random() >= (DEATH_SHARE if age < 60 else DEATH_SHARE * 8):
            return record
        death = self._as_of - timedelta(days=self._rng.randint(5, 700))
        return replace(record, death_date=death.isoformat(), household=0, household_role="")

    def _perhaps_replaced(self, resident: Resident) -> None:
        if self._rng.random() < REPLACED_SHARE:
            self._replace(resident)

    def _married_since(self, members: list[Member], births: list[date]) -> str:
        if len(members) < 2 or members[1].role != "02":
            return births[0].isoformat()
        adult = max(births[0], births[1]) + timedelta(days=20 * 366)
        days = max(1, (self._as_of - adult).days)
        return (adult + timedelta(days=self._rng.randint(0, days - 1))).isoformat()

    def _number(self, member: Member, birth: date) -> str:
        return self._issuer.national(birth, male=member.sex == "1")

    def _add(self, record: Person, birth: date, place: Municipality, age: int) -> None:
        alive = not record.death_date
        self.residents.append(
            Resident(record=record, birth=birth, place=place, age=age, alive=alive)
        )

    def _replace(self, resident: Resident) -> None:
        """This person first had a BIS number, which the national number has replaced."""
        known = self._rng.random() < 0.8
        old = self._issuer.bis(
            resident.birth, male=resident.record.sex == "1", sex_known=known, date_known=True
        )
        days = max(1, min((self._as_of - resident.birth).days, self._rng.randint(200, 4000)))
        since = self._as_of - timedelta(days=days - 1)
        self.replacements.append(
            Replacement(niss=old, register="BIS", current=resident.niss, since=since.isoformat())
        )

    def _add_outside(self, register: str) -> None:
        rng, place = self._rng, draw_municipality(self._rng)
        pool = self._pools[language_of(place, rng)]
        age, sex, country = rng.randint(19, 62), rng.choice("12"), rng.choice(NEIGHBOURS)
        birth = self._birth(age)
        sex_known, date_known = rng.random() < 0.85, rng.random() < 0.9
        if register == "BIS":
            number = self._issuer.bis(
                birth, male=sex == "1", sex_known=sex_known, date_known=date_known
            )
        else:
            sex_known = date_known = True
            number = self._issuer.national(birth, male=sex == "1")
        record = Person(
            niss=number,
            register=register,
            last_name=rng.choice(pool.last),
            first_names=rng.choice(pool.male if sex == "1" else pool.female),
            birth_date=birth.isoformat() if date_known else f"{birth.year}-00-00",
            birth_place=COUNTRIES[country],
            sex=sex if sex_known else "0",
            nationality=country,
            civil_status="90",
            civil_status_date="",
            partner="",
            death_date="",
            registration_kind="",
            household=0,
            household_role="",
            street="",
            house_number="",
            box="",
            postal_code="",
            municipality="",
            country=country,
            address_since=(self._as_of - timedelta(days=rng.randint(100, 4000))).isoformat(),
            abroad=f"{rng.choice(pool.streets)} {rng.randint(1, 200)}, {COUNTRIES[country]}",
        )
        self._add(record, birth, place, age)
