"""Deliberations and grants in PostgreSQL, and their publication.

Contract: `exclusive` is the one transaction that may change anything (advisory lock); publication
to the watched table is its last act. It gives a grant its recorded instants, those of the versions
that bring and end it, so that a decision at a version's instant sees just what that version says.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import TupleRow

from crossroads.authorization.v1 import authorization_service_pb2 as api
from services.authorization import dossier_store, wire
from services.authorization.dossiers import Wanted
from services.authorization.lifecycle import Dossier
from services.authorization.model import Chamber, Deliberation, Grant, PublishedGrant, State
from services.authorization.publishing import Alteration, Row
from services.runtime.postgres import Connection, Database
from services.runtime.watch.owner import Table
from services.runtime.watch.publication import publish
from services.runtime.watch.rows import Change

_LOCK = 0x617574686F72697A  # "authoriz"

_DELIBERATION = (
    "SELECT number, title_fr, title_nl, title_de, title_en, chamber, decided_on, submitted_by,"
    " submitted_at, act_id, published_by, published_at, text_fr, text_nl, text_de, scope, version,"
    " state, enters_into_force, {ends} FROM deliberation"
)
# Rows that were taken back one by one, or that an amendment replaced, have no part in it.
_ENDS = (
    "(SELECT CASE WHEN bool_and(valid_until IS NOT NULL) THEN max(valid_until) END"
    " FROM grant_row WHERE grant_row.deliberation = number AND recorded_from IS NOT NULL"
    " AND (recorded_until IS NULL OR suspended))"
)
_NEWEST = _DELIBERATION.format(ends=_ENDS)
_PAST = f"{_DELIBERATION.format(ends='NULL')}_past"
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

    async def deliberation(
        self, number: str, version: int, after: int, limit: int
    ) -> Deliberation | None:
        """A version (0: the newest) with at most `limit` rows, those after the ordinal `after`."""
        async with self._database.connection() as conn:
            return await _read(conn, number, after, limit, version)

    async def dossier(self, dossier: UUID) -> Dossier | None:
        """A dossier with its acts."""
        async with self._database.connection() as conn:
            return await dossier_store.read(conn, dossier)

    async def dossiers(self, wanted: Wanted) -> list[Dossier]:
        """Dossiers with their first act, newest first."""
        async with self._database.connection() as conn:
            return await dossier_store.listed(conn, wanted)

    async def published(self, before: tuple[str, str], limit: int) -> list[Deliberation]:
        """Published deliberations without grants, newest first, before (instant, number)."""
        query = (
            f"{_NEWEST} WHERE published_at IS NOT NULL"
            " AND (published_at, number) < (%s::timestamptz, %s)"
            " ORDER BY published_at DESC, number DESC LIMIT %s"
        )
        async with self._database.connection() as conn:
            rows = await (await conn.execute(query.encode(), (*before, limit))).fetchall()
        return [_deliberation(row, ()) for row in rows]


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
            " decided_on, submitted_by, submitted_at, act_id, text_fr, text_nl, text_de, scope,"
            " enters_into_force)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
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
                deliberation.text_fr,
                deliberation.text_nl,
                deliberation.text_de,
                wire.scope_bytes(deliberation.scope),
                deliberation.enters_into_force,
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
        found = await self._rows("grant_row.id = %s", grant_id)
        return found[0] if found else None

    async def live(self, number: str) -> list[PublishedGrant]:
        """The rows of a deliberation that are on record."""
        return await self._rows("deliberation = %s AND recorded_until IS NULL", number)

    async def suspended(self, number: str) -> list[PublishedGrant]:
        """The rows that its suspension took off the record."""
        return await self._rows("deliberation = %s AND suspended", number)

    async def unsuspend(self, grant_id: str) -> int:
        """Let a suspended row not come back; the version of the table, which stays."""
        await self._conn.execute(
            "UPDATE grant_row SET suspended = false WHERE id = %s", (grant_id,)
        )
        return await self._version()

    async def last_row(self, number: str) -> int:
        """The highest ordinal of its rows."""
        query = "SELECT max(ordinal) FROM grant_row WHERE deliberation = %s"
        return await self._value(query, number) or 0

    async def dossier(self, dossier: UUID) -> Dossier | None:
        """A dossier with its acts."""
        return await dossier_store.read(self._conn, dossier)

    async def keep(self, dossier: Dossier) -> None:
        """Record a dossier as it is after its last act."""
        await dossier_store.keep(self._conn, dossier)

    async def next_number(self, year: int) -> str:
        """The first number of that year that no deliberation has, nor any after it."""
        return await dossier_store.next_number(self._conn, year)

    async def holders(self) -> frozenset[str]:
        """The institutions that have a grant on record, or one that is suspended."""
        return await dossier_store.holders(self._conn)

    async def amend(self, deliberation: Deliberation, at: datetime, log_index: int) -> None:
        """Put a new version in the place of the old one, which stays readable."""
        recorded = await self._next_instant(at)
        await dossier_store.amend(self._conn, deliberation, recorded, log_index)

    async def propose_lift(self, number: str, person: str) -> None:
        """Note who proposed that the suspension be lifted."""
        await self._conn.execute(
            "UPDATE deliberation SET lift_proposed_by = %s WHERE number = %s", (person, number)
        )

    async def lift_proposed_by(self, number: str) -> str:
        """Who proposed it; "" for nobody."""
        query = "SELECT lift_proposed_by FROM deliberation WHERE number = %s"
        return await self._value(query, number) or ""

    async def alter(self, alteration: Alteration, at: datetime, log_index: int) -> int:
        """End rows of a deliberation, begin others; the version of the table after it."""
        number, state = alteration.number, alteration.state
        recorded = await self._next_instant(at)
        ending = [
            replace(row, grant=replace(row.grant, recorded_until=recorded))
            for row in await self.live(number)
            if row.grant.id in alteration.ending
        ]
        opening = [
            (row, replace(row.grant, grant=replace(row.grant.grant, recorded_from=recorded)))
            for row in alteration.opening
        ]
        if state is not State.SUSPENDED:
            await self._conn.execute(
                "UPDATE grant_row SET suspended = false WHERE deliberation = %s", (number,)
            )
        await dossier_store.end_rows(
            self._conn,
            [row.grant.id for row in ending],
            (recorded, alteration.person, alteration.reason, log_index),
            suspended=state is State.SUSPENDED,
        )
        for row, published in opening:
            await self._open(row, published)
        await self._conn.execute(
            "UPDATE deliberation SET state = %s, lift_proposed_by = NULL WHERE number = %s",
            (state, number),
        )
        changed = [*ending, *(published for _, published in opening)]
        return await self._publish(changed, recorded) if changed else await self._version()

    async def _open(self, row: Row, published: PublishedGrant) -> None:
        """Insert a row that is on record from now on."""
        columns = f"deliberation, ordinal, {_COLUMNS}, recorded_from, version, follows"
        values = (
            published.deliberation,
            int(published.grant.id.rpartition("#")[2]),
            *_values(published.grant),
            published.grant.recorded_from,
            row.version,
            row.follows or None,
            published.proposed_by,
            published.approved_by,
        )
        places = ", ".join(["%s"] * len(values))
        query = f"INSERT INTO grant_row ({columns}, proposed_by, approved_by) VALUES ({places})"  # noqa: S608
        await self._conn.execute(query.encode(), values)

    async def _rows(self, condition: str, parameter: str) -> list[PublishedGrant]:
        """Published rows, in order."""
        columns = ", ".join(f"grant_row.{column}" for column in _GRANT_COLUMNS)
        query = (
            f"SELECT {columns}, recorded_from, recorded_until, deliberation,"  # noqa: S608
            " coalesce(proposed_by, submitted_by), coalesce(approved_by, published_by)"
            " FROM grant_row JOIN deliberation ON number = deliberation"
            f" WHERE {condition} AND recorded_from IS NOT NULL ORDER BY ordinal"
        )
        cursor = await self._conn.execute(query.encode(), (parameter,))
        return [PublishedGrant(_grant(row[:-3]), *row[-3:]) for row in await cursor.fetchall()]

    async def _version(self) -> int:
        """The version of the table of grants as it is."""
        query = "SELECT version FROM watch_head WHERE name = %s"
        return await self._value(query, self._grants.name) or 0

    async def _value(self, query: LiteralString, parameter: str) -> Any:
        """The first column of the first row; None if there is no row."""
        row = await (await self._conn.execute(query, (parameter,))).fetchone()
        return row[0] if row else None

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
        query = "SELECT recorded_at FROM watch_head WHERE name = %s FOR UPDATE"
        head = await (await self._conn.execute(query, (self._grants.name,))).fetchone()
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
    conn: Connection, number: str, after: int, limit: int | None, version: int = 0
) -> Deliberation | None:
    """`version` 0: the newest, with all rows that were ever there."""
    row = await (await conn.execute(f"{_NEWEST} WHERE number = %s".encode(), (number,))).fetchone()
    if row is not None and version not in (0, row[16]):
        query = f"{_PAST} WHERE number = %s AND version = %s"
        row = await (await conn.execute(query.encode(), (number, version))).fetchone()
    if row is None:
        return None
    query = f"{_GRANT} WHERE deliberation = %s AND ordinal > %s"
    parameters: list[object] = [number, after]
    if version:
        query += " AND version = %s"
        parameters.append(version)
    cursor = await conn.execute(f"{query} ORDER BY ordinal LIMIT %s".encode(), (*parameters, limit))
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
        text_fr=row[12],
        text_nl=row[13],
        text_de=row[14],
        scope=None if row[15] is None else wire.scope_from(api.Scope.FromString(row[15])),
        version=row[16],
        state=State(row[17]) if row[11] else State.SUBMITTED,
        enters_into_force=row[18],
        ends_at=row[19],
    )


def _grant(row: TupleRow) -> Grant:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    names = (*_GRANT_COLUMNS, "recorded_from", "recorded_until")
    fields: dict[str, Any] = dict(zip(names, values, strict=True))
    return Grant(**fields)


def _values(grant: Grant) -> list[object]:
    values = [getattr(grant, column) for column in _GRANT_COLUMNS]
    return [list(value) if isinstance(value, tuple) else value for value in values]
