"""A deliberation from draft to its end, from a shell: each act by its own person of the demo."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import deliberation_commands
from services.cli.platform import ports
from services.institution.sector import load
from tests.support.running import Command, Running

pytestmark = pytest.mark.xdist_group("e2e")

PURPOSE = "PHONE_CHECK"
APPLICATION, OFFICER, ADVISER = "capac/payments", "officer-capac", "greet-wouters"
FIRST, SECOND, PUBLISHER = "dirk-claes", "elise-dubois", "fatima-amrani"
GROUNDS = ("--text", "it is needed for this and no more")


def command(platform: Running, *arguments: str) -> Command:
    """`crossroads deliberation …` in this process: dozens of new ones would take a minute."""
    env = {"CROSSROADS_HOME": str(platform.home.path), "COLUMNS": "120"}
    result = CliRunner().invoke(deliberation_commands.app, arguments, env=env)
    return Command(result.exit_code, result.stdout, result.stderr)


def act(platform: Running, what: str, *arguments: str, by: str) -> Command:
    return command(platform, what, *arguments, "--as", by, "--json")


def done(platform: Running, what: str, *arguments: str, by: str) -> Any:
    """What an act that must succeed says."""
    ended = act(platform, what, *arguments, by=by)
    assert ended.code == 0, ended.err
    return ended.document


def draft(path: Path, **changes: Any) -> str:
    """A file: CAPAC may have two data elements that it has already, for one more purpose."""
    held = next(each for each in load().grants if each.id == "D/2026/001#1")
    elements = list(held.elements[:2])
    grant = {
        "institution": "capac",
        "service": held.service,
        "elements": elements,
        "purpose": PURPOSE,
        "caller_capacities": list(held.caller_capacities),
        "source_capacities": list(held.source_capacities),
        "ways": ["WAY_ONLINE"],
        "blocking": True,
        "valid_from": "2026-01-01T00:00:00Z",
    }
    content = {
        "title_fr": "Contrôle",
        "title_nl": "Controle",
        "title_de": "Prüfung",
        "text_fr": "La CAPAC peut savoir.",
        "text_nl": "De HVW mag weten.",
        "text_de": "Die HFA darf wissen.",
        "chamber": "CHAMBER_SOCIAL_SECURITY_AND_HEALTH",
        "scope": {"recipients": ["capac"], "elements": elements, "purposes": [PURPOSE]},
        "grants": [{**grant, **changes}],
    }
    path.write_text(json.dumps(content))
    return str(path)


def adopted(platform: Running, file: str, *amending: str) -> str:
    """The id of a dossier that the chamber adopted."""
    dossier: str = done(platform, "draft", file, *amending, by=APPLICATION)["dossier_id"]
    done(platform, "opinion", dossier, "--favourable", *GROUNDS, by=OFFICER)
    done(platform, "admit", dossier, "--admissible", *GROUNDS, by=FIRST)
    done(platform, "advise", dossier, "--favourable", *GROUNDS, by=ADVISER)
    for member in (FIRST, SECOND):
        done(platform, "vote", dossier, "in-favour", by=member)
    votes = done(platform, "close", dossier, by=SECOND)
    assert (votes["adopted"], votes["in_favour"], votes["members"]) == (True, 2, 3)
    return dossier


def allowed(platform: Running) -> int:
    """The exit code of whether CAPAC may ask for that purpose."""
    asking = ("check", "employment_periods", "--purpose", PURPOSE)
    return platform.crossroads("authorization", *asking).code


def test_a_dossier_goes_from_draft_to_its_end_by_the_hands_of_seven(
    platform: Running, tmp_path: Path
) -> None:
    file = draft(tmp_path / "draft.json")
    dossier = adopted(platform, file)
    waiting = done(platform, "list", "--stage", "adopted", by=PUBLISHER)
    assert dossier in {each["id"] for each in waiting}
    assert allowed(platform) == 3
    refused = act(platform, "publish", dossier, by=FIRST)
    assert (refused.code, refused.document["refused"]) == (3, "SECOND_PERSON_REQUIRED")
    published = done(platform, "publish", dossier, by=PUBLISHER)
    number = published["number"]
    assert published["deliberation_version"] == 1
    assert allowed(platform) == 0

    acts = [
        (each["act"], each["by"]) for each in done(platform, "show", dossier, by=OFFICER)["acts"]
    ]
    assert acts == [
        ("draft", f"institution/{APPLICATION}"),
        ("opinion", OFFICER),
        ("admit", FIRST),
        ("advice", ADVISER),
        ("vote", FIRST),
        ("vote", SECOND),
        ("close", SECOND),
        ("publish", PUBLISHER),
    ]

    _interrupt(platform, number)
    amendment = adopted(platform, file, "--amends", number)
    amended = done(platform, "publish", amendment, by=PUBLISHER)
    assert (amended["number"], amended["deliberation_version"]) == (number, 2)
    grants = platform.crossroads("authorization", "deliberations", number, "--json").document
    (held,) = [each["id"] for each in grants["grants"] if "recorded_until" not in each]
    revoked = done(platform, "revoke", held, "--reason", "no more", by=FIRST)
    assert revoked["table_version"] > amended["table_version"]
    assert allowed(platform) == 3
    done(platform, "withdraw", number, "--reason", "over", by=SECOND)


def _interrupt(platform: Running, number: str) -> None:
    """One suspends, two lift."""
    suspended = done(platform, "suspend", number, "--reason", "doubt", by=FIRST)
    confirmed = {each["name"]: each["confirmed"] for each in suspended["subscribers"]}
    assert confirmed["routing"]
    assert allowed(platform) == 3
    lifting = ("lift", number, "--reason", "settled")
    assert done(platform, *lifting, by=FIRST)["missing"] == 1
    assert act(platform, *lifting, by=FIRST).code == 3
    assert done(platform, *lifting, by=SECOND)["missing"] == 0
    assert allowed(platform) == 0


def test_a_member_steps_aside_and_an_applicant_takes_its_request_back(
    platform: Running, tmp_path: Path
) -> None:
    file = draft(tmp_path / "draft.json")
    dossier: str = done(platform, "draft", file, by=OFFICER)["dossier_id"]
    done(platform, "opinion", dossier, "--unfavourable", *GROUNDS, by=OFFICER)
    done(platform, "draft", file, "--dossier", dossier, by=APPLICATION)
    done(platform, "opinion", dossier, "--favourable", *GROUNDS, by=OFFICER)
    done(platform, "admit", dossier, "--admissible", *GROUNDS, by=FIRST)
    done(platform, "recuse", dossier, *GROUNDS, by=FIRST)
    done(platform, "advise", dossier, "--unfavourable", *GROUNDS, by=ADVISER)
    assert act(platform, "vote", dossier, "abstain", by=FIRST).code == 3
    done(platform, "vote", dossier, "against", *GROUNDS, by=SECOND)
    early = act(platform, "close", dossier, by=SECOND)
    assert "1 of 3 members have a vote that counts; 2 are needed" in early.err
    done(platform, "withdraw", dossier, "--reason", "drawn up anew", by=OFFICER)
    spoken = platform.crossroads("deliberation", "show", dossier, "--as", OFFICER)
    assert f"{dossier}  withdrawn    capac" in spoken.out
    assert f"opinion unfavourable, {OFFICER}" in spoken.out
    assert PURPOSE in spoken.out


def test_what_was_decided_elsewhere_is_entered_by_two(platform: Running, tmp_path: Path) -> None:
    file = tmp_path / "decided.json"
    content = json.loads(Path(draft(file)).read_text())
    content |= {"number": "19/411", "decided_on": "2019-05-07"}
    file.write_text(json.dumps(content))
    assert done(platform, "transcribe", str(file), by=FIRST)["number"] == "19/411"
    assert act(platform, "publish", "19/411", by=FIRST).code == 3
    done(platform, "publish", "19/411", by=SECOND)
    assert allowed(platform) == 0
    done(platform, "withdraw", "19/411", "--reason", "over", by=SECOND)


def test_who_acts_from_elsewhere_brings_key_certificate_and_address(platform: Running) -> None:
    home = platform.home
    address = f"{ports.LOOPBACK}:{ports.known(home)['authorization']}"
    pem = str(home.authorities / "services.pem")
    acting = ("list", "--as", str(home.persons / FIRST), "--json")
    found = command(platform, "--address", address, "--authority", pem, *acting)
    assert found.code == 0, found.err
    assert found.document == done(platform, "list", by=FIRST)
    lacking = command(platform, "--address", address, *acting)
    assert (lacking.code, "--authority" in lacking.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "not-an-id", "--as", FIRST), 3, "dossier_id"),
        (("publish", "not-an-id", "--as", FIRST), 2, "such as 26/001"),
        (("vote", "x", "perhaps", "--as", FIRST), 2, "is one of in-favour, against, abstain"),
        (("list", "--stage", "lost", "--as", FIRST), 2, "is one of draft, submitted"),
        (("list", "--as", "nobody-at-all"), 1, "has no certificate in"),
        (("list",), 2, "--as"),
        (("suspend", "99/999", "--reason", "doubt", "--as", FIRST), 3, "no deliberation 99/999"),
        (("suspend", "99/999", "--reason", "", "--as", FIRST), 3, "reason"),
        (("revoke", "99/999#1", "--reason", "x", "--as", FIRST), 3, "no published grant 99/999#1"),
        (("lift", "99/999", "--reason", "x", "--as", OFFICER), 3, "CALLER_NOT_ALLOWED"),
        (("draft", "no-such-file.json", "--as", OFFICER), 1, "can't be read"),
    ],
)
def test_an_act_that_cannot_be_done_ends_with_its_code_and_a_remedy(
    platform: Running, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = command(platform, *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"elements": ["wage"]}, 3, "draft.grants[0].elements[0]"),
        ({"purpose": "OTHER"}, 3, "is not in the scope of the deliberation"),
        ({"blocking": None}, 1, "draft.grants[0].blocking"),
        ({"way": ["WAY_ONLINE"]}, 1, 'no field named "way"'),
    ],
)
def test_a_draft_that_is_wrong_is_refused_by_the_name_of_its_field(
    platform: Running, tmp_path: Path, changes: dict[str, Any], code: int, said: str
) -> None:
    ended = act(platform, "draft", draft(tmp_path / "draft.json", **changes), by=OFFICER)
    assert ended.code == code
    assert said in ended.err
