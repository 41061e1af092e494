"""The table of grants as this process decides on it: now, and as it stood.

Contract: `CurrentGrants` is a replica of the own watched table, by the same machinery as routing's,
without the network: `table` fits the version and the digest of the replica, and `require()` raises
LEASE_EXPIRED when the database stopped answering. `PastGrants` reads versions of the history.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from services.authorization import wire
from services.policy.index import GrantTable, GrantTableBuilder, Interner
from services.policy.model import Grant
from services.runtime.clock import Clock
from services.runtime.watch.owner import Table
from services.runtime.watch.replica import Replica
from services.runtime.watch.rows import Image

STEP_ROWS = 500
"""How many grants are indexed before the event loop goes on."""

KEPT_TABLES = 4
"""How many earlier versions stay in memory: a replay asks for the same ones again and again."""


class CurrentGrants:
    """Follows `table`; run `replica.run()` as a supervised task."""

    def __init__(self, *, grants: Table, clock: Clock) -> None:
        interner = Interner()
        self.replica: Replica[Grant] = Replica(
            name="own-grants",
            connect=partial(grants.serve, subscriber="authorization"),
            decode=lambda _, value: wire.policy_grant(value, interner),
            clock=clock,
        )
        self.replica.on_snapshot(self._index)
        self.replica.on_change(self._change)
        self._table = GrantTable.of(())

    @property
    def table(self) -> GrantTable:
        """The newest version that is here."""
        return self._table

    @property
    def recorded_at(self) -> datetime | None:
        """When that version was recorded; None while nothing was ever published."""
        return self.replica.recorded_at

    def require(self) -> None:
        """Raise LEASE_EXPIRED if it may be out of date."""
        self.replica.require()

    async def _index(self, rows: Mapping[str, Grant], version: int, digest: bytes) -> None:
        self._table = await _built(list(rows.values()), version, digest)

    def _change(
        self, changes: Sequence[tuple[str, Grant | None]], version: int, digest: bytes
    ) -> None:
        self._table = self._table.apply(changes, version, digest)


class PastGrants:
    """Versions of `table` as they were committed; the newest few that were asked for are kept."""

    def __init__(self, *, grants: Table) -> None:
        self._grants = grants
        self._kept: OrderedDict[int, GrantTable] = OrderedDict()
        self._reading = asyncio.Lock()

    async def at(self, known_at: datetime) -> GrantTable:
        """The version that was newest at that instant (aware)."""
        return await self.version((await self._grants.history.known_at(known_at)).version)

    async def version(self, version: int) -> GrantTable:
        """That version; LookupError if it was never committed."""
        async with self._reading:
            found = self._kept.get(version)
            if found is None:
                found = await _table(await self._grants.snapshot_of(version))
                self._kept[version] = found
            self._kept.move_to_end(version)
            while len(self._kept) > KEPT_TABLES:
                self._kept.popitem(last=False)
            return found


async def _table(image: Image) -> GrantTable:
    interner = Interner()
    grants: list[Grant] = []
    for place, value in enumerate(image.rows.values()):
        grants.append(wire.policy_grant(value, interner))
        if place % STEP_ROWS == 0:
            await asyncio.sleep(0)
    return await _built(grants, image.version, image.digest)


async def _built(grants: Sequence[Grant], version: int, digest: bytes) -> GrantTable:
    builder = GrantTableBuilder()
    for start in range(0, len(grants), STEP_ROWS):
        builder.add(grants[start : start + STEP_ROWS])
        await asyncio.sleep(0)
    return builder.finish(version, digest)
