"""Opening evidence.

Contract: an entry opens under the key of its month or, once that was erased, of a hold that covers
it; else its record says nothing but what the leaf and the columns say.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

import orjson

from services.logging.evidence_model import (
    EvidenceRow,
    Hold,
    MonthSpan,
    Record,
)
from services.logging.indicators import Counted
from services.logging.sealing import (
    KeyRing,
    MonthKey,
    Opened,
    month_key,
    open_evidence,
)
from services.runtime.errors import CrossroadsError, Reason

_logger = logging.getLogger(__name__)

OPENED_AT_ONCE = 50


class EvidenceTables(Protocol):
    """What is read to open and to find entries."""

    async def rows(self, indices: Sequence[int]) -> list[EvidenceRow]: ...
    async def rows_from(self, start: int, limit: int) -> list[EvidenceRow]: ...
    async def size(self) -> int: ...
    async def first_from(self, time: int) -> int: ...
    async def months(self) -> list[MonthSpan]: ...
    async def holds(self) -> list[Hold]: ...
    async def held(self, indices: Sequence[int]) -> list[tuple[int, UUID, bytes]]: ...
    async def held_by(self, hold_id: UUID, start: int, before: int, limit: int) -> list[int]: ...
    async def indices_of_exchange(self, exchange_id: bytes) -> list[int]: ...
    async def by_subject(
        self, macs: Sequence[bytes], start: int, before: int, limit: int
    ) -> list[int]: ...
    async def by_term(
        self, macs: Sequence[bytes], start: int, before: int, limit: int
    ) -> list[int]: ...
    async def term_index_size(self) -> int: ...
    async def keep_terms(
        self,
        start: int,
        size: int,
        pairs: Sequence[tuple[bytes, int]],
        counts: Mapping[Counted, int],
    ) -> bool: ...


class Unwrapper(Protocol):
    """What opening needs of Vault."""

    async def unwrap(self, key: str, wrapped: str) -> bytes:
        """What `wrapped` holds."""
        ...


class Evidence:
    """Opens entries."""

    def __init__(self, *, store: EvidenceTables, keys: KeyRing, custody: Unwrapper) -> None:
        self._store = store
        self._keys = keys
        self._custody = custody
        self.whole = True
        """Whether all evidence so far was what was sealed."""

    async def records(self, indices: Sequence[int], *, skip: bool = False) -> list[Record]:
        """Those entries, newest first; see `open`."""
        return await self.open(await self._store.rows(indices), skip=skip) if indices else []

    async def readable(self) -> frozenset[int]:
        """The ids of the data keys that were not erased."""
        return frozenset(span.data_key_id for span in await self._store.months())

    async def open(
        self,
        rows: Sequence[EvidenceRow],
        readable: frozenset[int] | None = None,
        *,
        skip: bool = False,
    ) -> list[Record]:
        """The rows' records, in their order. Raises INTERNAL for evidence that was altered.

        `readable`: what the method of that name says, by who knows it already. `skip` leaves out
        what was altered: it is never repaired, and what runs in the background must get past it.
        """
        if readable is None:
            readable = await self.readable()
        erased = [row.index for row in rows if row.data_key_id not in readable]
        held = await self._held(erased) if erased else {}
        found = []
        for place, row in enumerate(rows):
            if place % OPENED_AT_ONCE == 0:
                await asyncio.sleep(0)  # appends go first
            if row.data_key_id in readable:
                key, evidence = await self._keys.get(row.data_key_id), row.evidence
            elif row.index in held:
                key, evidence = held[row.index]
            else:
                found.append(Record(row))
                continue
            try:
                found.append(_record(row, key, evidence))
            except CrossroadsError as error:
                self.whole = False
                _logger.error("entry %d: %s", row.index, error.message)  # noqa: TRY400
                if not skip:
                    raise
        return found

    async def hold_key(self, hold: Hold) -> MonthKey:
        """The key of a hold. Raises UNAVAILABLE."""
        return month_key(0, await self._custody.unwrap(hold.transit_key, hold.wrapped))

    async def _held(self, indices: Sequence[int]) -> dict[int, tuple[MonthKey, bytes]]:
        kept = await self._store.held(indices)
        wanted = {hold_id for _, hold_id, _ in kept}
        keys = {
            hold.hold_id: await self.hold_key(hold)
            for hold in await self._store.holds()
            if hold.hold_id in wanted and hold.released_at is None
        }
        return {
            index: (keys[hold_id], evidence) for index, hold_id, evidence in kept if hold_id in keys
        }


def _record(row: EvidenceRow, key: MonthKey, evidence: bytes) -> Record:
    try:
        opened: Opened = open_evidence(key, row.leaf_hash, evidence)
    except ValueError:
        raise CrossroadsError(
            Reason.INTERNAL, "the evidence of an entry was altered; run fsck"
        ) from None
    return Record(
        row,
        opened,
        orjson.loads(opened.party),
        orjson.loads(opened.subject),
        orjson.loads(opened.audit),
    )
