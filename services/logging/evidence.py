"""Opening evidence, and finding entries by what it says.

Contract: an entry opens under the key of its month or, once that was erased, of a hold that covers
it; else its record says nothing but what the leaf and the columns say. `Finder` gives pages, newest
first: it looks where the rarest of the criteria is indexed and decides on the opened entries. The
subject index is complete with each append; terms are indexed after the fact (`Indexer`), by the
time at which an answer says that it is complete.
"""

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

import orjson

from services.logging.evidence_model import (
    Criteria,
    EvidenceRow,
    Hold,
    MonthSpan,
    Record,
    month_after,
    terms,
)
from services.logging.indicators import Counted, tally
from services.logging.model import instant
from services.logging.sealing import (
    KeyRing,
    MonthKey,
    Opened,
    month_key,
    open_evidence,
    subject_mac,
    term_key,
)
from services.runtime.errors import CrossroadsError, Reason

_logger = logging.getLogger(__name__)

TERM_MAC_SIZE = 16
LOOKED_AT_MOST = 2000
"""How many entries one page opens at most; what was not reached comes with the next page."""

OPENED_AT_ONCE = 50
CAUGHT_UP_AT_ONCE = 2000
STEP_ENTRIES = 400
IDLE_SECONDS = 0.5
PEAK_ENTRIES = 2500
"""How many entries a second are indexed at most while the log grows faster than that: so much is
kept up with, and appends lose no more to it."""


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


class Page(NamedTuple):
    """Entries, newest first. `before`: where the next page goes on, None when there is none."""

    records: tuple[Record, ...]
    before: int | None


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


class Finder:
    """Finds entries."""

    def __init__(
        self, *, store: EvidenceTables, keys: KeyRing, evidence: Evidence, indexer: "Indexer"
    ) -> None:
        self._store = store
        self._keys = keys
        self._evidence = evidence
        self._indexer = indexer

    async def page(
        self,
        criteria: Criteria,
        *,
        before: int | None = None,
        limit: int,
        hidden: Callable[[Record], bool] = lambda _: False,
        skip: bool = False,
    ) -> Page:
        """The newest entries that fit and are not hidden, of those before index `before`.

        Raises INTERNAL where evidence was altered, unless `skip` leaves that out.
        """
        start, end = await self._range(criteria, before)
        macs = await self._macs(criteria)
        found: list[Record] = []
        looked = 0
        while looked < LOOKED_AT_MOST and end > start:
            # One more than are wanted: it tells whether there is a next page.
            indices = await self._candidates(criteria, macs, start, end, limit + 1)
            for record in await self._evidence.records(indices, skip=skip):
                if criteria.fits(record) and not hidden(record):
                    if len(found) == limit:
                        return Page(tuple(found), found[-1].row.index)
                    found.append(record)
            if len(indices) <= limit:
                return Page(tuple(found), None)
            looked += len(indices)
            end = indices[-1]
        return Page(tuple(found), end if end > start else None)

    async def everything(self, criteria: Criteria) -> AsyncIterator[Sequence[Record]]:
        """Page after page, to the end, without what was altered: terms are first indexed up to
        there."""
        if _by_term(criteria):
            await self._indexer.reach((await self._range(criteria, None))[1])
        before: int | None = None
        while True:
            page = await self.page(criteria, before=before, limit=STEP_ENTRIES, skip=True)
            yield page.records
            if page.before is None:
                return
            before = page.before

    async def _range(self, criteria: Criteria, before: int | None) -> tuple[int, int]:
        start = await self._store.first_from(criteria.start) if criteria.start else 0
        size = await self._store.size()
        end = await self._store.first_from(criteria.end) if criteria.end else size
        return start, end if before is None else min(before, end)

    async def _macs(self, criteria: Criteria) -> list[bytes]:
        """What stands in the index for what is looked for, in each month of the period."""
        if criteria.exchange_id or criteria.hold_id or not (criteria.subjects or criteria.term):
            return []
        if _by_term(criteria):
            await self._indexer.catch_up()
        found = []
        for span in await self._store.months():
            if _touches(span, criteria):
                key = await self._keys.get(span.data_key_id)
                if criteria.subjects:
                    found += [subject_mac(key, each.encode()) for each in criteria.subjects]
                else:
                    found.append(term_mac(term_key(key), criteria.term))
        return found

    async def _candidates(
        self, criteria: Criteria, macs: Sequence[bytes], start: int, end: int, limit: int
    ) -> list[int]:
        """At most `limit` indices in [start, end), newest first; fewer only when there are no more
        (an exchange has no more than a few, which come all at once)."""
        store = self._store
        if criteria.exchange_id:
            indices = await store.indices_of_exchange(criteria.exchange_id)
            return [each for each in indices if start <= each < end][:limit]
        if criteria.hold_id:
            return await store.held_by(criteria.hold_id, start, end, limit)
        if criteria.subjects:
            return await store.by_subject(macs, start, end, limit)
        if criteria.term:
            return await store.by_term(macs, start, end, limit)
        return list(range(end - 1, max(start, end - limit) - 1, -1))


