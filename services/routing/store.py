"""The reference directory and the wrapped keys, in PostgreSQL.

Contract: `Integrations.lookup` is the one query of an exchange; look-ups that come together share
it. A statement (subject, institution, capacity, phase, first day) is on record at most once at any
instant; declaring it anew closes the earlier row. Unverified rows are listed to who declared them
and count for nothing else. Errors: STORE_UNAVAILABLE, OVERLOADED.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from psycopg import Rollback

from services.routing.model import Integration
from services.runtime.gather import Gather
from services.runtime.postgres import Database

Pair = tuple[str, str]
"""A subject's key and an institution."""

PAUSE_PER_LOOKUP = 0.002
"""Seconds (`pause_after`)."""

# OFFSET 0 keeps the inner query whole: one index scan a pair, whatever the planner believes of the
# table's size right after a large import.
LOOKUP = """
SELECT found.*
FROM unnest(%s::text[], %s::text[]) AS pair(subject, institution),
LATERAL (
    SELECT institution, subject, capacity, phase, valid_from, valid_until
    FROM integration
    WHERE subject = pair.subject AND institution = pair.institution
      AND recorded_until IS NULL AND verified_at IS NOT NULL
    OFFSET 0
) AS found
"""

NEW = """
SELECT * FROM unnest(
    %(subject)s::text[], %(institution)s::text[], %(capacity)s::text[], %(phase)s::int[],
    %(valid_from)s::date[], %(valid_until)s::date[], %(verified)s::bool[], %(log_index)s::bigint[]
) AS new(subject, institution, capacity, phase, valid_from, valid_until, verified, log_index)
"""

SAME_STATEMENT = """
    old.subject = new.subject AND old.institution = new.institution
    AND old.capacity = new.capacity AND old.phase = new.phase
    AND old.valid_from = new.valid_from AND old.recorded_until IS NULL
"""

# A row that was recorded later than this declaration's instant is another process's, and newer.
CLOSE = f"""
WITH new AS ({NEW})
UPDATE integration AS old SET recorded_until = %(now)s
FROM new WHERE {SAME_STATEMENT}
  AND old.valid_until IS DISTINCT FROM new.valid_until AND old.recorded_from < %(now)s
"""  # noqa: S608 - made of constants

INSERT = f"""
WITH new AS ({NEW})
INSERT INTO integration (subject, institution, capacity, phase, valid_from, valid_until,
    recorded_from, declared_by, verified_at, log_index)
SELECT subject, institution, capacity, phase, valid_from, valid_until,
    %(now)s, %(declared_by)s, CASE WHEN verified THEN %(now)s END, log_index
FROM new
WHERE NOT EXISTS (SELECT FROM integration AS old WHERE {SAME_STATEMENT})
ON CONFLICT DO NOTHING
"""  # noqa: S608 - made of constants

ON_RECORD = """
SELECT institution, subject, capacity, phase, valid_from, valid_until
FROM integration
WHERE subject = ANY(%s) AND institution = %s AND recorded_until IS NULL
ORDER BY valid_from, capacity, phase, subject
"""

UNVERIFIED = """
SELECT DISTINCT subject FROM integration
WHERE verified_at IS NULL AND recorded_until IS NULL AND subject > %s
ORDER BY subject LIMIT %s
"""

VERIFY = """
UPDATE integration SET verified_at = %s
WHERE subject = ANY(%s) AND verified_at IS NULL AND recorded_until IS NULL
"""


# In order of the grants, so that two that take the same ones wait for each other in one order.
TAKE = """
INSERT INTO volume (grant_id, institution, day, used, most)
SELECT grant_id, %(institution)s, %(day)s, 1, most
FROM unnest(%(grants)s::text[], %(limits)s::bigint[]) AS wanted(grant_id, most)
ORDER BY grant_id
ON CONFLICT (grant_id, institution, day) DO UPDATE SET used = volume.used + 1, most = excluded.most
WHERE volume.used < excluded.most
RETURNING grant_id
"""

FORGET = """
DELETE FROM volume WHERE grant_id = ANY(%(grants)s) AND institution = %(institution)s
  AND day < %(day)s - 31
"""


