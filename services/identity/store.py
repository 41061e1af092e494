"""Keys in PostgreSQL, and the watched table of replacements.

Contract: `exclusive` is the one transaction that may change anything (advisory lock); publication
is its last act. Thousands of keys are one statement.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from services.identity import wire
from services.identity.model import PersonKey, Register, Resolved
from services.runtime.postgres import Connection, Database
from services.runtime.watch.owner import Table

_LOCK = 0x6964656E74697479  # "identity"

_RESOLVE = """
SELECT old.niss, old.current, own.register
FROM person_key AS old JOIN person_key AS own ON own.niss = old.current
WHERE old.niss = ANY(%s)
"""

# Two conditions, each with an index of its own.
_REPLACE = """
UPDATE person_key SET current = %(current)s, replaced_at = %(at)s, replaced_log_index = %(index)s
WHERE niss = %(old)s OR (current = %(old)s AND current <> niss)
RETURNING niss
"""


class IdentityStore:
    """Rows of identity; `replacements` is the watched table that it feeds."""

    def __init__(self, *, database: Database, replacements: Table) -> None:
        self._database = database
        self._replacements = replacements

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator["ExclusiveTransaction"]:
        """The one transaction that may change keys; what it published is seen here then."""
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            yield ExclusiveTransaction(conn, self._replacements)
        await self._replacements.refresh()

    async def secret(self) -> bytes:
        """What the ids of acts are keyed with (32 bytes): made once, in the database."""
        async with self._database.connection() as conn:
            row = await (await conn.execute("SELECT secret FROM act_secret")).fetchone()
        if row is None:
            raise RuntimeError("act_secret is empty: its migration put a row there")
        return bytes(row[0])

    async def resolve(self, keys: Sequence[str]) -> Mapping[str, Resolved]:
        """What each key that is known stands for."""
        async with self._database.connection() as conn:
            return await _resolve(conn, keys)


class ExclusiveTransaction:
    """What `exclusive` gives."""

    def __init__(self, conn: Connection, replacements: Table) -> None:
        self._conn = conn
        self._replacements = replacements

    async def registers(self, keys: Sequence[str]) -> Mapping[str, Register]:
        """The register that each key which is known was taken up from."""
        cursor = await self._conn.execute(
            "SELECT niss, register FROM person_key WHERE niss = ANY(%s)", (list(keys),)
        )
        return {str(niss): Register(register) for niss, register in await cursor.fetchall()}

    async def resolve(self, keys: Sequence[str]) -> Mapping[str, Resolved]:
        """What each key that is known stands for."""
        return await _resolve(self._conn, keys)

    async def register(self, persons: Sequence[PersonKey], at: datetime, log_index: int) -> None:
        """Take up keys that are not known."""
        keys = [each.niss for each in persons]
        await self._conn.execute(
            "INSERT INTO person_key (niss, register, current, recorded_at, log_index)"
            " SELECT niss, register, niss, %s, %s FROM unnest(%s::text[], %s::text[])"
            " AS given (niss, register)",
            (at, log_index, keys, [str(each.register) for each in persons]),
        )

    async def replace(self, old: str, current: str, at: datetime, log_index: int) -> int:
        """Point `old`, and all that pointed at it, to `current`; the version that holds it."""
        values = {"old": old, "current": current, "at": at, "index": log_index}
        cursor = await self._conn.execute(_REPLACE, values)
        moved = [str(niss) for (niss,) in await cursor.fetchall()]
        changes = [wire.replacement_row(niss, current) for niss in sorted(moved)]
        return (await self._replacements.publish(self._conn, *changes)).version

    async def version(self) -> int:
        """The newest version of the table of replacements; 0 while it is empty."""
        cursor = await self._conn.execute(
            "SELECT version FROM watch_head WHERE name = %s", (self._replacements.name,)
        )
        row = await cursor.fetchone()
        return 0 if row is None else int(row[0])


async def _resolve(conn: Connection, keys: Sequence[str]) -> dict[str, Resolved]:
    cursor = await conn.execute(_RESOLVE, (list(keys),))
    return {
        str(niss): Resolved(str(current), Register(register))
        for niss, current, register in await cursor.fetchall()
    }
