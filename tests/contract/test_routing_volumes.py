"""One suite for routing's count of what grants were used, in memory and in PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.support.exchanges import MemoryVolumes
from tests.support.platform import OpenDatabase

DAY = date(2026, 3, 1)


@pytest.fixture(params=["memory", "postgres", "next version"])
async def volumes(
    request: pytest.FixtureRequest, fresh_database: OpenDatabase
) -> AsyncIterator[Any]:
    """A count of each kind."""
    if request.param == "memory":
        yield MemoryVolumes()
        return
    from services.routing.store import Volumes  # noqa: PLC0415 - psycopg

    yield Volumes(
        database=await fresh_database("services.routing", ahead=request.param == "next version")
    )


async def test_a_grant_is_used_up_for_one_recipient_on_one_day(volumes: Any) -> None:
    for _ in range(2):
        assert await volumes.take("capac", {"a": 2}, DAY) == frozenset()
    assert await volumes.take("capac", {"a": 2}, DAY) == {"a"}
    assert await volumes.take("onem", {"a": 2}, DAY) == frozenset()
    assert await volumes.take("capac", {"b": 1}, DAY) == frozenset()
    assert await volumes.take("capac", {"a": 2}, DAY + timedelta(days=1)) == frozenset()
    # A limit that was raised, or lowered, holds from the next question on.
    assert await volumes.take("capac", {"a": 3}, DAY) == frozenset()
    assert await volumes.take("capac", {"a": 1}, DAY) == {"a"}


async def test_of_several_grants_none_counts_where_one_is_used_up(volumes: Any) -> None:
    assert await volumes.take("capac", {"a": 1, "b": 2}, DAY) == frozenset()
    assert await volumes.take("capac", {"a": 1, "b": 2}, DAY) == {"a"}
    assert await volumes.take("capac", {"b": 2}, DAY) == frozenset()
    assert await volumes.take("capac", {"a": 1, "b": 2}, DAY) == {"a", "b"}


async def test_those_who_come_at_once_get_no_more_than_there_is(volumes: Any) -> None:
    ways = [{"a": 5, "b": 9}, {"b": 9, "a": 5}]
    taken = await asyncio.gather(
        *(volumes.take("capac", ways[place % 2], DAY) for place in range(20))
    )
    assert Counter(taken) == {frozenset(): 5, frozenset({"a"}): 15}


async def test_what_is_long_past_does_not_count_and_is_forgotten(volumes: Any) -> None:
    assert await volumes.take("capac", {"a": 1}, DAY) == frozenset()
    assert await volumes.take("capac", {"a": 1}, DAY + timedelta(days=40)) == frozenset()
    assert await volumes.take("capac", {"a": 1}, DAY + timedelta(days=40)) == {"a"}
