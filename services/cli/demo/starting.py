"""`crossroads up --demo`: the platform, its sources, the enrolled sector, a population."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from services.cli.demo import witnesses
from services.cli.demo.enrolling import Enrolling, enrolled
from services.cli.demo.sources import processes
from services.cli.platform.home import Home, PlatformError
from services.cli.platform.instance import Platform
from services.cli.platform.status import Status
from services.institution.population import Store, generate, save
from services.institution.sector import load

PERSONS, SEED = 10_000, 1


def population_file(home: Home) -> Path:
    """Where the population of a home is."""
    return home.path / "population" / "population.sqlite"


def make_population(home: Home, persons: int, seed: int) -> dict[str, int]:
    """Make a population in place of the one before; how many rows of each kind.

    Raises PlatformError once one is enrolled: keys are for ever, and another seed gives the same
    key to another person.
    """
    if enrolled(home):
        raise PlatformError(
            f"the persons of {home.path} are enrolled already, and keys are never taken back; name "
            "another directory by CROSSROADS_HOME, or stop the platform and remove this one"
        )
    population = generate(persons, seed)
    save(population, population_file(home))
    return population.summary()


async def start_demo(
    home: Home,
    *,
    tell: Callable[[str], None] = lambda _: None,
    progress: Callable[[Status], None] = lambda _: None,
    persons: int = PERSONS,
) -> Store:
    """Start everything, enrol what is missing; the population. Raises PlatformError,
    CrossroadsError.
    """
    sector = load()
    if not population_file(home).exists():
        tell(f"population: {persons:,} synthetic persons")
        await asyncio.to_thread(make_population, home, persons, SEED)
    await Platform.up(
        home,
        processes=processes(),
        applications=[(each.institution, each.id) for each in sector.applications],
        persons=[each.id for each in sector.actors],
        progress=progress,
    )
    store = Store(path=population_file(home))
    await asyncio.gather(Enrolling(home=home, store=store, tell=tell).run(), witnesses.start(home))
    return store
