"""The log's tables, read; and the writes that are not entries: keys, tiles, checkpoints.

Entries are written by `services.logging.writer` alone.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from services.logging.model import (
    OUTCOMES,
    Checkpoint,
    DataKey,
    EntryId,
    LoggedEntry,
    Marks,
    OpenRequest,
    ReceiptKey,
    RetentionClass,
    microseconds,
)
from services.logging.tree import FullTile
from services.logging.writer import LogWriter, open_writer
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Database

RECEIPT_KEYS = 100
"""How many receipt keys are shown, newest first: one for each start."""

_DATA_KEY = "SELECT data_key_id, retention_class, month::text, transit_key, wrapped FROM data_key"

# The outcome is looked up by the key of recent_entry: no entry is written, or indexed, for it.
_OPEN_REQUESTS = """
SELECT e.index, e.exchange_id, e.attempt, e.deadline, e.leaf_hash, e.data_key_id, e.evidence
FROM entry e
WHERE e.log_id = %s AND e.index >= %s AND e.kind = %s AND NOT EXISTS (
    SELECT FROM recent_entry o
    WHERE o.log_id = e.log_id AND o.exchange_id = e.exchange_id
      AND o.kind = ANY (%s::int2[]) AND o.attempt = e.attempt)
ORDER BY e.index LIMIT %s
"""


class LogStore:
    """One log's rows. Make it with `open`, which registers the log under its origin."""

    def __init__(self, *, database: Database, log_id: int, commit_seconds: float) -> None:
        self._database = database
        self._log_id = log_id
        self._commit_seconds = commit_seconds

    @classmethod
    async def open(
        cls, database: Database, origin: str, *, commit_seconds: float = 3.0
    ) -> "LogStore":
        """The log of that origin, made when there is none. `commit_seconds`: see `open_writer`."""
        async with database.transaction() as conn:
            await conn.execute(
                "INSERT INTO log_head (origin) VALUES (%s) ON CONFLICT (origin) DO NOTHING",
                (origin,),
            )
            rows = await conn.execute("SELECT log_id FROM log_head WHERE origin = %s", (origin,))
            row = await rows.fetchone()
            assert row is not None
            await conn.execute(
                "INSERT INTO published_checkpoint (log_id, size, root, note, published_at)"
                " VALUES (%s, 0, '', '', 'epoch') ON CONFLICT (log_id) DO NOTHING",
                (row[0],),
            )
        return cls(database=database, log_id=row[0], commit_seconds=commit_seconds)

    @property
    def database(self) -> Database:
        """Where the log's rows are."""
        return self._database

    @property
    def log_id(self) -> int:
        """The number under which the log's rows stand."""
        return self._log_id

    def writer(self, epoch: int | None = None) -> AbstractAsyncContextManager[LogWriter]:
        """A session of the sequencer (`open_writer`)."""
        return open_writer(
            self._database, self._log_id, epoch=epoch, commit_seconds=self._commit_seconds
        )

    # ---- the tree

    async def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """The leaf hashes of [start, end), in order; fewer when the log ends before."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT leaf_hash FROM entry"
                " WHERE log_id = %s AND index >= %s AND index < %s ORDER BY index",
                (self._log_id, start, end),
                binary=True,
            )
            return [row[0] for row in await rows.fetchall()]

    async def recorded_at(self, index: int) -> int | None:
        """When the entry at `index` was recorded; None when there is none."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT recorded_at FROM entry WHERE log_id = %s AND index = %s",
                (self._log_id, index),
            )
            row = await rows.fetchone()
            return microseconds(row[0]) if row else None

    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        """Full tiles [start, end) of a level, by their index."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT index, hashes FROM tile"
                " WHERE log_id = %s AND level = %s AND index >= %s AND index < %s",
                (self._log_id, level, start, end),
                binary=True,
            )
            return {row[0]: row[1] for row in await rows.fetchall()}

    async def keep_tiles(self, tiles: Sequence[FullTile]) -> None:
        """Keep full tiles; those that are kept already stay."""
        async with self._database.connection() as conn:
            await conn.execute(
                "INSERT INTO tile (log_id, level, index, hashes)"
                " SELECT %s, t.* FROM unnest(%b::int2[], %b::int8[], %b::bytea[]) AS t"
                " ON CONFLICT DO NOTHING",
                (
                    self._log_id,
                    [tile.level for tile in tiles],
                    [tile.index for tile in tiles],
                    [tile.hashes for tile in tiles],
                ),
            )

    # ---- checkpoints and receipt keys

    async def checkpoint(self) -> Checkpoint:
        """The newest published checkpoint; size 0 and no note before the first."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT size, root, note FROM published_checkpoint WHERE log_id = %s",
                (self._log_id,),
                binary=True,
            )
            row = await rows.fetchone()
            assert row is not None
            return Checkpoint(*row)

    async def publish(self, checkpoint: Checkpoint, at: datetime) -> bool:
        """Publish, unless a checkpoint of that size or larger was published: then False."""
        async with self._database.connection() as conn:
            done = await conn.execute(
                "UPDATE published_checkpoint SET size = %s, root = %s, note = %s, published_at = %s"
                " WHERE log_id = %s AND size < %s",
                (
                    checkpoint.size,
                    checkpoint.root,
                    checkpoint.note,
                    at,
                    self._log_id,
                    checkpoint.size,
                ),
            )
            return done.rowcount == 1

    async def cosign(self, checkpoint: Checkpoint) -> None:
        """Replace the note of the published checkpoint, if it still is of that size and root."""
        async with self._database.connection() as conn:
            await conn.execute(
                "UPDATE published_checkpoint SET note = %s"
                " WHERE log_id = %s AND size = %s AND root = %s",
                (checkpoint.note, self._log_id, checkpoint.size, checkpoint.root),
            )

    async def keep_receipt_key(self, key: ReceiptKey) -> None:
        """Remember which leaf holds a key that signs receipts."""
        async with self._database.connection() as conn:
            await conn.execute(
                "INSERT INTO receipt_key (log_id, index, public_key) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (self._log_id, key.index, key.public_key),
            )

    async def receipt_keys(self) -> list[ReceiptKey]:
        """The newest keys that sign or signed receipts, newest first."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT index, public_key FROM receipt_key"
                " WHERE log_id = %s ORDER BY index DESC LIMIT %s",
                (self._log_id, RECEIPT_KEYS),
                binary=True,
            )
            return [ReceiptKey(*row) for row in await rows.fetchall()]

    # ---- data keys

    async def find_data_key(self, retention: RetentionClass, month: str) -> DataKey | None:
        """The key of a class and month (YYYY-MM-01)."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                f"{_DATA_KEY} WHERE retention_class = %s AND month = %s", (retention, month)
            )
            row = await rows.fetchone()
            return _data_key(row) if row else None

    async def get_data_key(self, data_key_id: int) -> DataKey:
        """The key of that id. Raises NOT_FOUND."""
        async with self._database.connection() as conn:
            rows = await conn.execute(f"{_DATA_KEY} WHERE data_key_id = %s", (data_key_id,))
            row = await rows.fetchone()
            if row is None:
                raise CrossroadsError(Reason.NOT_FOUND, "no such data key")
            return _data_key(row)

    async def keep_data_key(
        self, retention: RetentionClass, month: str, transit_key: str, wrapped: str
    ) -> DataKey:
        """Keep a new key, unless another was kept for that class and month: then that one."""
        async with self._database.connection() as conn:
            await conn.execute(
                "INSERT INTO data_key (retention_class, month, transit_key, wrapped)"
                " VALUES (%s, %s, %s, %s) ON CONFLICT (retention_class, month) DO NOTHING",
                (retention, month, transit_key, wrapped),
            )
        kept = await self.find_data_key(retention, month)
        assert kept is not None
        return kept

    # ---- entries

    async def find_exchange(self, exchange_id: bytes) -> list[LoggedEntry]:
        """The entries of one exchange, in the order of the log."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT index, exchange_id, kind, attempt, leaf_hash, recorded_at FROM entry"
                " WHERE log_id = %s AND exchange_id = %s ORDER BY index",
                (self._log_id, UUID(bytes=exchange_id)),
            )
            return [
                LoggedEntry(
                    index=row[0],
                    id=EntryId(row[1].bytes, row[2], row[3]),
                    leaf_hash=bytes(row[4]),
                    recorded_at=microseconds(row[5]),
                )
                async for row in rows
            ]

    async def find_subject(self, data_key_id: int, subject_mac: bytes, limit: int) -> list[int]:
        """Leaf indices of a subject in one class and month, newest first."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT index FROM subject_entry WHERE log_id = %s AND subject_mac = %s"
                " AND data_key_id = %s ORDER BY index DESC LIMIT %s",
                (self._log_id, subject_mac, data_key_id, limit),
            )
            return [row[0] for row in await rows.fetchall()]

    async def open_requests(self, start: int, limit: int) -> list[OpenRequest]:
        """Requests from index `start` that have no outcome, in the order of the log."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                _OPEN_REQUESTS, (self._log_id, start, Kind.REQUEST, [*OUTCOMES], limit)
            )
            return [
                OpenRequest(
                    index=row[0],
                    id=EntryId(row[1].bytes, Kind.REQUEST, row[2]),
                    deadline=microseconds(row[3]),
                    leaf_hash=bytes(row[4]),
                    data_key_id=row[5],
                    evidence=bytes(row[6]),
                )
                async for row in rows
            ]

    async def marks(self) -> Marks:
        """How far the sweeper came."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT closed, forgotten FROM sweep WHERE log_id = %s", (self._log_id,)
            )
            row = await rows.fetchone()
            return Marks(*row) if row else Marks(0, 0)

    async def keep_marks(self, marks: Marks) -> None:
        """Remember how far the sweeper came; marks never go back."""
        async with self._database.connection() as conn:
            await conn.execute(
                "INSERT INTO sweep AS s (log_id, closed, forgotten) VALUES (%s, %s, %s)"
                " ON CONFLICT (log_id) DO UPDATE SET"
                " closed = greatest(s.closed, excluded.closed),"
                " forgotten = greatest(s.forgotten, excluded.forgotten)",
                (self._log_id, marks.closed, marks.forgotten),
            )

    async def forget(self, start: int, end: int) -> int:
        """Forget the entry ids of [start, end), so that they may be used again; how many."""
        async with self._database.connection() as conn:
            done = await conn.execute(
                "DELETE FROM recent_entry r USING entry e"
                " WHERE e.log_id = %s AND e.index >= %s AND e.index < %s"
                " AND r.log_id = e.log_id AND r.exchange_id = e.exchange_id"
                " AND r.kind = e.kind AND r.attempt = e.attempt AND r.index = e.index",
                (self._log_id, start, end),
            )
            return done.rowcount


def _data_key(row: tuple[Any, ...]) -> DataKey:
    return DataKey(row[0], RetentionClass(row[1]), row[2], row[3], row[4])
