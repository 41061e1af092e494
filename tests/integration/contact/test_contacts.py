"""Contacts over real mTLS, on a real PostgreSQL and a real log."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from crossroads.contact.v1 import contact_service_pb2 as api
from crossroads.contact.v1.contact_service_pb2_grpc import ContactServiceStub
from crossroads.options.v1 import options_pb2 as options
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from tests.support.centre import AGENT, AUDITOR, OTHER_AGENT, Centre, request
from tests.support.network_rows import person

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refusal(call: Any) -> CrossroadsError:
    with pytest.raises(CrossroadsError) as raised:
        await call
    return raised.value


@pytest.mark.parametrize("kind", [Kind.REQUEST, Kind.RELEASE, Kind.REFUSAL, Kind.ABANDONED])
async def test_contact_about_a_logged_exchange_is_recorded_and_read(
    centre: Centre, kind: Kind
) -> None:
    agent, other = await centre.agent(), await centre.agent(OTHER_AGENT)
    exchange_id = await centre.logged_exchange(kind)
    before = datetime.now(UTC)
    recorded = (await agent.RecordContact(request(exchange_id=exchange_id))).contact
    assert (recorded.agent, recorded.exchange_id) == (AGENT, exchange_id)
    assert (recorded.channel, recorded.language) == (api.CHANNEL_PHONE, "fr")
    assert before <= recorded.recorded_at.ToDatetime(UTC) <= datetime.now(UTC)
    read = await other.GetContact(api.GetContactRequest(id=recorded.id))
    assert read.contact == recorded
    listed = await other.ListContacts(api.ListContactsRequest(exchange_id=exchange_id))
    assert (list(listed.contacts), listed.next_page_token) == ([recorded], "")


async def test_what_the_service_sets_is_not_the_callers_to_say(centre: Centre) -> None:
    agent = await centre.agent()
    recorded = (await agent.RecordContact(request(id="mine", agent=OTHER_AGENT))).contact
    assert recorded.agent == AGENT
    assert recorded.id != "mine"


async def test_pages_of_an_exchange_run_from_the_newest_to_the_oldest(centre: Centre) -> None:
    agent = await centre.agent()
    exchange_id = await centre.logged_exchange()
    made = [
        (await agent.RecordContact(request(exchange_id=exchange_id, topic=f"{n}"))).contact
        for n in range(3)
    ]
    asked = api.ListContactsRequest(exchange_id=exchange_id, page_size=2)
    first = await agent.ListContacts(asked)
    asked.page_token = first.next_page_token
    second = await agent.ListContacts(asked)
    assert [*first.contacts, *second.contacts] == made[::-1]
    assert second.next_page_token == ""


async def test_exchange_that_the_log_has_not_is_not_found(centre: Centre) -> None:
    agent, before = await centre.agent(), await centre.recorded()
    error = await refusal(agent.RecordContact(request(exchange_id=bytes(16))))
    assert error.reason is Reason.NOT_FOUND
    assert [each.field for each in error.fields] == ["contact.exchange_id"]
    assert await centre.recorded() == before


async def test_administrative_act_is_no_exchange(centre: Centre) -> None:
    agent = await centre.agent()
    act = await centre.logged_exchange(Kind.ADMINISTRATIVE)
    error = await refusal(agent.RecordContact(request(exchange_id=act)))
    assert error.reason is Reason.NOT_FOUND


async def test_repeat_is_the_same_contact_and_other_content_is_refused(centre: Centre) -> None:
    agent, other = await centre.agent(), await centre.agent(OTHER_AGENT)
    exchange_id = await centre.logged_exchange()
    first = request("once", exchange_id=exchange_id)
    recorded = await agent.RecordContact(first)
    assert await agent.RecordContact(first) == recorded
    error = await refusal(agent.RecordContact(request("once")))
    assert error.reason is Reason.REQUEST_ID_REUSED
    theirs = await other.RecordContact(request("once"))
    assert theirs.contact.id != recorded.contact.id
    listed = await agent.ListContacts(api.ListContactsRequest(exchange_id=exchange_id))
    assert len(listed.contacts) == 1


async def test_while_the_log_is_down_nothing_about_an_exchange_is_recorded(
    centre: Centre,
) -> None:
    agent, before = await centre.agent(), await centre.recorded()
    exchange_id = await centre.logged_exchange()
    asked = request(exchange_id=exchange_id)
    await centre.services["logging"].stop(0)
    try:
        error = await refusal(agent.RecordContact(asked))
        assert (error.reason, error.retryable) == (Reason.LOG_UNAVAILABLE, True)
        assert error.retry_after is not None
        assert await centre.recorded() == before
        listed = await agent.ListContacts(api.ListContactsRequest(exchange_id=exchange_id))
        assert not listed.contacts
    finally:
        await centre.start_logging()
    recorded = await taken(agent, asked)
    assert recorded.contact.exchange_id == exchange_id


async def taken(agent: Any, asked: api.RecordContactRequest) -> api.RecordContactResponse:
    """The same call until it is taken, as its errors say that it may be."""
    async with asyncio.timeout(10):
        while True:
            try:
                response: api.RecordContactResponse = await agent.RecordContact(asked)
            except CrossroadsError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(0.05)
            else:
                return response


async def test_without_a_lease_on_who_is_an_agent_nobody_may_call(centre: Centre) -> None:
    agent, gate = await centre.agent(), centre.owners.gates["directory"]
    rows = centre.contact.server.directory
    assert rows is not None

    def lost() -> bool:
        try:
            rows.require()
        except CrossroadsError:
            return True
        return False

    gate.shut()
    try:
        await centre.until(lost)
        error = await refusal(agent.RecordContact(request()))
    finally:
        gate.open()
    assert (error.reason, error.retryable) == (Reason.LEASE_EXPIRED, True)
    await taken(agent, request())


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("contact.channel", {"channel": api.CHANNEL_UNSPECIFIED}),
        ("contact.channel", {"channel": 99}),
        ("contact.language", {"language": "la"}),
        ("contact.topic", {"topic": ""}),
        ("contact.topic", {"topic": "x" * 201}),
        ("contact.topic", {"topic": "a\0b"}),
        ("contact.topic", {"topic": "of 85.07.30-033.28"}),
        ("contact.exchange_id", {"exchange_id": bytes(15)}),
    ],
)
async def test_malformed_contact_is_refused_with_its_field(
    centre: Centre, field: str, content: dict[str, Any]
) -> None:
    agent, before = await centre.agent(), await centre.recorded()
    error = await refusal(agent.RecordContact(request(**content)))
    assert error.reason is Reason.INVALID_ARGUMENT
    assert [each.field for each in error.fields] == [field]
    assert await centre.recorded() == before


async def test_unknown_contact_and_foreign_token_are_refused(centre: Centre) -> None:
    agent = await centre.agent()
    unknown = api.GetContactRequest(id="00000000-0000-0000-0000-000000000000")
    assert (await refusal(agent.GetContact(unknown))).reason is Reason.NOT_FOUND
    for malformed in (
        agent.GetContact(api.GetContactRequest(id="1")),
        agent.ListContacts(api.ListContactsRequest(exchange_id=b"")),
        agent.ListContacts(api.ListContactsRequest(exchange_id=bytes(16), page_token="x")),
        agent.ListContacts(api.ListContactsRequest(exchange_id=bytes(16), page_size=1001)),
    ):
        assert (await refusal(malformed)).reason is Reason.INVALID_ARGUMENT


@pytest.mark.parametrize("who", ["auditor", "stranger", "institution", "service"])
async def test_only_an_agent_is_let_in(centre: Centre, who: str) -> None:
    leaf = {
        "auditor": centre.pki.person(AUDITOR),
        "stranger": centre.pki.person("nobody"),
        "institution": centre.pki.institution("capac", "payments"),
        "service": centre.pki.service("routing"),
    }[who]
    channel: Any = await centre.channel(leaf, "contact")
    stub: Any = ContactServiceStub(channel)
    for call in (
        stub.RecordContact(request()),
        stub.GetContact(api.GetContactRequest(id="00000000-0000-0000-0000-000000000000")),
        stub.ListContacts(api.ListContactsRequest(exchange_id=bytes(16))),
    ):
        assert (await refusal(call)).reason is Reason.CALLER_NOT_ALLOWED


async def test_agent_whose_role_was_taken_away_is_refused(centre: Centre) -> None:
    leaver = await centre.agent("leaver")
    directory = centre.contact.server.directory
    assert directory is not None
    await centre.owners.publish("directory", person("leaver", options.ROLE_AGENT))
    await centre.until(lambda: bool(directory.roles("leaver")))
    await leaver.RecordContact(request())
    await centre.owners.publish("directory", ("person/leaver", None))
    await centre.until(lambda: not directory.roles("leaver"))
    assert (await refusal(leaver.RecordContact(request()))).reason is Reason.CALLER_NOT_ALLOWED
