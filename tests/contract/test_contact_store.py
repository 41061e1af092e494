"""One suite for the store of contacts in memory and for PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.contact.model import Channel, Contact, Content, Position
from tests.support.contact_store import MemoryContactStore
from tests.support.platform import OpenDatabase

AT = datetime(2001, 3, 10, 12, 0, 0, 123456, tzinfo=UTC)
EXCHANGE = bytes(range(16))


@pytest.fixture(params=["memory", "postgres", "next version"])
async def store(request: pytest.FixtureRequest, fresh_database: OpenDatabase) -> AsyncIterator[Any]:
    """A store of each kind."""
    if request.param == "memory":
        yield MemoryContactStore()
        return
    from services.contact.store import ContactStore  # noqa: PLC0415 - psycopg, where it is used

    yield ContactStore(
        database=await fresh_database("services.contact", ahead=request.param == "next version")
    )


def contact(agent: str = "agnes", at: datetime = AT, **content: Any) -> Contact:
    values = {"channel": Channel.PHONE, "language": "nl", "topic": "a question"} | content
    return Contact(uuid4(), agent, at, Content(**values))


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("exchange_id", [b"", EXCHANGE])
async def test_what_was_recorded_is_read_unchanged(
    store: Any, channel: Channel, exchange_id: bytes
) -> None:
    one = contact(channel=channel, topic="Périodes d'emploi ☎", exchange_id=exchange_id)
    assert await store.record(one, "r") == one
    assert await store.contact(one.id) == one
    assert await store.requested("agnes", "r") == one


async def test_what_was_not_recorded_is_not_there(store: Any) -> None:
    await store.record(contact(), "r")
    assert await store.contact(uuid4()) is None
    assert await store.requested("agnes", "other") is None
    assert await store.about(EXCHANGE, None, 10) == []


async def test_first_contact_of_a_request_id_stands(store: Any) -> None:
    first, second = contact(), contact(topic="another question")
    await store.record(first, "r")
    assert await store.record(second, "r") == first
    assert await store.contact(second.id) is None


async def test_request_id_is_its_agents_own(store: Any) -> None:
    mine, theirs = contact("agnes"), contact("anton")
    await store.record(mine, "r")
    assert await store.record(theirs, "r") == theirs


async def test_of_calls_at_the_same_time_all_get_the_one_that_stands(store: Any) -> None:
    recorded = await asyncio.gather(*(store.record(contact(), "r") for _ in range(6)))
    assert set(recorded) == {await store.requested("agnes", "r")}


@pytest.mark.parametrize("size", [1, 2, 3, 10])
async def test_pages_give_each_contact_of_an_exchange_once_newest_first(
    store: Any, size: int
) -> None:
    instants = [AT, AT + timedelta(microseconds=1), AT, AT - timedelta(days=1), AT]
    mine = [contact(at=at, exchange_id=EXCHANGE) for at in instants]
    others = [contact(exchange_id=bytes(16)), contact()]
    for place, each in enumerate([*mine, *others]):
        await store.record(each, f"r{place}")
    seen: list[Contact] = []
    after = None
    while page := await store.about(EXCHANGE, after, size):
        assert len(page) <= size
        seen += page
        after = Position.of(page[-1])
    assert seen == sorted(mine, key=lambda each: (each.recorded_at, each.id), reverse=True)


async def test_contact_with_the_lowest_id_is_on_a_page(store: Any) -> None:
    one = replace(contact(exchange_id=EXCHANGE), id=UUID(int=0))
    await store.record(one, "r")
    assert await store.about(EXCHANGE, None, 1) == [one]
    assert await store.about(EXCHANGE, Position.of(one), 1) == []
