"""The loop of one collection in publisher."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.publisher.model import Collection, Shown, Snapshot
from services.publisher.operations import Publisher
from services.runtime.errors import CrossroadsError, Reason

DAILY = Snapshot(Collection.INDICATORS, 0, datetime(2026, 3, 1, tzinfo=UTC), b"", ())


class LateOwner:
    """Cannot be read the first time, as when the platform only starts."""

    def __init__(self) -> None:
        self.looks = 0

    async def newer(self, shown: Shown | None) -> Snapshot | None:
        """The second time, a snapshot."""
        self.looks += 1
        if self.looks == 1:
            raise CrossroadsError(Reason.UNAVAILABLE, "logging does not answer; retry")
        return DAILY


class Public:
    """Publication, which takes what comes."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[Snapshot] = asyncio.Queue()

    async def shown(self, collection: Collection) -> Shown | None:
        """Nothing yet."""
        return None

    async def push(self, snapshot: Snapshot) -> bool:
        """Taken."""
        await self.taken.put(snapshot)
        return True


@pytest.mark.asyncio
async def test_a_collection_that_is_seldom_looked_at_is_tried_again_soon_after_a_failure() -> None:
    public = Public()
    loop = Publisher(
        collection=Collection.INDICATORS, owner=LateOwner(), public=public, seconds=86_400
    )
    running = asyncio.create_task(loop.run())
    try:
        assert await asyncio.wait_for(public.taken.get(), 60) is DAILY
        assert loop.healthy
    finally:
        running.cancel()
