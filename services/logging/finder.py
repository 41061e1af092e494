"""Finding entries by what their evidence says.

Contract: `Finder` gives pages, newest first: it looks where the rarest of the criteria is indexed
and decides on the opened entries. The subject index is complete with each append; terms are indexed
after the fact (`Indexer`), by the time at which an answer says that it is complete.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from services.logging.evidence import Evidence, EvidenceTables
from services.logging.evidence_model import Criteria, MonthSpan, Record, month_after
from services.logging.model import instant
from services.logging.sealing import KeyRing, subject_mac, term_key
from services.logging.term_index import Indexer, term_mac

LOOKED_AT_MOST = 2000
"""How many entries one page opens at most; what was not reached comes with the next page."""

PAGE_OF_ALL = 200
"""How many entries `everything` gives at once."""


class Page(NamedTuple):
    """Entries, newest first. `before`: where the next page goes on, None when there is none."""

    records: tuple[Record, ...]
    before: int | None


class Finder:
    """Finds entries."""

    def __init__(
        self, *, store: EvidenceTables, keys: KeyRing, evidence: Evidence, indexer: Indexer
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
            page = await self.page(criteria, before=before, limit=PAGE_OF_ALL, skip=True)
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


def _by_term(criteria: Criteria) -> bool:
    """Whether the index of terms says where to look."""
    sooner = criteria.exchange_id or criteria.hold_id or criteria.subjects
    return bool(criteria.term and not sooner)


def _touches(span: MonthSpan, criteria: Criteria) -> bool:
    end = instant(criteria.end).date() if criteria.end else None
    return month_after(span.month) > instant(criteria.start).date() and (
        end is None or span.month <= end
    )
