"""What infra/sizing.toml says that was measured is measured again, on real exchanges."""

import tomllib

import pytest

from services.cli.demo.starting import population_file
from services.cli.platform.home import Home
from services.institution.population import Store
from tests.support.measuring import disk, exchanges
from tools.sizing import FIGURES

pytestmark = pytest.mark.xdist_group("runbooks")
FEW, MANY = 50, 400
WITHIN = 0.25


async def test_an_entry_takes_the_octets_that_the_sizes_are_made_from(home: Home) -> None:
    measured = tomllib.loads(FIGURES.read_text())["measured"]
    with Store(path=population_file(home)) as store:
        subjects = store.all_integrated_in(("capac", "18/1"), ("onss", "12/10"))
    await exchanges(home, subjects, FEW)
    before = disk(home)
    await exchanges(home, subjects, MANY)
    after = disk(home)
    made = (after.entries - before.entries) / MANY
    assert made == pytest.approx(measured["entries_for_each_exchange"], rel=0.02)
    stored, written = after.per_entry(before)
    assert stored == pytest.approx(measured["octets_for_each_entry"], rel=WITHIN)
    # Pages written whole after a checkpoint of the database come on top now and then.
    assert written >= measured["wal_octets_for_each_entry"] * (1 - WITHIN)
