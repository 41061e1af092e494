"""One state of a log's tables, read in one transaction that can't write: what fsck looks at.

Contract: rows come in the order of the log. Everything is of one instant (REPEATABLE READ), also
while the log grows. Needs no more than SELECT.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection, DataError
from psycopg.rows import TupleRow

from services.logging.evidence_model import Deferral, Erasure, Hold, SubjectRoot
from services.logging.model import (
    Checkpoint,
    DataKey,
    DifferenceError,
    EntryId,
    Marks,
    ReceiptKey,
    RetentionClass,
    microseconds,
)
from services.proof.record import Kind

ROWS_AT_ONCE = 2000
_ERASURES = (
    "SELECT e.data_key_id, k.retention_class, k.month, e.erased_at, e.final_at, e.index,"
    " e.final_index FROM erasure e JOIN data_key k ON k.data_key_id = e.data_key_id"
    " ORDER BY e.index"
)
Connection = AsyncConnection[TupleRow]


class HeadRow(NamedTuple):
    """The head of the log; `recorded_at` in microseconds since 1970."""

    log_id: int
    size: int
    recorded_at: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One row of `entry`."""

    index: int
    id: EntryId
    recorded_at: int
    deadline: int | None
    data_key_id: int
    leaf_hash: bytes
    evidence: bytes


