"""A deliberation from draft to withdrawal over real mTLS, on real tables, with a real log."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import decision_service_pb2 as decisions
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from crossroads.authorization.v1.decision_service_pb2_grpc import DecisionServiceStub
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authority import (
    AUDITOR,
    BOUND_MEMBER,
    MEMBERS,
    OFFICER,
    OTHER_OFFICER,
    OUTSIDER,
    PURPOSE,
    Authority,
    deliberation,
    draft,
    row,
    stamp,
)
from tests.support.network_rows import SERVICE

pytestmark = pytest.mark.asyncio(loop_scope="module")


class People:
    """Stubs of the service for each of them."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def __call__(self, name: str) -> Any:
        return await self._authority.as_person(name, DeliberationServiceStub)


async def refused(awaitable: Any) -> Reason:
    with pytest.raises(CrossroadsError) as raised:
        await awaitable
    return raised.value.reason


async def decided(authority: Authority, asked: life.Draft) -> str:
    """A dossier that three of the four members adopted."""
    people = People(authority)
    applicant = await authority.as_institution(stub=DeliberationServiceStub)
    opened = await applicant.DraftDeliberation(life.DraftDeliberationRequest(draft=asked))
    of = {"dossier_id": opened.dossier_id}
    opinion = life.GiveOpinionRequest(favourable=True, text="needed", **of)
    assert await refused((await people(OTHER_OFFICER)).GiveOpinion(opinion)) is (
        Reason.CALLER_NOT_ALLOWED
    )
    await (await people(OFFICER)).GiveOpinion(opinion)
    first = await people(MEMBERS[0])
    await first.Admit(life.AdmitRequest(admissible=True, text="complete", **of))
    await (await people(AUDITOR)).GiveAdvice(
        life.GiveAdviceRequest(favourable=True, text="sound", **of)
    )
    ballot = life.VoteRequest(ballot=life.BALLOT_IN_FAVOUR, **of)
    assert await refused((await people(BOUND_MEMBER)).Vote(ballot)) is (
        Reason.SECOND_PERSON_REQUIRED
    )
    for member in MEMBERS:
        await (await people(member)).Vote(ballot)
    closed = await first.CloseVote(life.CloseVoteRequest(**of))
    assert (closed.adopted, closed.in_favour, closed.members) == (True, 3, 4)
    return str(opened.dossier_id)


async def test_deliberation_lives_from_draft_to_withdrawal(authority: Authority) -> None:
    people = People(authority)
    dossier = await decided(authority, draft())
    publishing = life.PublishDossierRequest(dossier_id=dossier)
    voter, outsider = await people(MEMBERS[0]), await people(OUTSIDER)
    assert await refused(voter.PublishDossier(publishing)) is Reason.SECOND_PERSON_REQUIRED
    before = len(await authority.logged())
    published = await outsider.PublishDossier(publishing)
    assert published.deliberation_version == 1
    assert (await authority.logged())[before:] == [Kind.ADMINISTRATIVE] * 2
    assert await permitted(authority)

    number = published.number
    reading = await authority.as_person(AUDITOR)
    found = (await reading.GetDeliberation(api.GetDeliberationRequest(number=number))).deliberation
    assert (found.text_de, found.state) == (
        "HFA darf wissen.", api.DELIBERATION_STATE_PUBLISHED
    )  # fmt: skip

    suspended = await outsider.SuspendDeliberation(
        life.SuspendDeliberationRequest(number=number, reason="doubt")
    )
    assert [each.confirmed for each in suspended.subscribers] == [True]
    assert not await permitted(authority)
    lifting = life.LiftSuspensionRequest(number=number, reason="cleared")
    assert (await outsider.LiftSuspension(lifting)).missing == 1
    assert await refused(outsider.LiftSuspension(lifting)) is Reason.SECOND_PERSON_REQUIRED
    assert (await voter.LiftSuspension(lifting)).missing == 0
    assert await permitted(authority)
    await outsider.WithdrawDeliberation(
        life.WithdrawDeliberationRequest(number=number, reason="over")
    )
    assert not await permitted(authority)


async def permitted(authority: Authority) -> bool:
    """Whether CAPAC may ask now, on a version no older than what was published last."""
    stub = await authority.as_person(AUDITOR, DecisionServiceStub)
    await authority.current()
    check = api.CheckRequest(
        institution="capac",
        service=SERVICE,
        service_version=1,
        purpose=PURPOSE,
        way=api.WAY_ONLINE,
    )
    return bool((await stub.Explain(decisions.ExplainRequest(check=check))).decision.permitted)


async def test_amendment_keeps_the_version_before_readable(authority: Authority) -> None:
    people = People(authority)
    outsider = await people(OUTSIDER)
    first = await outsider.PublishDossier(
        life.PublishDossierRequest(dossier_id=await decided(authority, draft()))
    )
    wanted = draft(amends=first.number, text_fr="Version 2", grants=[row(data_max_days=90)])
    second = await outsider.PublishDossier(
        life.PublishDossierRequest(dossier_id=await decided(authority, wanted))
    )
    assert (second.number, second.deliberation_version) == (first.number, 2)
    stub = await authority.as_person(AUDITOR)

    async def read(version: int) -> Any:
        request = api.GetDeliberationRequest(number=first.number, version=version)
        return (await stub.GetDeliberation(request)).deliberation

    old, new = await read(1), await read(0)
    assert (old.version, old.text_fr, len(old.grants)) == (1, "CAPAC peut savoir.", 1)
    assert old.grants[0].HasField("recorded_until")
    assert (new.version, new.text_fr) == (2, "Version 2")
    assert [grant.data_max_days for grant in new.grants] == [0, 90]


async def test_transcription_wider_than_its_scope_is_refused(authority: Authority) -> None:
    stub = await authority.as_person(MEMBERS[0])
    scope = api.Scope(recipients=["capac"], elements=["employment.start"], purposes=[PURPOSE])
    request = api.SubmitDeliberationRequest(deliberation=deliberation("26/900", scope=scope))
    with pytest.raises(CrossroadsError) as raised:
        await stub.SubmitDeliberation(request)
    assert raised.value.fields[0].field == "deliberation.grants[0].elements[0]"


async def test_transcription_without_a_scope_is_refused(authority: Authority) -> None:
    stub = await authority.as_person(MEMBERS[0])
    request = api.SubmitDeliberationRequest(deliberation=deliberation("26/901"))
    request.deliberation.ClearField("scope")
    with pytest.raises(CrossroadsError) as raised:
        await stub.SubmitDeliberation(request)
    assert raised.value.fields[0].field == "deliberation.scope"


async def test_deliberation_that_ended_by_its_date_has_expired(authority: Authority) -> None:
    end = datetime.now(UTC) + timedelta(seconds=0.5)
    await authority.publish(deliberation("26/902", row(valid_until=stamp(end))))
    stub = await authority.as_person(AUDITOR)

    async def state() -> int:
        request = api.GetDeliberationRequest(number="26/902")
        return int((await stub.GetDeliberation(request)).deliberation.state)

    async with asyncio.timeout(10):
        while await state() == api.DELIBERATION_STATE_PUBLISHED:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await state() == api.DELIBERATION_STATE_EXPIRED
    listed = await stub.ListDeliberations(api.ListDeliberationsRequest(page_size=1))
    assert listed.deliberations[0].state == api.DELIBERATION_STATE_EXPIRED