class Integrations:
    """The table of the reference directory."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._gather: Gather[Sequence[Pair], list[Integration]] = Gather(
            batch=self._lookup, pause_per_item=PAUSE_PER_LOOKUP
        )

    async def lookup(self, pairs: Sequence[Pair]) -> list[Integration]:
        """The verified integrations on record of each of these subjects at that institution."""
        return await self._gather(pairs)

    async def _lookup(self, asked: list[Sequence[Pair]]) -> list[list[Integration]]:
        pairs = {pair for each in asked for pair in each}
        subjects = [subject for subject, _ in pairs]
        institutions = [institution for _, institution in pairs]
        async with self._database.connection() as conn:
            cursor = conn.cursor(binary=True)
            await cursor.execute(LOOKUP, (subjects, institutions), prepare=True)
            rows = await cursor.fetchall()
        found: dict[Pair, list[Integration]] = {}
        for row in rows:
            found.setdefault((row[1], row[0]), []).append(Integration._make(row))
        return [[each for pair in wanted for each in found.get(pair, ())] for wanted in asked]

    async def declare(
        self,
        declared: Sequence[Integration],
        *,
        declared_by: str,
        verified: Collection[str],
        log_indices: Sequence[int],
        now: datetime,
    ) -> None:
        """Put these statements on record, all or none.

        `verified` are the subjects whose key is known; `log_indices` has one for each statement.
        """
        columns = list(zip(*declared, strict=True))
        values: dict[str, Any] = {
            "institution": list(columns[0]),
            "subject": list(columns[1]),
            "capacity": list(columns[2]),
            "phase": list(columns[3]),
            "valid_from": list(columns[4]),
            "valid_until": list(columns[5]),
            "verified": [each.subject in verified for each in declared],
            "log_index": list(log_indices),
            "declared_by": declared_by,
            "now": now,
        }
        async with self._database.transaction() as conn:
            await conn.execute(CLOSE, values)
            await conn.execute(INSERT, values)

    async def on_record(self, subjects: Sequence[str], institution: str) -> list[Integration]:
        """What an institution declared about these subjects, verified or not."""
        async with self._database.connection() as conn:
            rows = await conn.execute(ON_RECORD, (list(subjects), institution), prepare=True)
            return [Integration._make(row) for row in await rows.fetchall()]

    async def unverified(self, after: str, limit: int) -> Sequence[str]:
        """Subjects that wait for verification: the first ones after that key."""
        async with self._database.connection() as conn:
            rows = await conn.execute(UNVERIFIED, (after, limit))
            return [subject for (subject,) in await rows.fetchall()]

    async def verify(self, subjects: Sequence[str], now: datetime) -> None:
        """From now on these subjects are known."""
        async with self._database.connection() as conn:
            await conn.execute(VERIFY, (now, list(subjects)))


class Volumes:
    """How often grants with a volume were used; a month is kept."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def take(self, institution: str, limits: Mapping[str, int], day: date) -> frozenset[str]:
        """Count one use of each of these grants; where that would be one too many for some, none
        is counted, and those are given."""
        values = {
            "institution": institution,
            "grants": list(limits),
            "limits": list(limits.values()),
            "day": day,
        }
        async with self._database.connection() as conn, conn.transaction() as transaction:
            taken = await (await conn.execute(TAKE, values, prepare=True)).fetchall()
            if len(taken) < len(limits):
                raise Rollback(transaction)
            await conn.execute(FORGET, values, prepare=True)
        return frozenset(limits) - {grant for (grant,) in taken}


class WrappedKeys:
    """Keys of this service, kept wrapped by Vault's Transit."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, purpose: str) -> tuple[str, str] | None:
        """The Transit key and the wrapped key for that purpose."""
        query = "SELECT transit_key, wrapped FROM wrapped_key WHERE purpose = %s"
        async with self._database.connection() as conn:
            rows = await conn.execute(query, (purpose,))
            row = await rows.fetchone()
        return None if row is None else (row[0], row[1])

    async def put_if_absent(
        self, purpose: str, transit_key: str, wrapped: str, now: datetime
    ) -> None:
        """Keep this one, unless another process was first: then `get` gives that one."""
        async with self._database.connection() as conn:
            await conn.execute(
                "INSERT INTO wrapped_key (purpose, transit_key, wrapped, created_at) "
                "VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (purpose, transit_key, wrapped, now),
            )
