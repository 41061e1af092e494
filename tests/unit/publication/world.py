"""Publication over a store in memory, and pushes to it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest
from google.protobuf.message import Message

from services.publication.catalogue import CatalogueEditor
from services.publication.files import FilesEditor
from services.publication.indicators import IndicatorsEditor
from services.publication.log import LogEditor
from services.publication.model import Collection, Snapshot
from services.publication.operations import Publication
from services.runtime.errors import CrossroadsError
from tests.support.public import AT, PublicLog, arriving, snapshot
from tests.support.publication_store import MemoryPublicationStore


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = AT

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


class World:
    """All of it."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.store = MemoryPublicationStore()
        self.clock = Clock()
        self.log = PublicLog()
        self.publication = Publication(
            store=self.store,
            editors={
                Collection.AUTHORIZATIONS: partial(FilesEditor, most=1 << 16),
                Collection.CATALOGUE: CatalogueEditor,
                Collection.INDICATORS: IndicatorsEditor,
                Collection.LOG: partial(LogEditor, verify=self.log.verify),
            },
            clock=self.clock,
            most=most,
        )

    async def push(
        self,
        collection: Collection,
        items: Sequence[Message],
        *,
        version: int = 1,
        minutes: float = 0,
        head: Snapshot | None = None,
    ) -> bool:
        """Push a snapshot, made so many minutes after AT."""
        made_at = AT + timedelta(minutes=minutes)
        head = head or snapshot(collection, items, version, made_at)
        return await self.publication.push(head, arriving(items))

    async def push_log(self, old: int, size: int, minutes: float = 0) -> bool:
        """Push the growth of the log."""
        items = self.log.items(old, size)
        return await self.push(Collection.LOG, items, version=size, minutes=minutes)

    async def refused(self, *arguments: object, **options: object) -> CrossroadsError:
        """The error of a push that must change nothing."""
        before = (dict(self.store.documents), dict(self.store.tiles), dict(self.store.shown))
        with pytest.raises(CrossroadsError) as raised:
            await self.push(*arguments, **options)  # type: ignore[arg-type]
        assert (self.store.documents, self.store.tiles, self.store.shown) == before
        return raised.value
