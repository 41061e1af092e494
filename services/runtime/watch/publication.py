"""Publishing: a change to a watched table, inside the transaction that makes it.

The head row is locked from the moment of publishing until the transaction ends, so versions follow
the order of the commits and have no gaps: a transaction that rolls back gives its version back.
Publish as the last act of a transaction; everybody else who publishes on that table waits for it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from services.runtime.watch.rows import MAX_ROW_BYTES, Change, Version

# One statement, one round trip. ON CONFLICT DO UPDATE waits for, and then sees, whoever holds the
# head row; recorded_at rises strictly even where the clock does not.
_PUBLISH = """
WITH head AS (
    INSERT INTO watch_head AS held (name, version, recorded_at)
    VALUES (%(name)s, 1, %(now)s)
    ON CONFLICT (name) DO UPDATE
    SET version = held.version + 1,
        recorded_at = greatest(excluded.recorded_at, held.recorded_at + interval '1 microsecond')
    RETURNING name, version, recorded_at
), noted AS (
    INSERT INTO watch_version (name, version, recorded_at)
    SELECT head.name, head.version, head.recorded_at FROM head
), changed AS (
    INSERT INTO watch_row (name, version, key, value, deleted)
    SELECT head.name, head.version, change.key, change.value, change.value IS NULL
    FROM head, unnest(%(keys)b::text[], %(values)b::bytea[]) AS change (key, value)
)
SELECT version, recorded_at FROM head
"""


async def publish(
    conn: psycopg.AsyncConnection[Any], name: str, changes: Sequence[Change], now: datetime
) -> Version:
    """Record `changes` as the next version of the table `name`, in the caller's transaction.

    `now` is aware; what is recorded is the later of it and the version before plus 1 µs. Raises
    ValueError for no change at all, a key named twice, or a row over MAX_ROW_BYTES.
    """
    _check(changes)
    cursor = await conn.execute(
        _PUBLISH,
        {
            "name": name,
            "now": now,
            "keys": [change.key for change in changes],
            "values": [change.value for change in changes],
        },
    )
    row = await cursor.fetchone()
    if row is None:  # pragma: no cover - the statement always returns its row
        raise RuntimeError("the head of a watched table returned no version")
    return Version(version=row[0], recorded_at=row[1].astimezone(UTC))


def _check(changes: Sequence[Change]) -> None:
    if not changes:
        raise ValueError("a version holds at least one change")
    if len({change.key for change in changes}) < len(changes):
        raise ValueError("a version names each key once")
    if any(len(c.key.encode()) + len(c.value or b"") > MAX_ROW_BYTES for c in changes):
        raise ValueError(f"a row holds at most {MAX_ROW_BYTES} bytes")
