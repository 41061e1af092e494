"""Recording and reading contacts, on the store in memory."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from services.contact.model import Channel, Contact, Content
from services.contact.operations import Contacts
from services.keys.person import well_formed
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import SystemIds
from tests.support.contact_store import MemoryContactStore
from tests.support.exchanges import TestClock

EXCHANGE = bytes(range(16))


class FakeLog:
    """A log that has some exchanges. `away` makes it refuse."""

    def __init__(self, *exchanges: bytes) -> None:
        self.exchanges = exchanges
        self.away = False
        self.asked = 0

    async def has_exchange(self, exchange_id: bytes) -> bool:
        self.asked += 1
        if self.away:
            raise CrossroadsError(Reason.LOG_UNAVAILABLE, "the log is away")
        return exchange_id in self.exchanges


class Centre:
    """The operations and what they stand on."""

    def __init__(self) -> None:
        self.store, self.log, self.clock = MemoryContactStore(), FakeLog(EXCHANGE), TestClock()
        self.contacts = Contacts(
            store=self.store,
            log=self.log,
            well_formed=well_formed,
            clock=self.clock,
            ids=SystemIds(),
        )

    async def record(self, request_id: str = "r", agent: str = "agnes", **content: Any) -> Contact:
        return await self.contacts.record(agent, request_id, said(**content))

    async def refusal(self, request_id: str = "r", **content: Any) -> Reason:
        before = dict(self.store.contacts)
        with pytest.raises(CrossroadsError) as raised:
            await self.record(request_id, **content)
        assert self.store.contacts == before
        return raised.value.reason


def said(**content: Any) -> Content:
    values: dict[str, Any] = {
        "channel": Channel.PHONE,
        "language": "fr",
        "topic": "a question",
        "exchange_id": EXCHANGE,
    }
    return Content(**{**values, **content})


@pytest.fixture
def centre() -> Centre:
    return Centre()


async def test_contact_says_who_recorded_it_and_when(centre: Centre) -> None:
    recorded = await centre.record()
    assert (recorded.agent, recorded.recorded_at) == ("agnes", centre.clock.now())
    assert recorded.content == said()
    assert await centre.contacts.get(recorded.id) == recorded


async def test_exchange_that_the_log_has_not_is_not_found(centre: Centre) -> None:
    assert await centre.refusal(exchange_id=bytes(16)) is Reason.NOT_FOUND


async def test_while_the_log_is_away_a_contact_about_an_exchange_is_refused(
    centre: Centre,
) -> None:
    centre.log.away = True
    assert await centre.refusal() is Reason.LOG_UNAVAILABLE


async def test_contact_about_no_exchange_needs_no_log(centre: Centre) -> None:
    centre.log.away = True
    recorded = await centre.record(exchange_id=b"")
    assert recorded.content.exchange_id == b""


async def test_repeat_is_the_same_contact_though_the_log_is_away(centre: Centre) -> None:
    first = await centre.record()
    centre.log.away = True
    centre.clock.pass_(60)
    assert await centre.record() == first


@pytest.mark.parametrize(
    "change",
    [
        {"channel": Channel.MAIL},
        {"language": "nl"},
        {"topic": "another question"},
        {"exchange_id": b""},
    ],
)
async def test_request_id_with_other_content_is_refused(
    centre: Centre, change: dict[str, Any]
) -> None:
    await centre.record()
    assert await centre.refusal(**change) is Reason.REQUEST_ID_REUSED


async def test_another_agent_may_use_the_same_request_id(centre: Centre) -> None:
    first = await centre.record()
    second = await centre.record(agent="anton", topic="another question")
    assert first.id != second.id


async def test_of_two_that_race_with_other_content_one_is_refused(centre: Centre) -> None:
    class Racing(MemoryContactStore):
        async def requested(self, agent: str, request_id: str) -> Contact | None:
            return None

    racing = Centre()
    racing.contacts = Contacts(
        store=Racing(),
        log=racing.log,
        well_formed=well_formed,
        clock=racing.clock,
        ids=SystemIds(),
    )
    await racing.record()
    with pytest.raises(CrossroadsError) as raised:
        await racing.record(topic="another question")
    assert raised.value.reason is Reason.REQUEST_ID_REUSED


async def test_topic_with_a_key_is_refused_before_anything_is_asked(centre: Centre) -> None:
    assert await centre.refusal(topic="about 85073003328") is Reason.INVALID_ARGUMENT
    assert centre.log.asked == 0


async def test_unknown_contact_is_not_found(centre: Centre) -> None:
    with pytest.raises(CrossroadsError) as raised:
        await centre.contacts.get(uuid4())
    assert raised.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
async def test_pages_hold_each_contact_once_and_the_last_has_no_token(
    centre: Centre, size: int
) -> None:
    recorded: list[UUID] = []
    for place in range(4):
        recorded.insert(0, (await centre.record(f"r{place}")).id)
        centre.clock.pass_(1)
    seen: list[UUID] = []
    token, pages = "", 0
    while token or not pages:
        page, token = await centre.contacts.about(EXCHANGE, size, token)
        seen += [each.id for each in page]
        pages += 1
    assert seen == recorded
    assert pages == -(-4 // size)


async def test_page_without_a_size_holds_a_hundred(centre: Centre) -> None:
    for place in range(101):
        await centre.record(f"r{place}")
    page, token = await centre.contacts.about(EXCHANGE, 0, "")
    assert (len(page), bool(token)) == (100, True)
    rest, token = await centre.contacts.about(EXCHANGE, 0, token)
    assert (len(rest), token) == (1, "")
