"""How long a channel waits for a server that says nothing: tests/integration/logging/test_following
stops one; here it only takes its time.
"""

import asyncio

from tests.support.kinds import ask
from tests.support.served import World

SILENCE = 1.2
"""Seconds: the shortest that asks no more often than a server allows."""


async def test_a_call_that_takes_long_is_not_cut_off_by_asking_whether_anybody_is_there(
    world: World,
) -> None:
    async def behaviour(text: str) -> str:
        await asyncio.sleep(4 * SILENCE)
        return text

    server, _ = await world.serve(behaviour)
    channel = await world.channel(server.address, silence=SILENCE)
    assert [*await ask(channel, "One", "a", timeout=30)] == ["a"]
