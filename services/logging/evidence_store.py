"""The log's tables about evidence: entries to open, where to look, what was erased or is held.

Contract: writes nothing that is an entry. Lists of indices come newest first.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from services.logging.evidence_model import (
    Deferral,
    Erasure,
    EvidenceRow,
    Hold,
    MonthSpan,
    SubjectRoot,
)
from services.logging.indicators import Counted
from services.logging.model import RetentionClass, instant, microseconds
from services.proof.record import Kind
from services.runtime.postgres import Database

PAIRS_AT_ONCE = 2000
SORT_SECONDS = 600

_ROW = (
    "SELECT index, exchange_id, kind, attempt, recorded_at, leaf_hash, data_key_id, evidence"
    " FROM entry WHERE log_id = %s AND index"
)

# One look into the index for each key, each of them short: a person's years are many keys.
_LOOK = """
SELECT DISTINCT f.index FROM unnest(%b::bytea[]) AS k(mac) CROSS JOIN LATERAL (
    SELECT index FROM {table} WHERE log_id = %b AND {column} = k.mac
        AND index >= %b AND index < %b ORDER BY index DESC LIMIT %b) f
ORDER BY f.index DESC LIMIT %b
"""
_SUBJECTS = _LOOK.format(table="subject_entry", column="subject_mac")
_TERMS = _LOOK.format(table="term_entry", column="term_mac")

_ERASURES = (
    "SELECT e.data_key_id, k.retention_class, k.month, e.erased_at, e.final_at, e.index,"
    " e.final_index FROM erasure e JOIN data_key k USING (data_key_id)"
)

# By the id that the act bears, so that a row counts from the moment at which its act is durable.
_HOLDS = """
SELECT hold_id, e.index, placed_at, transit_key, wrapped, released_at
FROM hold h JOIN entry e ON e.log_id = h.log_id AND e.exchange_id = h.hold_id AND e.kind = %s
WHERE h.log_id = %s ORDER BY placed_at, hold_id
"""
_DEFERRALS = """
SELECT deferral_id, e.index, until
FROM deferral d JOIN entry e ON e.log_id = d.log_id AND e.exchange_id = d.deferral_id
    AND e.kind = %s
