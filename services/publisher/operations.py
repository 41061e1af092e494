"""What publisher does: looks at what is public, and pushes it when it is not what is shown.

Contract: one loop a collection. Nothing is kept here: what is shown over there is asked each time.
What can't be read or pushed is tried again later, each time a little later; nobody waits for it.
"""

import asyncio
import logging
from typing import Protocol

from services.publisher.model import Collection, Shown, Snapshot
from services.runtime.errors import CrossroadsError

FIRST_REST, LONGEST_REST = 1.0, 300.0
"""After a look that failed, however seldom the collection is looked at: twice the first, then twice
as long each time, up to the longest."""

FAILURES = 3
"""After so many in a row the loop says that it is not well."""

_logger = logging.getLogger(__name__)


class Owner(Protocol):
    """Where one collection is owned."""

    async def newer(self, shown: Shown | None) -> Snapshot | None:
        """The snapshot of this moment; None when it is the one that is shown."""
        ...


class PublicSide(Protocol):
    """Publication, in the public cloud."""

    async def shown(self, collection: Collection) -> Shown | None:
        """The snapshot of a collection that is shown."""
        ...

    async def push(self, snapshot: Snapshot) -> bool:
        """Have it shown; False when it was already."""
        ...


class Publisher:
    """The loop of one collection; `seconds` lie between two looks."""

    def __init__(
        self, *, collection: Collection, owner: Owner, public: PublicSide, seconds: float
    ) -> None:
        self._collection = collection
        self._owner = owner
        self._public = public
        self._seconds = seconds
        self._failures = 0

    @property
    def healthy(self) -> bool:
        """Whether one of the last looks succeeded."""
        return self._failures < FAILURES

    async def run(self) -> None:
        """Look and push, for ever."""
        while True:
            try:
                await self.look()
            except CrossroadsError as error:
                self._failures += 1
                _logger.warning("%s not pushed: %s", self._collection, error)
            else:
                self._failures = 0
            rest = FIRST_REST * 2 ** min(self._failures, 8)
            await asyncio.sleep(min(rest, LONGEST_REST) if self._failures else self._seconds)

    async def look(self) -> bool:
        """Push once, if there is something newer; whether there was. Raises CrossroadsError."""
        shown = await self._public.shown(self._collection)
        snapshot = await self._owner.newer(shown)
        if snapshot is None:
            return False
        changed = await self._public.push(snapshot)
        _logger.info(
            "%s pushed: version %d, %d items",
            self._collection,
            snapshot.version,
            len(snapshot.items),
        )
        return changed
