"""A server that is away: the channel begins anew, so that its name is asked for again at once."""

import asyncio

import pytest

from services.runtime import channel as channels
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, Reason
from tests.support.kinds import KINDS, ask
from tests.support.served import World
from tests.support.watching import free_address


async def reason(channel: Channel, kind: str = "One") -> Reason:
    """Why a call fails."""
    with pytest.raises(CrossroadsError) as caught:
        await ask(channel, kind, "a")
    return caught.value.reason


@pytest.mark.parametrize("kind", KINDS)
async def test_a_channel_without_a_connection_begins_anew(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "UNCONNECTED_SECONDS", 0.0)
    channel = await world.channel(free_address())
    before = channel.link
    assert await reason(channel, kind) is Reason.UNAVAILABLE
    assert channel.link is not before


async def test_a_new_beginning_takes_its_time_before_the_next(world: World) -> None:
    channel = await world.channel(free_address())
    before = channel.link
    for _ in range(3):
        assert await reason(channel) is Reason.UNAVAILABLE
    assert channel.link is before


async def test_a_server_that_comes_late_is_reached_on_the_new_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "UNCONNECTED_SECONDS", 0.0)
    address = free_address()
    channel = await world.channel(address)
    assert await reason(channel) is Reason.UNAVAILABLE
    await world.serve(listen=address)
    async with asyncio.timeout(20):
        while True:
            try:
                assert await ask(channel, "One", "a") == ["a"]
            except CrossroadsError as error:
                assert error.retryable  # noqa: PT017 - not reached yet
                await asyncio.sleep(0.05)
            else:
                return


async def test_what_a_connected_server_refuses_changes_no_channel(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "UNCONNECTED_SECONDS", 0.0)

    async def refuse(text: str) -> str:
        raise CrossroadsError(Reason.STORE_UNAVAILABLE, "the database does not answer")

    server, _ = await world.serve(refuse)
    channel = await world.channel(server.address)
    before = channel.link
    assert await reason(channel) is Reason.STORE_UNAVAILABLE
    assert channel.link is before
