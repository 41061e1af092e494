"""What is shown, in PostgreSQL. Until the transaction of a push ends, the old one is seen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.rows import TupleRow

from services.publication.model import Collection, Document, Snapshot
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Connection, Database

_LOCK = 0x7075626C  # "publ", and the place of the collection: one push of each at a time
_AT_ONCE = 64
_AT_ONCE_BYTES = 1 << 22
_SNAPSHOT = "SELECT collection, version, made_at, digest FROM snapshot"
_PUT = (
    "INSERT INTO document (path, collection, edition, etag, content) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (path) DO UPDATE SET collection = excluded.collection,"
    " edition = excluded.edition, etag = excluded.etag, content = excluded.content"
)


class PublicationStore:
    """Rows of publication."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def replacing(self, snapshot: Snapshot) -> AsyncIterator["StoreTransaction"]:
        """The one push of a collection at a time. Raises OVERLOADED while another goes on."""
        collection = snapshot.collection
        place = list(Collection).index(collection)
        async with self._database.transaction() as conn:
            rows = await conn.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCK, place))
            row = await rows.fetchone()
            if row is None or not row[0]:
                raise CrossroadsError(
                    Reason.OVERLOADED,
                    f"another push of {collection} goes on; retry when it is done",
                    retry_after=1.0,
                )
            yield StoreTransaction(conn, snapshot)

    async def snapshots(self) -> list[Snapshot]:
        """What is shown, of each collection that was pushed."""
        async with self._database.connection() as conn:
            rows = await conn.execute(f"{_SNAPSHOT} ORDER BY collection".encode())
            return [_snapshot(row) for row in await rows.fetchall()]

    async def document(self, path: str) -> Document | None:
        """The document at a path."""
        async with self._database.connection() as conn:
            rows = await conn.execute("SELECT content FROM document WHERE path = %s", (path,))
            row = await rows.fetchone()
            return None if row is None else Document(path, row[0])

    async def etag(self, path: str) -> str:
        """The validator of the document at a path, "" where there is none."""
        async with self._database.connection() as conn:
            rows = await conn.execute("SELECT etag FROM document WHERE path = %s", (path,))
            row = await rows.fetchone()
            return "" if row is None else str(row[0])

    async def tile(self, level: int, index: int) -> tuple[int, bytes]:
        """The size of the log that is shown, and the hashes of a tile; b"" for none."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT (SELECT version FROM snapshot WHERE collection = 'log'),"
                " (SELECT hashes FROM tile WHERE level = %s AND index = %s)",
                (level, index),
            )
            row = await rows.fetchone()
            assert row is not None
            return int(row[0] or 0), bytes(row[1] or b"")


class StoreTransaction:
    """What `replacing` gives."""

    def __init__(self, conn: Connection, snapshot: Snapshot) -> None:
        self._conn = conn
        self._snapshot = snapshot
        self._collection = snapshot.collection
        self._waiting: list[Document] = []
        self._bytes = 0

    async def shown(self) -> Snapshot | None:
        """The snapshot of the collection that is shown."""
        rows = await self._conn.execute(
            f"{_SNAPSHOT} WHERE collection = %s".encode(), (self._collection,)
        )
        row = await rows.fetchone()
        return None if row is None else _snapshot(row)

    async def put(self, document: Document) -> None:
        """A document of the new snapshot; they are sent some at a time."""
        self._waiting.append(document)
        self._bytes += len(document.content)
        if len(self._waiting) >= _AT_ONCE or self._bytes >= _AT_ONCE_BYTES:
            await self._send()

    async def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile as it is kept; b"" for none."""
        rows = await self._conn.execute(
            "SELECT hashes FROM tile WHERE level = %s AND index = %s", (level, index)
        )
        row = await rows.fetchone()
        return b"" if row is None else bytes(row[0])

    async def put_tile(self, level: int, index: int, hashes: bytes) -> None:
        """Keep a tile, in the place of a narrower one."""
        await self._conn.execute(
            "INSERT INTO tile (level, index, hashes) VALUES (%s, %s, %s)"
            " ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes",
            (level, index, hashes),
        )

    async def show(self) -> None:
        """Show what was put, and no other document of the collection."""
        await self._send()
        snapshot = self._snapshot
        await self._conn.execute(
            "DELETE FROM document WHERE collection = %s AND edition <> %s",
            (self._collection, snapshot.digest),
        )
        await self._conn.execute(
            "INSERT INTO snapshot (collection, version, made_at, digest) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (collection) DO UPDATE SET version = excluded.version,"
            " made_at = excluded.made_at, digest = excluded.digest",
            (snapshot.collection, snapshot.version, snapshot.made_at, snapshot.digest),
        )

    async def _send(self) -> None:
        if self._waiting:
            async with self._conn.cursor() as cursor:
                await cursor.executemany(_PUT, [self._row(each) for each in self._waiting])
        self._waiting, self._bytes = [], 0

    def _row(self, document: Document) -> tuple[str, str, bytes, str, bytes]:
        return (
            document.path,
            self._collection,
            self._snapshot.digest,
            document.etag,
            document.content,
        )


def _snapshot(row: TupleRow) -> Snapshot:
    return Snapshot(Collection(row[0]), row[1], row[2], bytes(row[3]))
