"""Deliberations and grants in PostgreSQL, and their publication.

Contract: `exclusive` is the one transaction that may change anything (advisory lock); publication
to the watched table is its last act. It gives a grant its recorded instants, those of the versions
that bring and end it, so that a decision at a version's instant sees just what that version
says.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import TupleRow

from services.authorization import wire
from services.authorization.model import Chamber, Deliberation, Grant, PublishedGrant
from services.runtime.postgres import Connection, Database
from services.runtime.watch.owner import Table
from services.runtime.watch.publication import publish
from services.runtime.watch.rows import Change

_LOCK = 0x617574686F72697A  # "authoriz"

_DELIBERATION = (
    "SELECT number, title_fr, title_nl, title_de, title_en, chamber, decided_on, submitted_by,"
    " submitted_at, act_id, published_by, published_at FROM deliberation"
)
_GRANT_COLUMNS = (
    "id",
    "prohibition",
    "institution",
    "institutions",
    "group_name",
    "application",
    "service",
    "service_version",
    "elements",
    "purpose",
    "legal_basis",
    "caller_capacities",
    "caller_phases",
    "source_capacities",
    "source_phases",
    "data_days_back",
    "data_max_days",
    "ways",
    "volume_per_day",
    "blocking",
    "valid_from",
    "valid_until",
)
_COLUMNS = ", ".join(_GRANT_COLUMNS)
_GRANT = f"SELECT {_COLUMNS}, recorded_from, recorded_until FROM grant_row"  # noqa: S608 - constants
_COPY = f"COPY grant_row (deliberation, ordinal, {_COLUMNS}) FROM STDIN"


class AuthorizationStore:
    """Rows of authorization; `grants` is the watched table that it feeds."""

    def __init__(self, *, database: Database, grants: Table) -> None:
        self._database = database
        self.grants = grants

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator["ExclusiveTransaction"]:
        """The one transaction that may change anything; what it published is seen here then."""
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            yield ExclusiveTransaction(conn, self.grants)
        await self.grants.refresh()

    async def deliberation(self, number: str, after: int, limit: int) -> Deliberation | None:
        """A deliberation with at most `limit` of its grants, those after the ordinal `after`."""
        async with self._database.connection() as conn:
            return await _read(conn, number, after, limit)

    async def published(self, before: tuple[str, str], limit: int) -> list[Deliberation]:
        """Published deliberations without grants, newest first, before (instant, number)."""
        query = (
            f"{_DELIBERATION} WHERE published_at IS NOT NULL"
            " AND (published_at, number) < (%s::timestamptz, %s)"
            " ORDER BY published_at DESC, number DESC LIMIT %s"
        )
        async with self._database.connection() as conn:
            cursor = await conn.execute(query.encode(), (*before, limit))
            return [_deliberation(row, ()) for row in await cursor.fetchall()]


class ExclusiveTransaction:
    """What `exclusive` gives."""

    def __init__(self, conn: Connection, grants: Table) -> None:
        self._conn = conn
        self._grants = grants

    async def deliberation(self, number: str) -> Deliberation | None:
        """A deliberation with all its grants."""
        return await _read(self._conn, number, 0, None)

    async def submit(self, deliberation: Deliberation) -> None:
        """Record a new deliberation."""
        await self._conn.execute(
            "INSERT INTO deliberation (number, title_fr, title_nl, title_de, title_en, chamber,"
            " decided_on, submitted_by, submitted_at, act_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                deliberation.number,
                deliberation.title_fr,
                deliberation.title_nl,
                deliberation.title_de,
                deliberation.title_en,
                deliberation.chamber,
                deliberation.decided_on,
                deliberation.submitted_by,
                deliberation.submitted_at,
                deliberation.act_id,
            ),
        )
        async with self._conn.cursor() as cursor, cursor.copy(_COPY.encode()) as copy:
            for ordinal, grant in enumerate(deliberation.grants, 1):
                await copy.write_row((deliberation.number, ordinal, *_values(grant)))

    async def publish(self, deliberation: Deliberation, at: datetime, log_index: int) -> int:
        """Make its grants apply; the version of the table of grants that holds them."""
        recorded = await self._next_instant(at)
        await self._conn.execute(
            "UPDATE deliberation SET published_by = %s, published_at = %s, log_index = %s"
            " WHERE number = %s",
            (deliberation.published_by, recorded, log_index, deliberation.number),
        )
        await self._conn.execute(
            "UPDATE grant_row SET recorded_from = %s WHERE deliberation = %s",
            (recorded, deliberation.number),
        )
        return await self._publish(
            [
                PublishedGrant(
                    replace(grant, recorded_from=recorded),
                    deliberation.number,
                    deliberation.submitted_by,
                    deliberation.published_by,
                )
                for grant in deliberation.grants
            ],
            recorded,
        )

    async def grant(self, grant_id: str) -> PublishedGrant | None:
        """A published grant."""
        query = (
            "SELECT deliberation, submitted_by, published_by FROM grant_row"
            " JOIN deliberation ON number = deliberation"
            " WHERE id = %s AND recorded_from IS NOT NULL"
        )
        about = await (await self._conn.execute(query.encode(), (grant_id,))).fetchone()
        if about is None:
            return None
        row = await (
            await self._conn.execute(f"{_GRANT} WHERE id = %s".encode(), (grant_id,))
        ).fetchone()
        assert row is not None
        return PublishedGrant(_grant(row), *about)

    async def end(
        self, grant: PublishedGrant, person: str, reason: str, at: datetime, log_index: int
    ) -> int:
        """End a grant; the version of the table of grants from which it no longer applies."""
        recorded = await self._next_instant(at)
        await self._conn.execute(
            "UPDATE grant_row SET recorded_until = %s, ended_by = %s, ended_because = %s,"
            " end_log_index = %s WHERE id = %s",
            (recorded, person, reason, log_index, grant.grant.id),
        )
        ended = replace(grant, grant=replace(grant.grant, recorded_until=recorded))
        return await self._publish([ended], recorded)

    async def _next_instant(self, now: datetime) -> datetime:
        """When the next version is recorded: after the one before, whatever the clock says.

        The advisory lock keeps others from taking it meanwhile.
        """
        head = await (
            await self._conn.execute(
                "SELECT recorded_at FROM watch_head WHERE name = %s FOR UPDATE",
                (self._grants.name,),
            )
        ).fetchone()
        return now if head is None else max(now, head[0] + timedelta(microseconds=1))

    async def _publish(self, grants: Sequence[PublishedGrant], recorded: datetime) -> int:
        rows = [
            Change(each.grant.id, wire.grant_to(each).SerializeToString(deterministic=True))
            for each in grants
        ]
        version = await publish(self._conn, self._grants.name, rows, recorded)
        if version.recorded_at != recorded:
            raise RuntimeError("somebody published grants beside the lock")
        return version.version


async def _read(
    conn: Connection, number: str, after: int, limit: int | None
) -> Deliberation | None:
    row = await (
        await conn.execute(f"{_DELIBERATION} WHERE number = %s".encode(), (number,))
    ).fetchone()
    if row is None:
        return None
    query = f"{_GRANT} WHERE deliberation = %s AND ordinal > %s ORDER BY ordinal LIMIT %s"
    cursor = await conn.execute(query.encode(), (number, after, limit))
    return _deliberation(row, tuple(_grant(each) for each in await cursor.fetchall()))


def _deliberation(row: TupleRow, grants: tuple[Grant, ...]) -> Deliberation:
    return Deliberation(
        number=row[0],
        title_fr=row[1],
        title_nl=row[2],
        title_de=row[3],
        title_en=row[4],
        chamber=Chamber(row[5]),
        decided_on=row[6],
        grants=grants,
        submitted_by=row[7],
        submitted_at=row[8],
        act_id=row[9],
        published_by=row[10] or "",
        published_at=row[11],
    )


def _grant(row: TupleRow) -> Grant:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    names = (*_GRANT_COLUMNS, "recorded_from", "recorded_until")
    fields: dict[str, Any] = dict(zip(names, values, strict=True))
    return Grant(**fields)


def _values(grant: Grant) -> list[object]:
    values = [getattr(grant, column) for column in _GRANT_COLUMNS]
    return [list(value) if isinstance(value, tuple) else value for value in values]
