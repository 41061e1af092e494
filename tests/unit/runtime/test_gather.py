"""Gather: one batch in flight, bounded, no timer for who is alone."""

import asyncio

import pytest

from services.runtime.errors import CrossroadsError, Reason
from services.runtime.gather import MAX_PAUSE, Gather, pause_after


async def test_items_gather_while_a_batch_is_in_flight() -> None:
    sizes: list[int] = []
    release = asyncio.Event()

    async def batch(items: list[int]) -> list[int]:
        sizes.append(len(items))
        await release.wait()
        return [item * 2 for item in items]

    gather = Gather(batch=batch)
    first = asyncio.create_task(gather(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(gather(number)) for number in range(2, 12)]
    await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(first, *rest) == [2 * number for number in range(1, 12)]
    assert sizes == [1, 10]


async def test_an_item_that_arrives_as_a_run_ends_is_not_forgotten() -> None:
    async def batch(items: list[int]) -> list[int]:
        return items

    gather = Gather(batch=batch)

    async def many() -> int:
        total = 0
        for number in range(200):
            total += await gather(number)
            for _ in range(number % 5):
                await asyncio.sleep(0)
        return total

    async with asyncio.timeout(10):
        totals = await asyncio.gather(*(many() for _ in range(20)))
    assert set(totals) == {sum(range(200))}


async def test_after_a_batch_of_several_items_the_next_one_gathers_for_a_moment() -> None:
    sizes: list[int] = []

    async def batch(items: list[int]) -> list[int]:
        sizes.append(len(items))
        return items

    async def one_after_the_other(gather: Gather[int, int]) -> None:
        """A first batch of four, then four items with a turn of the loop between them."""
        sizes.clear()
        await asyncio.gather(*(gather(number) for number in range(4)))
        later = []
        for number in range(4):
            later.append(asyncio.create_task(gather(number)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(*later)

    await one_after_the_other(Gather(batch=batch))
    assert sizes[0] == 4
    assert len(sizes) > 2
    await one_after_the_other(Gather(batch=batch, pause_per_item=1.0))
    assert sizes == [4, 4]


def test_the_pause_grows_with_the_batch_up_to_a_limit() -> None:
    assert pause_after(1, 0.001) == 0
    assert pause_after(5, 0.001) == pytest.approx(0.004)
    assert pause_after(1000, 0.001) == MAX_PAUSE


async def test_batches_are_bounded_and_so_is_the_queue() -> None:
    sizes: list[int] = []

    async def batch(items: list[int]) -> list[int]:
        sizes.append(len(items))
        return items

    gather = Gather(batch=batch, max_batch=3, max_waiting=7)
    outcomes = await asyncio.gather(*(gather(n) for n in range(9)), return_exceptions=True)
    assert sizes == [3, 3, 1]
    refused = [each for each in outcomes if isinstance(each, CrossroadsError)]
    assert [each.reason for each in refused] == [Reason.OVERLOADED] * 2


async def test_a_result_that_is_an_exception_concerns_its_caller_alone() -> None:
    async def batch(items: list[int]) -> list[int | Exception]:
        return [ValueError("odd") if item % 2 else item for item in items]

    gather = Gather(batch=batch)
    good, bad = await asyncio.gather(gather(2), gather(3), return_exceptions=True)
    assert good == 2
    assert isinstance(bad, ValueError)


async def test_a_batch_that_fails_fails_for_all_its_callers_and_the_next_one_runs() -> None:
    calls = 0

    async def batch(items: list[int]) -> list[int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise CrossroadsError(Reason.LOG_UNAVAILABLE, "away")
        return items

    gather = Gather(batch=batch)
    outcomes = await asyncio.gather(gather(1), gather(2), return_exceptions=True)
    assert [isinstance(each, CrossroadsError) for each in outcomes] == [True, True]
    assert await gather(3) == 3


async def test_a_caller_that_leaves_takes_its_item_out() -> None:
    seen: list[int] = []
    release = asyncio.Event()

    async def batch(items: list[int]) -> list[int]:
        seen.extend(items)
        await release.wait()
        return items

    gather = Gather(batch=batch)
    first = asyncio.create_task(gather(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(gather(2))
    third = asyncio.create_task(gather(3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    release.set()
    results = await asyncio.gather(first, third)
    assert list(results) == [1, 3]
    assert seen == [1, 3]


async def test_after_close_nothing_is_taken() -> None:
    async def batch(items: list[int]) -> list[int]:
        return items

    gather = Gather(batch=batch)
    await gather(1)
    await gather.close()
    with pytest.raises(CrossroadsError):
        await gather(2)
