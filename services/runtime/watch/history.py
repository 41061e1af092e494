"""Reading a watched table from its database: the head, what came since, and any earlier state.

Long reads go through a cursor on the server, part by part, so that the event loop goes on.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg

from services.runtime.watch.rows import YIELD_ROWS, Change, Version

_FETCH = 2 * YIELD_ROWS


class Database(Protocol):
    """What a watched table needs of services.runtime.postgres.Database: the primary, no replica."""

    def connection(self) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        """A connection for single statements."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        """A connection in a transaction that commits when the block ends well."""
        ...


@dataclass(frozen=True)
class VersionedChange:
    """One row of one version, as the history holds it."""

    version: int
    recorded_at: datetime
    change: Change


class History:
    """The committed versions of one watched table."""

    def __init__(self, *, name: str, database: Database) -> None:
        self._name = name
        self._database = database

    async def head(self) -> Version:
        """The newest committed version; 0 where nothing was ever published."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT version, recorded_at FROM watch_head WHERE name = %s", (self._name,)
            )
            return _version(await cursor.fetchone())

    async def known_at(self, instant: datetime) -> Version:
        """The newest version recorded at or before `instant` (aware)."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT version, recorded_at FROM watch_version"
                " WHERE name = %s AND recorded_at <= %s ORDER BY recorded_at DESC LIMIT 1",
                (self._name, instant),
            )
            return _version(await cursor.fetchone())

    async def version(self, version: int) -> Version:
        """That version with its instant; raises LookupError if it was never committed."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT version, recorded_at FROM watch_version WHERE name = %s AND version = %s",
                (self._name, version),
            )
            row = await cursor.fetchone()
        if row is None and version != 0:
            raise LookupError(f"{self._name} has no version {version}")
        return _version(row)

    async def changes(self, after: int, until: int) -> AsyncGenerator[VersionedChange, None]:
        """Every change of the versions after `after` up to `until`, in the order of versions."""
        query = (
            "SELECT row.version, head.recorded_at, row.key, row.value"
            " FROM watch_row AS row JOIN watch_version AS head USING (name, version)"
            " WHERE row.name = %s AND row.version > %s AND row.version <= %s"
            " ORDER BY row.version, row.key"
        )
        async for version, recorded_at, key, value in self._stream(
            query, (self._name, after, until)
        ):
            yield VersionedChange(version, recorded_at.astimezone(UTC), Change(key, value))

    async def rows(self, version: int) -> AsyncGenerator[tuple[str, bytes], None]:
        """The rows that were there at `version`."""
        query = (
            "SELECT key, value FROM ("
            " SELECT DISTINCT ON (key) key, value FROM watch_row"
            " WHERE name = %s AND version <= %s ORDER BY key, version DESC"
            ") AS newest WHERE value IS NOT NULL"
        )
        async for key, value in self._stream(query, (self._name, version)):
            yield key, value

    async def _stream(self, query: str, parameters: tuple[Any, ...]) -> AsyncGenerator[Any, None]:
        async with (
            self._database.transaction() as conn,
            psycopg.AsyncServerCursor(conn, "watch") as cursor,
        ):
            await cursor.execute(query.encode(), parameters, binary=True)
            while rows := await cursor.fetchmany(_FETCH):
                for row in rows:
                    yield row


def _version(row: Any) -> Version:
    if row is None:
        return Version(version=0, recorded_at=None)
    return Version(version=row[0], recorded_at=row[1].astimezone(UTC))
