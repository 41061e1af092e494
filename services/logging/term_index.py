"""The index of terms other than the subject, and the counts of the indicators.

They are made from the evidence, behind the log, so that no append waits for them.

Contract: every entry before `size` can be found by its terms, but for those whose evidence was
altered, and is counted once, whoever does it. A step that ends early is made again from its start.
"""

import asyncio
import hmac
from collections.abc import Sequence

from services.logging.evidence import Evidence, EvidenceTables
from services.logging.evidence_model import EvidenceRow, terms
from services.logging.indicators import tally
from services.logging.sealing import KeyRing, term_key
from services.runtime.errors import CrossroadsError

TERM_MAC_SIZE = 16
CAUGHT_UP_AT_ONCE = 2000
STEP_ENTRIES = 400
IDLE_SECONDS = 0.5
PEAK_ENTRIES = 400
"""How many entries a second are indexed at most while the log grows faster than that: so much is
kept up with, and appends lose no more to it. At 2,500 an exchange cost some 5 % more processor
time in all, paid in the very peak."""


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
