"""A deadline is passed on with a margin, so that the one who passed it on can still answer."""

import asyncio
import contextvars
from typing import Any

import pytest

from services.runtime import deadline
from services.runtime.call import CURRENT
from services.runtime.errors import CrossroadsError, Reason
from tests.support.asking import refusal
from tests.support.kinds import KINDS, ask
from tests.support.served import World


async def chained(world: World, behind: Any) -> Any:
    """A channel to a service that asks another one, `behind`, in its turn."""
    second, _ = await world.serve(behind)
    onward = await world.channel(second.address)

    async def behaviour(text: str) -> str:
        before = deadline.remaining()
        (answer,) = await ask(onward, "One", text, timeout=1000)
        assert before is not None
        return f"{before} {answer}"

    first, _ = await world.serve(behaviour, name="registry")
    return await world.channel(first.address, name="registry")


@pytest.mark.parametrize("kind", KINDS)
async def test_who_is_asked_on_behalf_gets_less_time(world: World, kind: str) -> None:
    async def behind(text: str) -> str:
        return str(deadline.remaining())

    channel = await chained(world, behind)
    (answer,) = await ask(channel, kind, "a", timeout=5.0)
    asked, passed = (float(each) for each in answer.split())
    # On the wire a timeout is rounded to a millisecond or so.
    assert 0 < passed < asked - deadline.MARGIN_SECONDS / 2
    assert asked <= 5.0


@pytest.mark.parametrize("kind", KINDS)
async def test_who_waited_for_another_can_still_say_so(world: World, kind: str) -> None:
    async def behind(text: str) -> str:
        await asyncio.Event().wait()
        return text

    channel = await chained(world, behind)
    seen = await refusal(ask(channel, kind, "a", timeout=0.6))
    assert seen.reason is Reason.DEADLINE_EXCEEDED
    assert "identity did not answer in time" in seen.text


async def test_nothing_is_asked_when_no_time_is_left(world: World) -> None:
    asked = []

    async def behind(text: str) -> str:
        asked.append(text)
        return text

    server, _ = await world.serve(behind)
    channel = await world.channel(server.address)
    late: list[Reason] = []

    async def behaviour(text: str) -> str:
        call = CURRENT.get()
        assert call is not None
        # As in a handler that has used up its time without waiting for anything.
        call.deadline = 0.0
        with pytest.raises(CrossroadsError) as caught:
            await ask(channel, "One", text)
        late.append(caught.value.reason)
        return text

    first, _ = await world.serve(behaviour)
    await ask(await world.channel(first.address), "One", "a")
    assert (late, asked) == ([Reason.DEADLINE_EXCEEDED], [])


async def test_background_task_is_not_bound_by_the_call_that_started_it(world: World) -> None:
    left: list[float | None] = []

    async def behaviour(text: str) -> str:
        async def work() -> None:
            left.append(deadline.remaining())

        await asyncio.create_task(work(), context=contextvars.Context())
        return text

    server, _ = await world.serve(behaviour)
    await ask(await world.channel(server.address), "One", "a")
    assert left == [None]
