"""Checks, their explanation and the past, over real mTLS on a real table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import decision_service_pb2 as decisions
from crossroads.authorization.v1.decision_service_pb2_grpc import DecisionServiceStub
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authority import (
    AUDITOR,
    MEMBERS,
    OFFICER,
    OTHER_OFFICER,
    PURPOSE,
    Authority,
    deliberation,
    row,
    stamp,
)
from tests.support.network_rows import SERVICE

pytestmark = pytest.mark.asyncio(loop_scope="module")


def question(**changes: Any) -> api.CheckRequest:
    values: dict[str, Any] = {
        "institution": "capac",
        "service": SERVICE,
        "service_version": 1,
        "purpose": PURPOSE,
        "way": api.WAY_ONLINE,
    }
    return api.CheckRequest(**{**values, **changes})


async def test_everything_that_is_asked_about_a_grant_until_and_after_its_end(
    authority: Authority,
) -> None:
    before = datetime.now(UTC)
    published = await authority.publish(deliberation("26/001", row(), row(purpose="OTHER")))
    institution = await authority.as_institution()
    many = decisions.CheckManyRequest(checks=[question(), question(purpose="NONE")])
    yes, no = (await institution.CheckMany(many)).decisions
    assert (yes.permitted, yes.reason, no.permitted, no.reason) == (
        True, "permitted", False, "purpose"
    )  # fmt: skip
    assert yes.table_digest == no.table_digest == published.digest

    await _page_through_who_may(institution)
    known = datetime.now(UTC)
    member = await authority.as_person(MEMBERS[2])
    revoked = await member.RevokeGrant(api.RevokeGrantRequest(grant_id="26/001#1", reason="no"))
    (subscriber,) = revoked.subscribers
    assert (subscriber.name, subscriber.version) == ("authorization", revoked.version)
    assert subscriber.confirmed

    auditor = await authority.as_person(AUDITOR, DecisionServiceStub)

    async def as_of(known_at: datetime) -> decisions.Decision:
        request = decisions.CheckAsOfRequest(
            check=question(), valid_at=stamp(known), known_at=stamp(known_at)
        )
        response: decisions.CheckAsOfResponse = await auditor.CheckAsOf(request)
        return response.decision

    assert (await as_of(known)).permitted
    assert not (await as_of(before)).permitted
    now = await as_of(datetime.now(UTC))
    assert (now.permitted, now.table_version) == (False, revoked.version)
    explained = await auditor.Explain(decisions.ExplainRequest(check=question()))
    assert [(each.grant_id, list(each.conditions)) for each in explained.near] == [
        ("26/001#2", ["purpose"])
    ]


async def _page_through_who_may(institution: Any) -> None:
    request = decisions.WhoMayRequest(element="employment.start", page_size=1)
    first = await institution.WhoMay(request)
    request.page_token = first.next_page_token
    second = await institution.WhoMay(request)
    ids = [each.grant.id for page in (first, second) for each in page.access]
    assert (ids, second.next_page_token) == (["26/001#1", "26/001#2"], "")
    mine = await institution.WhatMay(decisions.WhatMayRequest(institution="capac"))
    assert [each.grant.id for each in mine.access] == ids


@pytest.mark.parametrize(("who", "allowed"), [(OFFICER, True), (OTHER_OFFICER, False)])
async def test_explanation_is_for_the_institutions_own_officer(
    authority: Authority, who: str, allowed: bool
) -> None:
    stub = await authority.as_person(who, DecisionServiceStub)
    request = decisions.ExplainRequest(check=question())
    if allowed:
        await stub.Explain(request)
        return
    with pytest.raises(CrossroadsError) as raised:
        await stub.Explain(request)
    assert raised.value.reason is Reason.CALLER_NOT_ALLOWED


async def test_institution_asks_for_itself_only(authority: Authority) -> None:
    institution = await authority.as_institution()
    request = decisions.CheckManyRequest(checks=[question(), question(institution="onem")])
    with pytest.raises(CrossroadsError) as raised:
        await institution.CheckMany(request)
    assert raised.value.reason is Reason.CALLER_NOT_ALLOWED


async def test_grant_to_a_group_is_each_members_with_its_phases(authority: Authority) -> None:
    group = row(
        institution="",
        institutions=["capac", "onem"],
        group_name="Unemployment",
        purpose="GROUP",
        caller_phases=[2, 1],
        source_phases=[3],
    )
    await authority.publish(deliberation("26/002", group))
    for name, own in (("capac", "payments"), ("onem", "benefits")):
        stub = await authority.as_institution(name, own)
        check = question(institution=name, purpose="GROUP")
        (found,) = (await stub.CheckMany(decisions.CheckManyRequest(checks=[check]))).decisions
        assert list(found.deliberations) == ["26/002"]
        mine = await stub.WhatMay(decisions.WhatMayRequest(institution=name))
        (told,) = [each.grant for each in mine.access if each.grant.purpose == "GROUP"]
        assert list(told.institutions) == ["capac", "onem"]
        assert told.group_name == "Unemployment"
        assert (list(told.caller_phases), list(told.source_phases)) == ([1, 2], [3])


async def test_future_knowledge_is_refused(authority: Authority) -> None:
    institution = await authority.as_institution()
    later = stamp(datetime.now(UTC) + timedelta(minutes=1))
    request = decisions.CheckAsOfRequest(check=question(), valid_at=later, known_at=later)
    with pytest.raises(CrossroadsError) as raised:
        await institution.CheckAsOf(request)
    assert raised.value.reason is Reason.INVALID_ARGUMENT
