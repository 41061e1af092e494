"""The same request_id: the same exchange while its answer is kept, a new attempt, or refused."""

import asyncio

import pytest

from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.exchanges import NOW, World, grant, refused


async def test_repeat_gets_the_very_same_answer() -> None:
    world = World()
    first = await world.ask()
    assert await world.ask(ticket="another mark") is first
    assert len(world.sources.asked) == 1
    assert world.log.kinds == [Kind.REQUEST, Kind.RELEASE]


async def test_repeat_after_the_answer_is_gone_is_a_new_attempt() -> None:
    world = World()
    await world.ask()
    world.clock.pass_(301)
    reply = await world.ask()
    assert reply.attempt == 2
    assert world.log.kinds == [Kind.REQUEST, Kind.RELEASE] * 2


async def test_repeat_is_refused_once_the_grant_has_ended() -> None:
    world = World()
    await world.ask()
    world.tables.set_grants(grant(valid_until=NOW))
    assert (await refused(world)).reason is Reason.NOT_AUTHORIZED


async def test_repeat_is_refused_without_a_lease() -> None:
    world = World()
    await world.ask()
    world.tables.current = False
    assert (await refused(world)).reason is Reason.LEASE_EXPIRED


@pytest.mark.parametrize("gone", [False, True])
async def test_same_request_id_with_another_question_is_refused(gone: bool) -> None:
    world = World()
    await world.ask()
    if gone:
        world.clock.pass_(301)
    error = await refused(world, elements=frozenset({"employment.start"}))
    assert error.reason is Reason.REQUEST_ID_REUSED
    assert [each.field for each in error.fields] == ["request_id"]
    assert world.log.kinds == [Kind.REQUEST, Kind.RELEASE, Kind.REFUSAL]


async def test_same_question_asked_twice_at_once_is_one_exchange() -> None:
    world = World()
    world.sources.gate = asyncio.Event()
    asking = [asyncio.create_task(world.ask()) for _ in range(3)]
    await world.sources.reached.wait()
    assert (await refused(world, purpose="unemployment_benefit", payload=b"x")).reason is (
        Reason.REQUEST_ID_REUSED
    )
    world.sources.gate.set()
    replies = await asyncio.gather(*asking)
    assert replies[0] is replies[1] is replies[2]
    assert len(world.sources.asked) == 1


async def test_exchange_can_be_made_after_it_was_refused_with_the_same_request_id() -> None:
    world = World()
    own = world.directory.integrations.pop(0)
    for _ in range(3):
        await refused(world)
    world.directory.integrations.append(own)
    assert (await world.ask()).attempt == 1
    assert world.log.kinds == [Kind.REFUSAL] * 3 + [Kind.REQUEST, Kind.RELEASE]


async def test_cancelled_exchange_lets_the_next_one_through() -> None:
    world = World()
    world.sources.gate = asyncio.Event()
    first = asyncio.create_task(world.ask())
    await world.sources.reached.wait()
    first.cancel()
    await asyncio.wait([first])
    world.sources.gate = None
    assert (await world.ask()).attempt == 2
