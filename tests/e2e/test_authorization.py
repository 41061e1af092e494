"""What a committee and its auditors ask on the command line: decisions, drafts, the past."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from services.institution.sector import load
from tests.support.running import Command, Running

pytestmark = pytest.mark.xdist_group("e2e")
ELEMENT = "employment.dmfa.quarter"


def ask(platform: Running, *arguments: str) -> Command:
    return platform.crossroads("authorization", *arguments, "--json")


def draft(path: Path, **changes: Any) -> str:
    """A file with a draft: CAPAC may have what `changes` say, for unemployment benefit."""
    grant = {
        "institution": "capac",
        "service": "child_benefit",
        "elements": list(load().service("child_benefit").elements),
        "purpose": "UNEMPLOYMENT_BENEFIT",
        "ways": ["WAY_ONLINE"],
        "blocking": True,
        "valid_from": "2026-01-01T00:00:00Z",
    }
    amends = changes.pop("amends", "")
    grant |= changes
    content = {
        "title_fr": "Un essai",
        "title_nl": "Een proef",
        "chamber": "CHAMBER_SOCIAL_SECURITY_AND_HEALTH",
        "scope": {
            "recipients": [grant["institution"]],
            "elements": grant["elements"],
            "purposes": [grant["purpose"]],
        },
        "grants": [grant],
        "amends": amends,
    }
    path.write_text(json.dumps(content))
    return str(path)


def test_a_decision_is_checked_explained_and_looked_up_in_the_past(platform: Running) -> None:
    allowed = ask(platform, "check", "employment_periods")
    assert (allowed.code, allowed.document["permitted"]) == (0, True)
    assert allowed.document["deliberations"] == ["D/2026/001"]
    assert ELEMENT in allowed.document["elements"]
    refused = ask(platform, "check", "child_benefit")
    assert (refused.code, refused.document["reason"]) == (3, "no_grant")
    own = ask(platform, "check", "employment_periods", "--as", "capac/payments")
    assert own.document["table_digest"] == allowed.document["table_digest"]

    why = ask(platform, "explain", "employment_periods", "--purpose", "OTHER")
    assert why.code == 0
    near = {each["grant_id"]: each["conditions"] for each in why.document["near"]}
    assert near["D/2026/001#1"] == ["purpose"]

    before = ask(platform, "as-of", "employment_periods", "--known-at", "2001-01-01")
    assert (before.code, before.document["permitted"]) == (3, False)
    assert before.document["table_version"] == 0
    now = ask(platform, "as-of", "employment_periods")
    assert (now.code, now.document["table_version"]) == (0, allowed.document["table_version"])


def test_who_may_and_what_may_agree(platform: Running) -> None:
    who = ask(platform, "who-may", ELEMENT)
    what = ask(platform, "what-may", "capac")
    assert (who.code, what.code) == (0, 0)
    ids = {each["grant"]["id"] for each in who.document["access"]}
    capac = [each["grant"] for each in what.document["access"]]
    named = {each["id"] for each in capac if ELEMENT in each["elements"]}
    assert "D/2026/001#1" in named
    assert named <= ids
    spoken = platform.crossroads("authorization", "what-may", "capac")
    assert "D/2026/001#1  capac/payments may have" in spoken.out


def test_deliberations_are_listed_with_where_they_stand(platform: Running) -> None:
    listed = {each["number"]: each for each in ask(platform, "deliberations").document}
    assert listed.keys() >= {each.number for each in load().deliberations}
    assert listed["20/096"]["state"] == "DELIBERATION_STATE_EXPIRED"
    assert listed["D/2026/001"]["state"] == "DELIBERATION_STATE_PUBLISHED"
    one = ask(platform, "deliberations", "D/2026/001").document
    of_sector = next(each for each in load().deliberations if each.number == "D/2026/001")
    assert [each["id"] for each in one["grants"]] == [each.id for each in of_sector.grants]
    assert one["scope"]["recipients"] == list(of_sector.scope.recipients)
    assert ask(platform, "deliberations", "99/999").code == 3


def test_the_decisions_of_the_last_exchanges_come_out_the_same(platform: Running) -> None:
    for _ in range(2):
        assert platform.crossroads("exchange", "employment_periods", "--json").code == 0
    done = ask(platform, "replay", "--last", "2", "--reason", "the yearly audit")
    assert done.code == 0, done.err
    found = done.document
    assert (found["exchanges"], found["decisions"], found["different"]) == (2, 4, [])
    again = ask(platform, "replay", "--last", "1", "--reason", "the yearly audit").document
    assert again["log_indices"] > found["log_indices"]  # each reading is an entry of its own
    under = ("--deliberation", "D/2026/001", "--last", "1", "--reason", "the yearly audit")
    assert ask(platform, "replay", *under).document["exchanges"] == 1


def test_a_draft_is_held_against_the_last_exchanges(platform: Running, tmp_path: Path) -> None:
    assert platform.crossroads("exchange", "child_benefit").code == 3
    assert platform.crossroads("exchange", "employment_periods").code == 0
    file = draft(tmp_path / "draft.json")
    reading = ("--last", "2", "--reason", "what would change")
    wider = ask(platform, "simulate", file, *reading)
    assert wider.code == 0, wider.err
    counts = {name: wider.document[name] for name in ("newly_permitted", "unchanged")}
    assert counts == {"newly_permitted": 1, "unchanged": 1}
    (change,) = wider.document["changes"]
    assert (change["permitted_now"], change["permitted_then"]) == (False, True)
    assert change["gained"] == sorted(load().service("child_benefit").elements)
    assert change["request"]["service"] == "child_benefit"

    narrower = draft(
        tmp_path / "narrow.json",
        amends="D/2026/001",
        service="employment_periods",
        elements=[ELEMENT],
    )
    done = ask(platform, "simulate", narrower, *reading).document
    assert (done["altered"], done["unchanged"]) == (1, 1)
    assert ELEMENT not in done["changes"][0]["lost"]


def test_a_draft_that_adds_nothing_is_told(platform: Running, tmp_path: Path) -> None:
    held = next(each for each in load().grants if each.id == "D/2026/001#1")
    less = draft(
        tmp_path / "less.json",
        application=held.application,
        service=held.service,
        service_version=held.version,
        elements=[ELEMENT],
        caller_capacities=held.caller_capacities,
        source_capacities=held.source_capacities,
        data_days_back=held.data_days_back,
        data_max_days=held.data_max_days,
    )
    (finding,) = ask(platform, "analyse", less).document
    assert (finding["grant"], finding["oddity"]) == (0, "contained")
    assert finding["others"] == [held.id]
    spoken = platform.crossroads("authorization", "analyse", draft(tmp_path / "more.json"))
    assert (spoken.code, spoken.out) == (0, "nothing is odd about it\n")


def test_the_publication_has_the_digest_that_the_log_has(platform: Running, tmp_path: Path) -> None:
    folder = tmp_path / "publication"
    done = ask(platform, "export", str(folder))
    assert done.code == 0, done.err
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    assert done.document["files"] == len(files)
    lines = sorted(
        (each.relative_to(folder).as_posix(), hashlib.sha256(each.read_bytes()).hexdigest())
        for each in files
    )
    whole = "".join(f"{digest}  {path}\n" for path, digest in lines)
    assert done.document["digest"] == hashlib.sha256(whole.encode()).hexdigest()
    again = ask(platform, "export", str(folder))
    assert again.code == 1
    assert "holds something already" in again.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("check", "employment_periods", "--as", "officer-onss"), 3, "CALLER_NOT_ALLOWED"),
        (("explain", "employment_periods", "--as", "capac/payments"), 3, "CALLER_NOT_ALLOWED"),
        (("check", "employment_periods", "--way", "by-post"), 2, "is one of online"),
        (("who-may", ELEMENT, "--valid-at", "then"), 2, "is no instant"),
        (("as-of", "employment_periods", "--known-at", "2999-01-01"), 3, "known_at"),
        (("replay", "--reason", "no"), 3, "reason"),
        (("replay", "--reason", "the yearly audit", "--as", "officer-capac"), 1, "auditors only"),
        (("analyse", "no-such-file.json"), 1, "can't be read"),
    ],
)
def test_what_cannot_be_answered_ends_with_its_code_and_a_remedy(
    platform: Running, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = platform.crossroads("authorization", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
