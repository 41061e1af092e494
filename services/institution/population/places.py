"""Where people of the demo live, and the names and streets that they have there.

Municipalities are real (codes: list nis_municipality of the sector). Names and streets are sampled
once from Faker's Belgian locales and then combined: asking Faker for each person takes far longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Municipality:
    """`region`: F Flanders, W Wallonia, B Brussels, D German-speaking; `weight`: share."""

    code: str
    postal_code: str
    name_fr: str
    name_nl: str
    region: str
    weight: int
    # Id of the welfare centre, where one takes part in the demo.
    centre: str = ""


MUNICIPALITIES = (
    Municipality("21004", "1000", "Bruxelles", "Brussel", "B", 9, "cpas-brussels"),
    Municipality("21009", "1050", "Ixelles", "Elsene", "B", 6),
    Municipality("21015", "1030", "Schaerbeek", "Schaarbeek", "B", 7),
    Municipality("11002", "2000", "Anvers", "Antwerpen", "F", 14),
    Municipality("44021", "9000", "Gand", "Gent", "F", 10, "cpas-gent"),
    Municipality("31005", "8000", "Bruges", "Brugge", "F", 5),
    Municipality("24062", "3000", "Louvain", "Leuven", "F", 5),
    Municipality("12025", "2800", "Malines", "Mechelen", "F", 5),
    Municipality("71022", "3500", "Hasselt", "Hasselt", "F", 5),
    Municipality("34022", "8500", "Courtrai", "Kortrijk", "F", 4),
    Municipality("35013", "8400", "Ostende", "Oostende", "F", 4),
    Municipality("41002", "9300", "Alost", "Aalst", "F", 4),
    Municipality("62063", "4000", "Liège", "Luik", "W", 8),
    Municipality("92094", "5000", "Namur", "Namen", "W", 5, "cpas-namur"),
    Municipality("52011", "6000", "Charleroi", "Charleroi", "W", 8),
    Municipality("53053", "7000", "Mons", "Bergen", "W", 4),
    Municipality("57081", "7500", "Tournai", "Doornik", "W", 3),
    Municipality("63079", "4800", "Verviers", "Verviers", "W", 3),
    Municipality("81001", "6700", "Arlon", "Aarlen", "W", 2),
    Municipality("25112", "1300", "Wavre", "Waver", "W", 2),
    Municipality("63023", "4700", "Eupen", "Eupen", "D", 1, "cpas-eupen"),
)
WEIGHTS = tuple(one.weight for one in MUNICIPALITIES)


@dataclass(frozen=True)
class Pool:
    """Names, streets and enterprises of one language."""

    male: tuple[str, ...]
    female: tuple[str, ...]
    last: tuple[str, ...]
    streets: tuple[str, ...]
    companies: tuple[str, ...]


def pools(seed: int) -> dict[str, Pool]:
    """The pools "fr" and "nl". Raises ImportError where Faker is not installed."""
    from faker import Faker  # noqa: PLC0415 - slow to import, and only a generator needs it

    made = {}
    for language, locale in (("fr", "fr_BE"), ("nl", "nl_BE")):
        fake = Faker(locale)
        fake.seed_instance(seed)
        last = tuple(fake.last_name() for _ in range(600))
        # The French streets of Faker have English endings, so they are put together here.
        kinds = ("Rue", "Avenue", "Chaussée", "Place") if language == "fr" else ()
        streets = (
            tuple(f"{kinds[n % len(kinds)]} {name}" for n, name in enumerate(last[:250]))
            if kinds
            else tuple(fake.street_name() for _ in range(250))
        )
        made[language] = Pool(
            male=tuple(fake.first_name_male() for _ in range(300)),
            female=tuple(fake.first_name_female() for _ in range(300)),
            last=last,
            streets=streets,
            companies=tuple(fake.company() for _ in range(200)),
        )
    return made


def draw_municipality(rng: Random) -> Municipality:
    """One, by weight."""
    return rng.choices(MUNICIPALITIES, WEIGHTS)[0]


def language_of(place: Municipality, rng: Random) -> str:
    """In which pool a household of this place finds its names."""
    if place.region == "B":
        return "fr" if rng.random() < 0.75 else "nl"
    return "nl" if place.region == "F" else "fr"
