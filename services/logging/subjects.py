"""The subject index, a day at a time: a Merkle root over its sorted pairs, in the log.

Contract: after each day (UTC) the root over the day's pairs (HMAC of the subject, leaf index) is
logged, so that who later takes an entry out of the index, or puts one in, can't do it unseen.

    leaf = subject_mac(32) | index(8, big-endian)      tree of RFC 6962, leaves in that order

`check` makes every root anew and compares it with what was kept and with what was logged.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from services.logging.evidence_model import EvidenceRow, SubjectRoot
from services.logging.journal import Journal
from services.logging.model import EPOCH, instant, microseconds
from services.logging.retention import act_id
from services.proof import merkle
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError

PERIOD_SECONDS = 600.0
SETTLED = timedelta(minutes=5)
"""How long after midnight the last entry of a day has surely arrived."""

STEP_PAIRS = 1000
ACT = "logging.subject_root"

_logger = logging.getLogger(__name__)


class PairTables(Protocol):
    """The pairs and their roots, read."""

    def subject_pairs(
        self, first: int, until: int
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[bytes, int]]]: ...
    async def roots(self) -> list[SubjectRoot]: ...


class RootTables(PairTables, Protocol):
    """The same, and what is needed to make new ones."""

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
            leaves.append(merkle.leaf_hash(mac + index.to_bytes(8, "big")))
            if len(leaves) == STEP_PAIRS:
                tree.append(leaves)
                leaves.clear()
                await asyncio.sleep(0)  # appends go first
    tree.append(leaves)
    return tree.size, tree.root()


async def check(
    store: PairTables, logged: Callable[[int], Awaitable[Mapping[str, Any] | None]]
) -> AsyncIterator[str]:
    """What is not as it was logged, day by day, in words; nothing when all is well.

    `logged` gives the audit section of the entry at an index, None where it was erased.
    """
    first = 0
    for root in await store.roots():
        where = f"subject_root of {root.day}"
        if root.first != first:
            yield f"{where}: begins at entry {root.first}, the day before ends at {first}"
        first = root.until
        audit = await logged(root.index)
        if audit is not None and dict(audit) != said(root):
            yield f"{where}: is not what entry {root.index} says"
        pairs, again = await root_of(store, root.first, root.until)
        if (pairs, again) != (root.pairs, root.root):
            yield (
                f"{where}: the index has {pairs} pairs and another root; {root.pairs} were logged"
            )


def said(root: SubjectRoot) -> dict[str, Any]:
    """The audit section of the entry that logs a root."""
    return {
        "day": root.day.isoformat(),
        "first": root.first,
        "pairs": root.pairs,
        "root": root.root.hex(),
        "until": root.until,
    }
