"""What is shown, in memory: what unit tests run on, held to PostgreSQL's contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.publication.model import Collection, Document, Snapshot
from services.runtime.errors import CrossroadsError, Reason


class MemoryPublicationStore:
    """Documents and tiles; a push works on copies."""

    def __init__(self) -> None:
        self.shown: dict[Collection, Snapshot] = {}
        self.documents: dict[str, Document] = {}
        self.tiles: dict[tuple[int, int], bytes] = {}
        self._pushing: set[Collection] = set()
        self.down = False

    @asynccontextmanager
    async def replacing(self, snapshot: Snapshot) -> AsyncIterator["MemoryTransaction"]:
        """One push of a collection at a time."""
        if snapshot.collection in self._pushing:
            raise CrossroadsError(Reason.OVERLOADED, "another push goes on", retry_after=1.0)
        self._pushing.add(snapshot.collection)
        try:
            tx = MemoryTransaction(self, snapshot)
            yield tx
            tx.commit()
        finally:
            self._pushing.discard(snapshot.collection)

    async def snapshots(self) -> list[Snapshot]:
        """What is shown."""
        if self.down:
            raise CrossroadsError(Reason.STORE_UNAVAILABLE, "down")
        return [self.shown[each] for each in sorted(self.shown)]

    async def document(self, path: str) -> Document | None:
        """The document at a path."""
        if self.down:
            raise CrossroadsError(Reason.STORE_UNAVAILABLE, "down")
        return self.documents.get(path)

    async def tile(self, level: int, index: int) -> tuple[int, bytes]:
        """The size of the log that is shown, and a tile."""
        log = self.shown.get(Collection.LOG)
        return (0 if log is None else log.version), self.tiles.get((level, index), b"")


class MemoryTransaction:
    """One push."""

    def __init__(self, store: MemoryPublicationStore, snapshot: Snapshot) -> None:
        self._store = store
        self._snapshot = snapshot
        self._documents: dict[str, Document] = {}
        self._tiles = dict(store.tiles)
        self._showing = False

    async def shown(self) -> Snapshot | None:
        """The snapshot of the collection that is shown."""
        return self._store.shown.get(self._snapshot.collection)

    async def put(self, document: Document) -> None:
        """A document of the new snapshot."""
        self._documents[document.path] = document

    async def tile(self, level: int, index: int) -> bytes:
        """A tile as it is kept."""
        return self._tiles.get((level, index), b"")

    async def put_tile(self, level: int, index: int, hashes: bytes) -> None:
        """Keep a tile."""
        self._tiles[level, index] = hashes

    async def show(self) -> None:
        """Show what was put."""
        self._showing = True

    def commit(self) -> None:
        """What ends well is seen."""
        self._store.tiles = self._tiles
        if self._showing:
            folder = f"{self._snapshot.collection}/"
            others = {
                path: each
                for path, each in self._store.documents.items()
                if not path.startswith(folder)
            }
            self._store.documents = others | self._documents
            self._store.shown[self._snapshot.collection] = self._snapshot
