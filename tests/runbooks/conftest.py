"""A platform with the demo sector that runbooks may stop, break and mend."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.demo.starting import make_population
from services.cli.platform.home import Home
from tests.support.running import PERSONS, crossroads


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose platform runs; each page leaves it running."""
    home = Home(Path(tmp_path_factory.mktemp("runbooks")) / "home")
    home.make()
    make_population(home, PERSONS, 7)
    try:
        up = crossroads(home, "up", "--demo")
        assert up.code == 0, up.out + up.err
        yield home
    finally:
        down = crossroads(home, "down")
    assert down.code == 0, down.err