WHERE d.log_id = %s ORDER BY e.index
"""


class EvidenceStore:
    """One log's evidence."""

    def __init__(self, *, database: Database, log_id: int) -> None:
        self._database = database
        self._log_id = log_id

    # ---- entries

    async def rows(self, indices: Sequence[int]) -> list[EvidenceRow]:
        """Those entries, newest first."""
        async with self._database.connection() as conn:
            found = await conn.execute(
                f"{_ROW} = ANY (%s) ORDER BY index DESC",
                (self._log_id, list(indices)),
                binary=True,  # evidence in hexadecimal takes longer than looking it up
            )
            return [_row(each) async for each in found]

    async def rows_from(self, start: int, limit: int) -> list[EvidenceRow]:
        """The entries from `start` on, in the order of the log."""
        async with self._database.connection() as conn:
            found = await conn.execute(
                f"{_ROW} >= %s ORDER BY index LIMIT %s",
                (self._log_id, start, limit),
                binary=True,
            )
            return [_row(each) async for each in found]

    async def size(self) -> int:
        """How many entries are durable."""
        return int(await self._value("SELECT size FROM log_head WHERE log_id = %s", self._log_id))

    async def first_from(self, time: int) -> int:
        """The first index recorded at `time` (microseconds) or later: times never go back."""
        start, end = 0, await self.size()
        async with self._database.connection() as conn:
            while start < end:
                middle = (start + end) // 2
                rows = await conn.execute(
                    "SELECT recorded_at < %s FROM entry WHERE log_id = %s AND index = %s",
                    (instant(time), self._log_id, middle),
                )
                row = await rows.fetchone()
                if row is not None and row[0]:
                    start = middle + 1
                else:
                    end = middle
        return start

    async def indices_of_exchange(self, exchange_id: bytes) -> list[int]:
        """The entries of one exchange or act."""
        return await self._indices(
            "SELECT index FROM entry WHERE log_id = %s AND exchange_id = %s ORDER BY index DESC",
            self._log_id,
            UUID(bytes=exchange_id),
        )

    # ---- the indices

    async def by_subject(
        self, macs: Sequence[bytes], start: int, before: int, limit: int
    ) -> list[int]:
        """Entries in [start, before) that stand under one of these keys of the subject index."""
        return await self._look(_SUBJECTS, macs, start, before, limit)

    async def by_term(
        self, macs: Sequence[bytes], start: int, before: int, limit: int
    ) -> list[int]:
        """Entries in [start, before) that stand under one of these terms."""
        return await self._look(_TERMS, macs, start, before, limit)

    async def term_index_size(self) -> int:
        """Every entry before this one can be found by its terms."""
        found = await self._value("SELECT size FROM term_index WHERE log_id = %s", self._log_id)
        return int(found or 0)

    async def keep_terms(
        self,
        start: int,
        size: int,
        pairs: Sequence[tuple[bytes, int]],
        counts: Mapping[Counted, int],
    ) -> bool:
        """Add (mac, index) pairs and counts of the entries [start, size); False: not from here.

        Another process may have been first: what is counted must be counted once.
        """
        async with self._database.transaction() as conn:
            # Appends sync; what a crash takes of the index is made again from `size` on.
            await conn.execute("SET LOCAL synchronous_commit = off")
            moved = await conn.execute(
                "INSERT INTO term_index AS t (log_id, size) VALUES (%s, %s)"
                " ON CONFLICT (log_id) DO UPDATE SET size = excluded.size WHERE t.size = %s",
                (self._log_id, size, start),
            )
            if not moved.rowcount:
                return False
            await conn.execute(
                "INSERT INTO term_entry (term_mac, index, log_id)"
                " SELECT t.*, %b FROM unnest(%b::bytea[], %b::int8[]) AS t ON CONFLICT DO NOTHING",
                (self._log_id, [mac for mac, _ in pairs], [index for _, index in pairs]),
            )
            await conn.execute(
                "INSERT INTO indicator AS i (log_id, day, service, outcome, exchanges)"
                " SELECT %b, t.* FROM unnest(%b::date[], %b::text[], %b::text[], %b::int8[]) AS t"
                " ON CONFLICT (log_id, day, service, outcome)"
                " DO UPDATE SET exchanges = i.exchanges + excluded.exchanges",
                (
                    self._log_id,
                    [each.day for each in counts],
                    [each.service for each in counts],
                    [each.outcome for each in counts],
                    list(counts.values()),
                ),
            )
            return True

    async def counts(self, since: date, before: date) -> list[tuple[Counted, int]]:
        """What was counted of the days [since, before), in order."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT day, service, outcome, exchanges FROM indicator"
                " WHERE log_id = %s AND day >= %s AND day < %s ORDER BY day, service, outcome",
                (self._log_id, since, before),
            )
            return [(Counted(*row[:3]), row[3]) for row in await rows.fetchall()]

    @asynccontextmanager
    async def subject_pairs(
        self, first: int, until: int
    ) -> AsyncIterator[AsyncIterator[tuple[bytes, int]]]:
        """The (mac, index) pairs of the entries [first, until), sorted; streamed."""
        patience = timedelta(seconds=SORT_SECONDS)
        async with self._database.transaction(patience=patience) as conn:
            await conn.execute(f"SET LOCAL statement_timeout = '{SORT_SECONDS}s'")
            # What the vacuum has not summarised yet would be read from the first row on.
            await conn.execute("SELECT brin_summarize_new_values('subject_entry_place')")
            async with conn.cursor("pairs", binary=True) as cursor:
                cursor.itersize = PAIRS_AT_ONCE
                await cursor.execute(
                    "SELECT subject_mac, index FROM subject_entry"
                    " WHERE log_id = %s AND index >= %s AND index < %s"
                    " ORDER BY subject_mac, index",
                    (self._log_id, first, until),
                )
                yield (tuple(row) async for row in cursor)

    async def keep_root(self, root: SubjectRoot) -> None:
        """Keep the root of a day that was logged."""
        await self._do(
            "INSERT INTO subject_root (log_id, day, first, until, pairs, root, index)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (log_id, day) DO NOTHING",
            self._log_id,
            root.day,
            root.first,
            root.until,
            root.pairs,
            root.root,
            root.index,
        )

    async def roots(self) -> list[SubjectRoot]:
        """The roots of all days, oldest first."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT day, first, until, pairs, root, index FROM subject_root"
                " WHERE log_id = %s ORDER BY day",
                (self._log_id,),
                binary=True,
            )
            return [SubjectRoot(*row) async for row in rows]

    # ---- keys and erasure

    async def months(self) -> list[MonthSpan]:
        """The data keys that were not erased, oldest first."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT k.data_key_id, k.retention_class, k.month FROM data_key k"
                " WHERE NOT EXISTS (SELECT FROM erasure e WHERE e.data_key_id = k.data_key_id)"
                " ORDER BY k.month, k.data_key_id"
            )
            return [MonthSpan(row[0], RetentionClass(row[1]), row[2]) async for row in rows]

    async def erasures(self) -> list[Erasure]:
        """What was erased, oldest first."""
        async with self._database.connection() as conn:
            rows = await conn.execute(f"{_ERASURES} ORDER BY e.erased_at, e.data_key_id")
            return [Erasure(row[0], RetentionClass(row[1]), row[2], *row[3:]) async for row in rows]

    async def keep_erasure(
        self, data_key_id: int, erased_at: datetime, final_at: datetime, index: int
    ) -> None:
        """Remember that a key was deleted, and the entry that says so."""
        await self._do(
            "INSERT INTO erasure (data_key_id, erased_at, final_at, index) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (data_key_id) DO NOTHING",
            data_key_id,
            erased_at,
            final_at,
            index,
        )

    async def finish_erasure(self, data_key_id: int, index: int) -> None:
        """Remember the entry that reports the erasure as final."""
        await self._do(
            "UPDATE erasure SET final_index = %s WHERE data_key_id = %s", index, data_key_id
        )

    # ---- holds

    async def keep_hold(self, hold: Hold) -> None:
        """Keep a new hold, or which entry says so once there is one (`UNLOGGED` before)."""
        await self._do(
            "INSERT INTO hold (hold_id, log_id, index, placed_at, transit_key, wrapped)"
            " VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (hold_id) DO UPDATE SET index = excluded.index",
            hold.hold_id,
            self._log_id,
            hold.index,
            hold.placed_at,
            hold.transit_key,
            hold.wrapped,
        )

    async def holds(self) -> list[Hold]:
        """The holds of this log that an entry says, released ones too, oldest first."""
        async with self._database.connection() as conn:
            rows = await conn.execute(_HOLDS, (Kind.ADMINISTRATIVE, self._log_id))
            return [Hold(*row) async for row in rows]

    async def release_hold(self, hold_id: UUID, at: datetime) -> None:
        """Forget what a hold kept."""
        async with self._database.transaction() as conn:
            await conn.execute("DELETE FROM held_entry WHERE hold_id = %s", (hold_id,))
            await conn.execute("UPDATE hold SET released_at = %s WHERE hold_id = %s", (at, hold_id))

    async def keep_held(self, hold_id: UUID, kept: Sequence[tuple[int, bytes]]) -> None:
        """Keep evidence (index, ciphertext) under a hold's key."""
        async with self._database.connection() as conn:
            await conn.execute(
                "INSERT INTO held_entry (index, evidence, log_id, hold_id)"
                " SELECT t.*, %b, %b FROM unnest(%b::int8[], %b::bytea[]) AS t"
                " ON CONFLICT DO NOTHING",
                (self._log_id, hold_id, [i for i, _ in kept], [each for _, each in kept]),
            )

    async def held(self, indices: Sequence[int]) -> list[tuple[int, UUID, bytes]]:
        """Index, hold and ciphertext of those entries that are held."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                "SELECT index, hold_id, evidence FROM held_entry"
                " WHERE log_id = %s AND index = ANY (%s)",
                (self._log_id, list(indices)),
            )
            return [(row[0], row[1], bytes(row[2])) async for row in rows]

    async def held_by(self, hold_id: UUID, start: int, before: int, limit: int) -> list[int]:
        """Entries in [start, before) that a hold keeps."""
        return await self._indices(
            "SELECT index FROM held_entry WHERE log_id = %s AND hold_id = %s"
            " AND index >= %s AND index < %s ORDER BY index DESC LIMIT %s",
            self._log_id,
            hold_id,
            start,
            before,
            limit,
        )

    # ---- deferrals

    async def keep_deferral(self, deferral: Deferral) -> None:
        """Keep a deferral, its new end, or which entry says so (`UNLOGGED` before)."""
        await self._do(
            "INSERT INTO deferral (deferral_id, log_id, index, until) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (deferral_id) DO UPDATE"
            " SET until = excluded.until, index = excluded.index",
            deferral.deferral_id,
            self._log_id,
            deferral.index,
            deferral.until,
        )

    async def deferrals(self) -> list[Deferral]:
        """All deferrals that an entry says, those that are over too."""
        async with self._database.connection() as conn:
            rows = await conn.execute(_DEFERRALS, (Kind.ADMINISTRATIVE, self._log_id))
            return [Deferral(*row) async for row in rows]

    # ---- machinery

    async def _look(
        self, statement: str, macs: Sequence[bytes], start: int, before: int, limit: int
    ) -> list[int]:
        if not macs:
            return []
        async with self._database.connection() as conn:
            rows = await conn.execute(
                statement.encode(), (list(macs), self._log_id, start, before, limit, limit)
            )
            return [row[0] async for row in rows]

    async def _indices(self, statement: str, *values: Any) -> list[int]:
        async with self._database.connection() as conn:
            rows = await conn.execute(statement.encode(), values)
            return [row[0] async for row in rows]

    async def _value(self, statement: str, *values: Any) -> Any:
        async with self._database.connection() as conn:
            row = await (await conn.execute(statement.encode(), values)).fetchone()
            return row[0] if row else None

    async def _do(self, statement: str, *values: Any) -> None:
        async with self._database.connection() as conn:
            await conn.execute(statement.encode(), values)


def _row(row: tuple[Any, ...]) -> EvidenceRow:
    return EvidenceRow(
        index=row[0],
        exchange_id=row[1].bytes,
        kind=Kind(row[2]),
        attempt=row[3],
        recorded_at=microseconds(row[4]),
        leaf_hash=row[5],
        data_key_id=row[6],
        evidence=row[7],
    )
