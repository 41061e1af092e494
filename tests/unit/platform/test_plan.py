"""The plan of what runs."""

from pathlib import Path

from services.cli.platform import plan
from services.cli.platform.home import SERVICES, Home
from services.cli.platform.plan import Plan, ProcessSpec

SPEC = ProcessSpec("x", ("{python}", "{port:x}"), config="p = {port:y}", health="h:{port:x-health}")


def test_the_services_are_always_in_the_plan(tmp_path: Path) -> None:
    assert set(plan.load(Home(tmp_path)).specs) == set(SERVICES)


def test_a_plan_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    wanted = Plan().with_more((SPEC,), (("b", "app"), ("a", "app")), ("p",))
    plan.save(home, wanted)
    assert plan.load(home) == wanted


def test_adding_what_is_there_changes_nothing() -> None:
    wanted = Plan().with_more((SPEC,), (("a", "app"),), ("p",))
    assert wanted.revision == 1
    assert wanted.with_more((SPEC,), (("a", "app"),), ("p",)) is wanted


def test_a_plan_knows_its_ports() -> None:
    ports = Plan(services=()).with_more((SPEC,)).ports()
    assert ports == {"x", "y", "x-health"}


def test_texts_are_filled_in_when_a_process_starts() -> None:
    text = plan.fill("{home}/a {port:x}", Home(Path("/h")), {"x": 7})
    assert text == "/h/a 7"
