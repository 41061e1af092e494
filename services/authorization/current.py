"""The table of grants as this process decides on it: a replica of its own watched table.

Contract: the same machinery as routing's, without the network: `table` fits the version and the
digest of the replica, and `require()` raises LEASE_EXPIRED when the database stopped answering.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from services.authorization import wire
from services.policy.index import GrantTable, GrantTableBuilder, Interner
from services.policy.model import Grant
from services.runtime.clock import Clock
from services.runtime.watch.owner import Table
from services.runtime.watch.replica import Replica

STEP_ROWS = 500
"""How many grants are indexed before the event loop goes on."""


class CurrentGrants:
    """Follows `table`; run `replica.run()` as a supervised task."""

    def __init__(self, *, grants: Table, clock: Clock) -> None:
        interner = Interner()
        self.replica: Replica[Grant] = Replica(
            name="own-grants",
            connect=grants.serve,
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
        builder = GrantTableBuilder()
        grants = list(rows.values())
        for start in range(0, len(grants), STEP_ROWS):
            builder.add(grants[start : start + STEP_ROWS])
            await asyncio.sleep(0)
        self._table = builder.finish(version, digest)

    def _change(
        self, changes: Sequence[tuple[str, Grant | None]], version: int, digest: bytes
    ) -> None:
        self._table = self._table.apply(changes, version, digest)