class Indexer:
    """Makes the index of terms and the counts, behind the log. Run `run()` as a supervised task."""

    def __init__(self, *, store: EvidenceTables, keys: KeyRing, evidence: Evidence) -> None:
        self._store = store
        self._keys = keys
        self._evidence = evidence
        self._size: int | None = None
        self._lock = asyncio.Lock()

    @property
    def size(self) -> int:
        """Every entry before this one can be found by its terms."""
        return self._size or 0

    async def run(self) -> None:
        """Follow the log for ever: gently while it is busy, for appends come first."""
        loop = asyncio.get_running_loop()
        size = 0
        while True:
            began, before = loop.time(), size
            try:
                done = await self.step()
                size = await self._store.size()
            except CrossroadsError as error:
                if not error.retryable:
                    raise
                done = 0
            pause = rest(loop.time() - began, peak=size - before > done)
            await asyncio.sleep(pause if done == STEP_ENTRIES else IDLE_SECONDS)

    async def catch_up(self) -> None:
        """Index what is missing, within bounds: a search should see what was just appended."""
        for _ in range(CAUGHT_UP_AT_ONCE // STEP_ENTRIES):
            if await self.step() < STEP_ENTRIES:
                return

    async def reach(self, size: int) -> None:
        """Index whatever is missing before entry `size`, however much that is."""
        while self.size < size and await self.step():
            pass

    async def step(self) -> int:
        """Index the next entries; how many there were."""
        async with self._lock:
            start = self._size
            if start is None:
                start = await self._store.term_index_size()
            rows = await self._store.rows_from(start, STEP_ENTRIES)
            # Only once it is kept: a search whose caller hangs up may end this at any point.
            if not rows or await self._keep(start, rows):
                self._size = start + len(rows)
            else:
                self._size = await self._store.term_index_size()  # another process was first
            return len(rows)

    async def _keep(self, start: int, rows: Sequence[EvidenceRow]) -> bool:
        """Index and count the next entries; False when they do not come next any more."""
        end = rows[-1].index + 1
        readable = await self._evidence.readable()
        rows = [row for row in rows if row.data_key_id in readable]
        keys = {
            each: term_key(await self._keys.get(each)) for each in {row.data_key_id for row in rows}
        }
        records = await self._evidence.open(rows, readable, skip=True)
        found: dict[tuple[int, str], list[int]] = {}
        for record in records:
            for each in terms(record.party, record.subject, record.audit):
                found.setdefault((record.row.data_key_id, each), []).append(record.row.index)
        pairs = [  # most terms are those of many entries
            (mac, index)
            for (key_id, term), indices in found.items()
            for mac in (term_mac(keys[key_id], term),)
            for index in indices
        ]
        return await self._store.keep_terms(start, end, pairs, tally(records))


def rest(worked: float, *, peak: bool) -> float:
    """How many seconds indexing rests after a full step that took `worked`: as long again, and in a
    peak until the next one is due."""
    return max(worked, STEP_ENTRIES / PEAK_ENTRIES - worked) if peak else worked


def term_mac(key: bytes, term: str) -> bytes:
    """What stands in the index for a term: 16 octets."""
    return hmac.digest(key, term.encode(), "sha256")[:TERM_MAC_SIZE]


def _by_term(criteria: Criteria) -> bool:
    """Whether the index of terms says where to look."""
    sooner = criteria.exchange_id or criteria.hold_id or criteria.subjects
    return bool(criteria.term and not sooner)


def _touches(span: MonthSpan, criteria: Criteria) -> bool:
    end = instant(criteria.end).date() if criteria.end else None
    return month_after(span.month) > instant(criteria.start).date() and (
        end is None or span.month <= end
    )


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
