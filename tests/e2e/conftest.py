"""One platform with the demo sector for all tests of this folder, started as its user would."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.demo.starting import make_population, population_file
from services.cli.platform.home import Home
from services.institution.population import Store
from tests.support.running import Running, crossroads

PERSONS = 1500


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`crossroads up --demo` with a small population; stopped at the end."""
    home = Home(Path(tmp_path_factory.mktemp("e2e")) / "home")
    home.make()
    make_population(home, PERSONS, 7)
    try:
        up = crossroads(home, "up", "--demo")
        assert up.code == 0, up.out + up.err
        with Store(path=population_file(home)) as store:
            yield Running(home, up.out, store)
    finally:
        down = crossroads(home, "down")
        home.socket_dir.rmdir()
    assert down.code == 0, down.err
