"""Building and taking apart in steps."""

import asyncio
import gc
import weakref
from typing import Self

from services.runtime.watch.pacing import STEP_ROWS, dismantle, settle


class Node:
    """Something the cyclic collector has to look after."""

    other: Self | None = None


async def turns_during(steps: asyncio.Task[None]) -> int:
    turns = 0
    while not steps.done():
        turns += 1
        await asyncio.sleep(0)
    return turns


async def test_a_large_table_is_emptied_while_the_loop_goes_on() -> None:
    rows = {str(n): n for n in range(STEP_ROWS * 10)}
    assert await turns_during(asyncio.create_task(dismantle(rows))) >= 10
    assert rows == {}


async def test_settled_objects_are_out_of_the_collectors_way_and_still_freed() -> None:
    node = Node()
    gone = weakref.ref(node)
    before = gc.get_freeze_count()
    try:
        await settle()
        assert gc.get_freeze_count() > before
        del node
        assert gone() is None
    finally:
        gc.unfreeze()


async def test_young_cycles_that_are_garbage_do_not_settle() -> None:
    one, two = Node(), Node()
    one.other, two.other = two, one
    gone = weakref.ref(one)
    del one, two
    try:
        await settle()
        assert gone() is None
    finally:
        gc.unfreeze()
