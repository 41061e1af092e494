"""Servers and channels for each test; they cost some milliseconds."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.served import World
from tests.support.served import world as make


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    """An authority, servers and channels of the test's own."""
    async with make() as made:
        yield made
