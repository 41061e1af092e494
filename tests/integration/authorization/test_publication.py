"""Drafts weighed and the publication handed out, over real mTLS."""

import hashlib
import json

import pytest

from crossroads.authorization.v1 import deliberation_service_pb2 as api
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from services.authorization.publication import digest
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authority import (
    ADMINISTRATOR,
    AUDITOR,
    MEMBERS,
    PURPOSE,
    Authority,
    deliberation,
    draft,
    row,
)
from tests.support.network_rows import SERVICE

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_publication_is_whole_and_its_digest_was_logged(authority: Authority) -> None:
    done = await authority.publish(deliberation("26/001"))
    await authority.current()
    before = len(await authority.logged())
    stub = await authority.as_person(ADMINISTRATOR, DeliberationServiceStub)
    files: dict[str, bytes] = {}
    told: list[tuple[bytes, int]] = []
    async for piece in stub.ExportPublication(api.ExportPublicationRequest()):
        files[piece.path] = files.get(piece.path, b"") + piece.content
        told.append((piece.digest, piece.log_index))
    hashes = {path: hashlib.sha256(content).digest() for path, content in files.items()}
    assert told[0][0] == digest(hashes)
    assert not any(told[-1])
    kinds = await authority.logged()
    assert kinds[before:] == [Kind.ADMINISTRATIVE]
    assert told[0][1] == before
    table = json.loads(files["authorizations.json"])["table"]
    assert (table["version"], table["digest"]) == (done.version, done.digest.hex())
    page = files["nl/institutions/capac.html"].decode()
    assert '<span lang="fr">Caisse auxiliaire</span>' in page
    assert "nl/deliberations/26.001.html" in files


async def test_edition_that_is_known_already_is_neither_sent_nor_logged(
    authority: Authority,
) -> None:
    await authority.publish(deliberation("26/003"))
    await authority.current()
    stub = await authority.as_person(ADMINISTRATOR, DeliberationServiceStub)
    first, *_ = [each async for each in stub.ExportPublication(api.ExportPublicationRequest())]
    before = await authority.logged()
    known = api.ExportPublicationRequest(unless_version=first.version)
    assert [piece async for piece in stub.ExportPublication(known)] == []
    assert await authority.logged() == before


async def test_publication_is_not_handed_to_everybody(authority: Authority) -> None:
    stub = await authority.as_person(AUDITOR, DeliberationServiceStub)
    with pytest.raises(CrossroadsError) as raised:
        async for _ in stub.ExportPublication(api.ExportPublicationRequest()):
            pass
    assert raised.value.reason is Reason.CALLER_NOT_ALLOWED


async def test_draft_is_analysed_and_simulated(authority: Authority) -> None:
    await authority.publish(deliberation("26/002", row(), row(purpose="ANOTHER_PURPOSE")))
    await authority.current()
    stub = await authority.as_person(MEMBERS[0], DeliberationServiceStub)
    again = draft(grants=[row(), row(institution="onem", application="")])
    again.scope.recipients.append("onem")
    found = await stub.AnalyseDraft(api.AnalyseDraftRequest(draft=again))
    assert [(each.grant, each.oddity) for each in found.findings] == [(0, "contained")]
    asked: dict[str, object] = {
        "application": "benefits",
        "elements": [],
        "institution": "onem",
        "period": None,
        "purpose": PURPOSE,
        "service": SERVICE,
        "service_version": 1,
        "way": "online",
    }
    decision = {"table_version": 1, "valid_at": "2026-01-01T00:00:00Z"}
    decision["known_at"] = decision["valid_at"]
    audit = json.dumps({"decision": decision, "request": asked}).encode()
    done = await stub.SimulateDraft(api.SimulateDraftRequest(draft=again, audits=[audit]))
    assert (done.newly_permitted, done.unchanged) == (1, 0)
    assert list(done.changes[0].gained) == ["employment.employer", "employment.start"]
