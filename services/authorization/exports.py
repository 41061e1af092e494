"""The publication handed out: every file of an edition, its digest in the log beforehand.

Contract: the files are rendered twice, once for their hashes and once to be sent, so that a large
sector takes no memory; the same edition gives the same bytes. The event loop goes on between them.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple, Protocol

from services.authorization.decisions import Current
from services.authorization.model import Deliberation
from services.authorization.pages import pages
from services.authorization.publication import DATA_SET, Edition, Names, data_set, digest
from services.runtime.clock import Clock
from services.runtime.ids import Ids

DELIBERATIONS_AT_ONCE = 200


class Store(Protocol):
    """Where deliberations are kept."""

    async def published(self, before: tuple[str, str], limit: int) -> list[Deliberation]:
        """Published deliberations without grants, newest first, before (instant, number)."""
        ...


class Registry(Protocol):
    """What registry says of names."""

    async def names(self) -> Names:
        """What people call institutions, services and data elements, and who answers."""
        ...


class Journal(Protocol):
    """The log. Raises LOG_UNAVAILABLE where it can't be known that the entry is durable."""

    async def exported(self, act_id: bytes, by: str, edition: Edition, digest: bytes) -> int:
        """Log an edition with the digest of its files; its index."""
        ...


class Export(NamedTuple):
    """An edition that is in the log."""

    edition: Edition
    digest: bytes
    log_index: int


class Exports:
    """The use cases of who brings the publication to the public."""

    def __init__(
        self,
        *,
        store: Store,
        current: Current,
        registry: Registry,
        journal: Journal,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._current = current
        self._registry = registry
        self._journal = journal
        self._clock = clock
        self._ids = ids

    async def export(self, by: str, unless_version: int = 0) -> Export | None:
        """Make an edition of the newest version, and log it; None where it is `unless_version`.

        Nothing was published yet in version 0: an act of it could come before the log's genesis.
        """
        self._current.require()
        if self._current.table.version == unless_version:
            return None
        edition = await self._edition()
        hashes: dict[str, bytes] = {}
        async for path, content in files(edition):
            hashes[path] = hashlib.sha256(content).digest()
        whole = digest(hashes)
        index = await self._journal.exported(self._ids.uuid().bytes, by, edition, whole)
        return Export(edition, whole, index)

    async def _edition(self) -> Edition:
        names = await self._registry.names()
        deliberations = await self._deliberations()
        self._current.require()
        table, recorded_at = self._current.table, self._current.recorded_at
        now = self._clock.now()
        return Edition(
            version=table.version,
            digest=table.digest,
            recorded_at=recorded_at,
            at=now,
            # One that was published since has no row in this table yet.
            deliberations=[each.standing(now) for each in deliberations if _by(each, recorded_at)],
            grants=sorted(table, key=lambda row: (row.deliberation, _place(row.id))),
            names=names,
        )

    async def _deliberations(self) -> list[Deliberation]:
        found: list[Deliberation] = []
        before = ("infinity", "")
        while True:
            page = await self._store.published(before, DELIBERATIONS_AT_ONCE)
            found += page
            if len(page) < DELIBERATIONS_AT_ONCE:
                return found
            last = page[-1]
            assert last.published_at is not None
            before = (last.published_at.isoformat(), last.number)


async def files(edition: Edition) -> AsyncIterator[tuple[str, bytes]]:
    """Every file by path, the data set first."""
    yield DATA_SET, data_set(edition)
    for page in pages(edition):
        await asyncio.sleep(0)
        yield page


def _by(one: Deliberation, at: datetime | None) -> bool:
    return one.published_at is not None and at is not None and one.published_at <= at


def _place(row_id: str) -> int:
    return int(row_id.rpartition("#")[2])
