"""A whole platform put back to an earlier state: the log that its witnesses know is caught."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.cli.demo.starting import make_population
from services.cli.platform.home import Home
from tests.support.running import crossroads

pytestmark = pytest.mark.long
ASKED = ("exchange", "employment_periods", "--as", "capac/payments", "--json")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A platform with the demo sector, stopped."""
    made = Home(tmp_path / "home")
    made.make()
    make_population(made, 400, 7)
    assert crossroads(made, "up", "--demo").code == 0
    assert crossroads(made, "down").code == 0
    yield made
    crossroads(made, "down")
    made.socket_dir.rmdir()


def test_a_log_put_back_with_everything_beside_it_is_stopped_by_its_witnesses(home: Home) -> None:
    kept = ("postgres", "checkpoint")
    for name in kept:  # with owners and modes
        (shutil.copy2 if name == "checkpoint" else _copy)(
            home.path / name, home.path / f"{name}.old"
        )
    assert crossroads(home, "up").code == 0
    assert crossroads(home, *ASKED).code == 0
    size = _size(home)
    _until(lambda: (home.path / "checkpoint").read_text().count("witness") == 2)
    assert crossroads(home, "down").code == 0
    shutil.rmtree(home.postgres)
    for name in ("postgres", "checkpoint"):
        (home.path / f"{name}.old").rename(home.path / name)
    crossroads(home, "up")
    log = home.logs / "logging.log"
    _until(lambda: "FencedError" in log.read_text())
    reasons = [json.loads(line) for line in log.read_text().splitlines() if "FencedError" in line]
    assert "which crossroads.example/witness-" in reasons[0]["error"]
    assert _size(home) <= size


def _size(home: Home) -> int:
    return int((home.path / "checkpoint").read_text().split("\n")[1])


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _copy(source: Path, target: Path) -> None:
    """A directory with its owners and modes."""
    shutil.copytree(source, target, symlinks=True)
    for each in (source, *source.rglob("*")):
        status = each.lstat()
        copied = target / each.relative_to(source)
        shutil.chown(copied, status.st_uid, status.st_gid)
