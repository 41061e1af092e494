"""The subject index, a day at a time: a Merkle root over its sorted pairs, in the log.

Contract: after each day (UTC) the root over the day's pairs (HMAC of the subject, leaf index) is
logged, so that who later takes an entry out of the index, or puts one in, can't do it unseen.

    leaf = subject_mac(32) | index(8, big-endian)      tree of RFC 6962, leaves in that order

`RootCheck` makes every root anew and compares it with what was kept and with what was logged.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, time, timedelta
from typing import Any, Protocol

import orjson

from services.logging.evidence_model import SETTLED, EvidenceRow, SubjectRoot
from services.logging.journal import Journal
from services.logging.model import EPOCH, instant, microseconds
from services.logging.retention import act_id
from services.logging.sealing import Opened
from services.proof import merkle
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError

PERIOD_SECONDS = 600.0
STEP_PAIRS = 1000
ACT = "logging.subject_root"
_LOGS_A_ROOT = f'"act":"{ACT}"'.encode()

_logger = logging.getLogger(__name__)


class PairTables(Protocol):
    """The pairs, read."""

    def subject_pairs(
        self, first: int, until: int
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[bytes, int]]]: ...


class RootTables(PairTables, Protocol):
    """The same, with the roots that were made of them."""

    async def roots(self) -> list[SubjectRoot]: ...
    async def rows_from(self, start: int, limit: int) -> list[EvidenceRow]: ...
    async def first_from(self, time: int) -> int: ...
    async def keep_root(self, root: SubjectRoot) -> None: ...


class SubjectRoots:
    """Logs the root of each day. Run `run()` as a supervised task."""

    def __init__(self, *, store: RootTables, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock

    async def run(self) -> None:
        """Look every ten minutes, for ever."""
        while True:
            try:
                await self.sweep()
            except CrossroadsError as error:
                _logger.warning("the root of the subject index is put off: %s", error.message)
            await asyncio.sleep(PERIOD_SECONDS)

    async def sweep(self) -> Sequence[SubjectRoot]:
        """Log the root of every day that is over; those that were logged now."""
        kept = await self._store.roots()
        first = kept[-1].until if kept else 0
        done = []
        while root := await self._next(first):
            done.append(root)
            first = root.until
        return done

    async def _next(self, first: int) -> SubjectRoot | None:
        """The root of the day of entry `first`, logged and kept; None while that is not over."""
        rows = await self._store.rows_from(first, 1)
        if not rows:
            return None
        day = instant(rows[0].recorded_at).date()
        end = datetime.combine(day + timedelta(days=1), time(), EPOCH.tzinfo)
        if self._clock.now() < end + SETTLED:
            return None
        until = await self._store.first_from(microseconds(end))
        pairs, root = await root_of(self._store, first, until)
        index = await self._journal.act(
            act_id("subject-root", day),
            ACT,
            by=["logging"],
            audit=said(SubjectRoot(day, first, until, pairs, root)),
        )
        made = SubjectRoot(day, first, until, pairs, root, index)
        await self._store.keep_root(made)
        return made


async def root_of(store: PairTables, first: int, until: int) -> tuple[int, bytes]:
    """How many pairs the entries [first, until) have in the subject index, and their root."""
    tree = merkle.Tree()
    leaves: list[bytes] = []
    async with store.subject_pairs(first, until) as pairs:
        async for mac, index in pairs:
            leaves.append(merkle.leaf_hash(pair_of(mac, index)))
            if len(leaves) == STEP_PAIRS:
                tree.append(leaves)
                leaves.clear()
                await asyncio.sleep(0)  # appends go first
    tree.append(leaves)
    return tree.size, tree.root()


class RootCheck:
    """The same roots, made again while somebody goes through the log (fsck).

    Each method gives what is not as it was logged, in words; "" when all is well.
    """

    def __init__(self, roots: Sequence[SubjectRoot]) -> None:
        """`roots`: those that were kept, oldest first."""
        self._days = deque(roots)
        self._kept = {root.day.isoformat(): root for root in roots}
        self._named = {root.index for root in roots}
        self._unkept: list[str] = []
        self._pairs: list[bytes] = []  # of a day: millions
        self._first = 0

    def entry(self, index: int, macs: Sequence[bytes], opened: Opened | None) -> str:
        """Take the next entry, the macs that index it, and what it says unless it was erased."""
        if self._days:
            self._pairs += [pair_of(mac, index) for mac in macs]
        self._named.discard(index)
        if opened is not None and _LOGS_A_ROOT in opened.party:
            audit = orjson.loads(opened.audit)
            root = self._kept.get(audit["day"])
            if root is None:
                self._unkept.append(audit["day"])
            elif audit != said(root):
                return f"subject_root of {root.day}: is not what entry {index} says"
        if self._days and self._days[0].until == index + 1:
            return self._day(self._days.popleft())
        return ""

    def end(self) -> str:
        """After the last entry."""
        if self._days or self._named:
            return "subject_root: names entries that are not there"
        # The newest may have been logged a moment ago, and be kept the next.
        for day in self._unkept:
            if day < max(self._kept, default="") or len(self._unkept) > 1:
                return f"subject_root of {day}: was logged, and is not kept"
        return ""

    def _day(self, root: SubjectRoot) -> str:
        where = f"subject_root of {root.day}"
        if root.first != self._first:
            return f"{where}: begins at entry {root.first}, the day before ended at {self._first}"
        tree = merkle.Tree()
        tree.append([merkle.leaf_hash(pair) for pair in sorted(self._pairs)])
        self._pairs.clear()
        self._first = root.until
        if (tree.size, tree.root()) != (root.pairs, root.root):
            return f"{where}: the index has another root than was logged"
        return ""


def pair_of(mac: bytes, index: int) -> bytes:
    """A pair as its leaf holds it; they sort as pairs do."""
    return mac + index.to_bytes(8, "big")


def said(root: SubjectRoot) -> dict[str, Any]:
    """The audit section of the entry that logs a root."""
    return {
        "day": root.day.isoformat(),
        "first": root.first,
        "pairs": root.pairs,
        "root": root.root.hex(),
        "until": root.until,
    }