@dataclass(frozen=True, slots=True)
class RecentRow:
    """One row of `recent_entry`."""

    index: int
    id: EntryId
    nonce: bytes
    question_mac: bytes


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """One row of `subject_entry`."""

    index: int
    data_key_id: int
    subject_mac: bytes


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One row of `held_entry`."""

    index: int
    hold_id: UUID
    evidence: bytes


@dataclass(frozen=True, slots=True)
class TermRow:
    """One row of `term_entry`."""

    index: int
    term_mac: bytes


@dataclass(frozen=True, slots=True)
class ActTables:
    """The rows; `alone`: no other log is in the same database, so that every erasure is this one's.

    `indexed`: every entry before it is found by its terms.
    """

    erasures: Sequence[Erasure] = ()
    holds: Sequence[Hold] = ()
    deferrals: Sequence[Deferral] = ()
    indexed: int = 0
    alone: bool = True


class Snapshot:
    """The tables of one log. Make it with `open_snapshot`."""

    def __init__(self, *, conn: Connection, head: HeadRow | None) -> None:
        self._conn = conn
        self._log_id = head.log_id if head else 0
        self._head = head

    async def head(self) -> HeadRow | None:
        """The log's head; None when the database knows no log of that origin."""
        return self._head

    async def checkpoint(self) -> Checkpoint | None:
        """What was published last."""
        row = await self._one("SELECT size, root, note FROM published_checkpoint WHERE log_id = %s")
        return Checkpoint(row[0], bytes(row[1]), row[2]) if row else None

    async def data_keys(self) -> list[DataKey]:
        """Every wrapped key."""
        rows = await self._conn.execute(
            "SELECT data_key_id, retention_class, month::text, transit_key, wrapped FROM data_key"
            " ORDER BY data_key_id"
        )
        return [DataKey(row[0], _class(row[1]), row[2], row[3], row[4]) async for row in rows]

    async def receipt_keys(self) -> list[ReceiptKey]:
        """Every key that signs or signed receipts, in the order of the log."""
        rows = await self._conn.execute(
            "SELECT index, public_key FROM receipt_key WHERE log_id = %s ORDER BY index",
            (self._log_id,),
        )
        return [ReceiptKey(row[0], bytes(row[1])) async for row in rows]

    async def marks(self) -> Marks:
        """How far the sweeper came."""
        row = await self._one("SELECT closed, forgotten FROM sweep WHERE log_id = %s")
        return Marks(*row) if row else Marks(0, 0)

    async def subject_roots(self) -> list[SubjectRoot]:
        """The daily roots of the subject index, oldest first."""
        rows = await self._conn.execute(
            "SELECT day, first, until, pairs, root, index FROM subject_root"
            " WHERE log_id = %s ORDER BY first, day",
            (self._log_id,),
            binary=True,
        )
        return [SubjectRoot(*row) async for row in rows]

    async def act_tables(self) -> ActTables:
        """What stands beside the log: erasures, holds, deferrals, how far terms are indexed."""
        logs = await self._one("SELECT count(*) FROM log_head WHERE log_id IS DISTINCT FROM %s")
        size = await self._one("SELECT size FROM term_index WHERE log_id = %s")
        return ActTables(
            erasures=[Erasure(*row) for row in await self._all(_ERASURES)],
            holds=[
                Hold(*row)
                for row in await self._all(
                    "SELECT hold_id, index, placed_at, transit_key, wrapped, released_at FROM hold"
                    " WHERE log_id = %s ORDER BY index",
                    self._log_id,
                )
            ],
            deferrals=[
                Deferral(*row)
                for row in await self._all(
                    "SELECT deferral_id, index, until FROM deferral WHERE log_id = %s"
                    " ORDER BY index",
                    self._log_id,
                )
            ],
            indexed=size[0] if size else 0,
            alone=logs is not None and logs[0] == 0,
        )

    async def held(self) -> AsyncGenerator[HeldRow, None]:
        """Evidence that is kept under the keys of holds."""
        query = "SELECT index, hold_id, evidence FROM held_entry WHERE log_id = %s ORDER BY index"
        async with aclosing(self._stream("held_entry", query)) as found:
            async for row in found:
                yield HeldRow(*row)

    async def terms(self) -> AsyncGenerator[TermRow, None]:
        """The index of terms other than the subject."""
        query = "SELECT index, term_mac FROM term_entry WHERE log_id = %s ORDER BY index"
        async with aclosing(self._stream("term_entry", query)) as found:
            async for row in found:
                yield TermRow(*row)

    async def _all(self, query: LiteralString, *parameters: int) -> list[TupleRow]:
        try:
            return await (await self._conn.execute(query, parameters)).fetchall()
        except DataError as error:
            raise DifferenceError(
                f"hold, deferral, erasure: a row can't be read: {error}"
            ) from None

    async def acts(self, ids: Sequence[bytes]) -> set[bytes]:
        """Those of these ids under which an act stands, in any log of this database."""
        rows = await self._conn.execute(
            "SELECT e.exchange_id FROM log_head h JOIN entry e ON e.log_id = h.log_id"
            " WHERE e.exchange_id = ANY (%s) AND e.kind = %s",
            ([UUID(bytes=each) for each in ids], Kind.ADMINISTRATIVE),
        )
        return {row[0].bytes async for row in rows}

    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        """Full tiles [start, end) of a level, by their index."""
        rows = await self._conn.execute(
            "SELECT index, hashes FROM tile"
            " WHERE log_id = %s AND level = %s AND index >= %s AND index < %s",
            (self._log_id, level, start, end),
            binary=True,
        )
        return {row[0]: row[1] async for row in rows}

    async def tile_count(self) -> int:
        """How many tiles are stored, on all levels."""
        row = await self._one("SELECT count(*) FROM tile WHERE log_id = %s")
        assert row is not None
        return int(row[0])

    async def entries(self) -> AsyncGenerator[EntryRow, None]:
        """Every entry."""
        query = (
            "SELECT index, exchange_id, kind, attempt, recorded_at, deadline, data_key_id,"
            " leaf_hash, evidence FROM entry WHERE log_id = %s ORDER BY index"
        )
        async with aclosing(self._stream("entry", query)) as found:
            async for row in found:
                yield EntryRow(
                    row[0],
                    EntryId(row[1].bytes, row[2], row[3]),
                    microseconds(row[4]),
                    None if row[5] is None else microseconds(row[5]),
                    row[6],
                    row[7],
                    row[8],
                )

    async def recent(self) -> AsyncGenerator[RecentRow, None]:
        """Entry ids that may not be used again yet."""
        query = (
            "SELECT index, exchange_id, kind, attempt, nonce, question_mac FROM recent_entry"
            " WHERE log_id = %s ORDER BY index"
        )
        async with aclosing(self._stream("recent_entry", query)) as found:
            async for row in found:
                yield RecentRow(row[0], EntryId(row[1].bytes, row[2], row[3]), row[4], row[5])

    async def subjects(self) -> AsyncGenerator[SubjectRow, None]:
        """The subject index."""
        query = (
            "SELECT index, data_key_id, subject_mac FROM subject_entry"
            " WHERE log_id = %s ORDER BY index"
        )
        async with aclosing(self._stream("subject_entry", query)) as found:
            async for row in found:
                yield SubjectRow(*row)

    async def _one(self, query: str) -> TupleRow | None:
        return await (await self._conn.execute(query, (self._log_id,))).fetchone()

    async def _stream(self, name: str, query: str) -> AsyncGenerator[TupleRow, None]:
        async with self._conn.cursor(name=name) as cursor:
            cursor.itersize = ROWS_AT_ONCE
            await cursor.execute(query, (self._log_id,), binary=True)
            try:
                async for row in cursor:
                    yield row
            except DataError as error:  # a time after the year 9999, say
                raise DifferenceError(f"{name}: a row can't be read: {error}") from None


@asynccontextmanager
async def open_snapshot(conn: Connection, origin: str) -> AsyncIterator[Snapshot]:
    """The state of the log of that origin, as of now, for as long as the context lasts."""
    async with conn.transaction(force_rollback=True):
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Sorting a large table takes its time, and nothing waits for this transaction.
        await conn.execute("SET LOCAL statement_timeout = 0")
        await conn.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        rows = await conn.execute(
            "SELECT log_id, size, recorded_at FROM log_head WHERE origin = %s", (origin,)
        )
        row = await rows.fetchone()
        head = HeadRow(row[0], row[1], microseconds(row[2])) if row else None
        yield Snapshot(conn=conn, head=head)


def _class(name: Any) -> RetentionClass:
    """A retention class; one that does not exist is left as it is, for fsck to name."""
    try:
        return RetentionClass(name)
    except ValueError:
        return name  # type: ignore[no-any-return] # compared and shown, nothing more
