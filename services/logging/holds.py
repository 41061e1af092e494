"""Legal holds: records that must stay readable for a case, longer than their month.

Contract: a hold has a Transit key of its own, under which the evidence that it covers is kept a
second time; so it survives the erasure of the month, and goes with the hold. What it covers stands
in the hold's own entry, which it holds too, and is looked up once more before a month is erased:
records that came after the hold was placed are kept as well. The hold's row is written before that
entry, and counts once the entry is there: so fsck knows that a hold whose row is gone was removed.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Protocol
from uuid import UUID

from services.logging.evidence import Evidence
from services.logging.evidence_model import (
    UNLOGGED,
    Criteria,
    Hold,
    MonthSpan,
    Record,
    criteria_of,
    month_after,
)
from services.logging.finder import Finder
from services.logging.journal import Journal
from services.logging.model import EPOCH, microseconds
from services.logging.sealing import KeyRing, MonthKey, seal_again
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason, invalid
from services.runtime.ids import Ids

_logger = logging.getLogger(__name__)


class HoldTables(Protocol):
    """Where holds are kept."""

    async def keep_hold(self, hold: Hold) -> None: ...
    async def holds(self) -> list[Hold]: ...
    async def release_hold(self, hold_id: UUID, at: datetime) -> None: ...
    async def keep_held(self, hold_id: UUID, kept: Sequence[tuple[int, bytes]]) -> None: ...


class HoldCustody(Protocol):
    """What holds need of Vault."""

    async def create_key(self, key: str, *, kind: str = "aes256-gcm96") -> None: ...
    async def key_exists(self, key: str) -> bool: ...
    async def delete_key(self, key: str) -> None: ...
    async def data_key(self, key: str) -> tuple[bytes, str]: ...


class Holds:
    """Places and releases holds."""

    def __init__(
        self,
        *,
        store: HoldTables,
        keys: KeyRing,
        custody: HoldCustody,
        evidence: Evidence,
        finder: Finder,
        journal: Journal,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._keys = keys
        self._custody = custody
        self._evidence = evidence
        self._finder = finder
        self._journal = journal
        self._clock = clock
        self._ids = ids

    async def place(
        self, *, by: str, authority: str, reason: str, criteria: Criteria
    ) -> tuple[Hold, int]:
        """Hold what fits the criteria, now and from now on; the hold, and how many entries.

        Raises INVALID_ARGUMENT for criteria that would hold nearly everything.
        """
        if not (criteria.bounded or criteria.deliberation or criteria.institution):
            raise invalid("criteria", "must name more than a period: a hold covers one case")
        hold_id = self._ids.uuid()
        name = f"log-hold-{hold_id}"
        await self._custody.create_key(name)
        _, wrapped = await self._custody.data_key(name)
        hold = Hold(hold_id, UNLOGGED, self._clock.now(), name, wrapped)
        await self._store.keep_hold(hold)  # first, so that no act is without its row
        index = await self._journal.act(
            hold_id.bytes,
            "logging.hold",
            by=[by],
            audit={
                "authority": authority,
                "criteria": criteria.to_json(),
                "hold": str(hold_id),
                "reason": reason,
            },
            subject={"subjects": list(criteria.subjects)} if criteria.subjects else None,
        )
        hold = replace(hold, index=index)
        await self._store.keep_hold(hold)
        key = await self._evidence.hold_key(hold)
        await self._keep(hold, key, await self._evidence.records([index]))
        return hold, await self._copy(hold, key, criteria)

    async def release(self, hold_id: UUID, *, by: str, reason: str) -> int:
        """End a hold: what only it kept can't be read any more. The index of the act.

        Raises NOT_FOUND.
        """
        hold = next((each for each in await self._active() if each.hold_id == hold_id), None)
        if hold is None:
            raise CrossroadsError(Reason.NOT_FOUND, "no such hold, or it was released already")
        index = await self._journal.act(
            self._ids.uuid().bytes,
            "logging.hold_release",
            by=[by],
            audit={"hold": str(hold_id), "hold_index": hold.index, "reason": reason},
        )
        await self._store.release_hold(hold_id, self._clock.now())
        try:
            await self.finish()
        except CrossroadsError as error:
            _logger.warning("the key of a released hold is deleted later: %s", error.message)
        return index

    async def finish(self) -> None:
        """Delete the keys of all holds that were released: a crash may have come between."""
        for each in await self._store.holds():
            if each.released_at is not None and await self._custody.key_exists(each.transit_key):
                await self._custody.delete_key(each.transit_key)

    async def every(self) -> Sequence[Hold]:
        """All holds, oldest first."""
        return await self._store.holds()

    async def rescue(self, span: MonthSpan) -> None:
        """Copy what holds cover of a month that is about to be erased.

        Raises INTERNAL for a hold of which nobody can say any more what it covers.
        """
        start, end = _start_of(span.month), _start_of(month_after(span.month))
        for hold in await self._active():
            (record,) = await self._evidence.records([hold.index])
            if record.opened is None:
                raise CrossroadsError(
                    Reason.INTERNAL,
                    f"hold {hold.hold_id}: its entry {hold.index} was erased and is not held, so"
                    " that nobody knows what it covers: run fsck, then release it",
                )
            criteria = criteria_of(
                record.audit["criteria"], tuple(record.subject.get("subjects", ()))
            )
            key = await self._evidence.hold_key(hold)
            await self._keep(hold, key, [record])
            kept = await self._copy(hold, key, _within(criteria, start, end))
            _logger.info("a hold keeps %d entries of %s", kept, f"{span.month:%Y-%m}")

    async def _active(self) -> list[Hold]:
        return [each for each in await self._store.holds() if each.released_at is None]

    async def _copy(self, hold: Hold, key: MonthKey, criteria: Criteria) -> int:
        count = 0
        async for records in self._finder.everything(criteria):
            count += await self._keep(hold, key, records)
        return count

    async def _keep(self, hold: Hold, key: MonthKey, records: Sequence[Record]) -> int:
        """Keep those that open under the key of their month; how many."""
        readable = await self._evidence.readable()
        kept = [
            (
                row.index,
                seal_again(await self._keys.get(row.data_key_id), key, row.leaf_hash, row.evidence),
            )
            for row in (record.row for record in records)
            if row.data_key_id in readable
        ]
        if kept:
            await self._store.keep_held(hold.hold_id, kept)
        return len(kept)


def _start_of(day: date) -> int:
    return microseconds(datetime.combine(day, time(), EPOCH.tzinfo))


def _within(criteria: Criteria, start: int, end: int) -> Criteria:
    """The criteria, in that time only."""
    last = end if criteria.end is None else min(end, criteria.end)
    return replace(criteria, start=max(start, criteria.start), end=last)
