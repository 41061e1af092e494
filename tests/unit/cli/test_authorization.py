"""`crossroads authorization`: what goes from the log to authorization, and what is shown."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import decision_service_pb2 as decisions
from crossroads.logging.v1 import evidence_service_pb2 as evidence
from services.cli import authorization_commands, authorization_text, logged
from services.cli.dossiers import read_draft
from services.cli.output import NOT_VERIFIED
from services.cli.platform.home import PlatformError

REQUEST = {
    "institution": "capac",
    "application": "payments",
    "service": "employment",
    "purpose": "BENEFIT",
}


def entry(index: int, **audit: Any) -> evidence.FoundEntry:
    return evidence.FoundEntry(
        index=index, exchange_id=bytes([index]), audit=json.dumps(audit).encode() if audit else b""
    )


def test_of_the_log_only_request_and_decision_reach_authorization() -> None:
    entries = [
        entry(1, request=REQUEST, decision={"permitted": True}, asked_subject="secret"),
        entry(2, request=REQUEST, decision=None),
        entry(3, act="registry.act"),
        entry(4),
    ]
    (found,) = logged.decided(entries)
    assert json.loads(found.audit) == {"request": REQUEST, "decision": {"permitted": True}}
    assert (found.index, found.exchange_id, found.request) == (1, "01", REQUEST)


DIFFERENT = logged.Replayed(
    exchanges=2,
    decisions=3,
    different=(
        (
            logged.Logged(7, "ab", json.dumps({"request": REQUEST}).encode()),
            ("permitted: logged true, now false",),
        ),
    ),
    log_indices=(9,),
)


def test_a_decision_that_comes_out_otherwise_ends_the_command_with_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def replay(*_: object) -> logged.Replayed:
        return DIFFERENT

    monkeypatch.setattr(logged, "replay", replay)
    arguments = ["replay", "--reason", "the yearly audit"]
    done = CliRunner().invoke(authorization_commands.app, arguments)
    assert done.exit_code == NOT_VERIFIED
    assert "entry 7: capac/payments employment BENEFIT" in done.output
    assert "permitted: logged true, now false" in done.output
    done = CliRunner().invoke(authorization_commands.app, [*arguments, "--json"])
    document = json.loads(done.stdout)
    assert document["different"][0]["index"] == 7
    assert document["log_indices"] == [9]


def test_a_prohibition_of_everybody_is_told_as_such() -> None:
    row = decisions.Access(grant=api.Grant(id="26/001#1", prohibition=True))
    group = api.Grant(
        id="26/001#2", institutions=["a", "b"], group_name="The funds", elements=["e.start"]
    )
    shown = authorization_text.access(
        decisions.WhoMayResponse(
            access=[row, decisions.Access(grant=group, prohibitions=["26/001#1"])],
            table_version=3,
            table_digest=bytes(32),
        )
    ).splitlines()
    assert shown[0] == "26/001#1  everybody may not have"
    assert shown[1:3] == ["    any data element", "    any service, any purpose, any way"]
    assert "26/001#2  The funds may have" in shown
    assert "    less by 26/001#1" in shown
    assert shown[-1].startswith("table version 3, 0000")


def test_a_draft_that_is_none_says_what_is_wrong_with_it() -> None:
    assert read_draft('{"title_fr": "un"}').title_fr == "un"
    with pytest.raises(PlatformError, match="titel"):
        read_draft('{"titel": "un"}')
