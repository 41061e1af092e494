"""What is wrong on the command line, or where nothing runs, ends in a sentence and its code."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli.__main__ import app, register
from services.cli.demo.starting import make_population
from services.cli.output import fail
from services.cli.platform import plan
from services.cli.platform.home import Home
from services.cli.platform.plan import Plan
from services.runtime.errors import FieldViolation

register()


def crossroads(home: Path, *arguments: str) -> Result:
    """The command, in this process, without a terminal."""
    return CliRunner().invoke(app, arguments, env={"CROSSROADS_HOME": str(home), "COLUMNS": "200"})


@pytest.mark.parametrize("command", [["exchange"], ["authorization", "check"]])
@pytest.mark.parametrize("option", ["--since", "--until"])
def test_what_is_no_day_is_said_of_its_option(
    tmp_path: Path, command: list[str], option: str
) -> None:
    done = crossroads(tmp_path, *command, "employment_periods", option, "2026-13-01")
    assert done.exit_code == 2
    assert f"Invalid value for {option}: is no day; write YYYY-MM-DD" in done.output


@pytest.mark.parametrize("started_before", [False, True])
@pytest.mark.parametrize(
    "command",
    [
        "exchange employment_periods",
        "exchange list",
        f"trace {'0' * 32}",
        "authorization check employment_periods",
        "log keys",
        "log fsck",
        "log proof 5",
        "vault diff",
        "genesis --administrator a --administrator b --administrator c",
    ],
)
def test_where_no_platform_runs_the_command_names_the_one_that_starts_it(
    tmp_path: Path, command: str, *, started_before: bool
) -> None:
    home = Home.find(tmp_path)
    home.make()
    if started_before:
        plan.save(home, Plan())
    done = crossroads(tmp_path, *command.split())
    assert done.exit_code == 1
    assert f"no platform runs in {tmp_path}; start it with `crossroads up --demo`" in done.output
    assert isinstance(done.exception, SystemExit)


def test_a_genesis_elsewhere_needs_registry_and_vault(tmp_path: Path) -> None:
    named = [word for name in "abc" for word in ("--administrator", name)]
    done = crossroads(tmp_path, "genesis", *named, "--registry", "registry.example:443")
    assert done.exit_code == 2
    assert "give both --registry and --vault" in done.output


def test_a_policy_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere.policy")
    done = crossroads(
        tmp_path, "log", "proof", "5", "--url", "http://127.0.0.1:1", "--policy", nowhere
    )
    assert done.exit_code == 1
    assert nowhere in done.output


@pytest.mark.parametrize("command", ["up", "population"])
def test_a_home_that_cannot_be_made_is_said_with_a_remedy(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("")
    done = crossroads(tmp_path / "file", command)
    assert done.exit_code == 1
    assert f"{tmp_path}/file/secrets can't be made (Not a directory)" in done.output
    assert "CROSSROADS_HOME" in done.output


def test_a_population_is_not_replaced_once_it_is_enrolled(tmp_path: Path) -> None:
    home = Home.find(tmp_path)
    assert make_population(home, 50, 1)["persons"] == 50
    (tmp_path / "demo.json").write_text("{}")
    done = crossroads(tmp_path, "population", "--persons", "50", "--seed", "2")
    assert done.exit_code == 1
    assert "enrolled already" in done.output
    assert "CROSSROADS_HOME" in done.output


def test_a_failure_shows_each_field_and_what_it_should_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fields = [FieldViolation("persons[0].niss", "must have 11 digits")]
    with pytest.raises(BaseException, match="3"):
        fail("correct [persons[/0].niss]", 3, fields)
    said = capsys.readouterr().err
    assert "correct [persons[/0].niss]" in said
    assert "  field: persons[0].niss: must have 11 digits" in said
