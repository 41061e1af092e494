"""The registry in PostgreSQL: acts, what they changed, and the publication of it.

Contract: `exclusive` is the one transaction that may change anything (advisory lock); publication
to the watched tables is its last act. Lists go by key, so that pages don't shift.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import TupleRow

from services.registry import wire
from services.registry.model import (
    Act,
    Application,
    Change,
    Code,
    DataElement,
    ExchangeService,
    Genesis,
    Institution,
    Known,
    Labels,
    Person,
    Role,
    Versions,
)
from services.registry.statements import put
from services.runtime.postgres import Connection, Database
from services.runtime.watch.owner import Table
from services.runtime.watch.rows import Change as RowChange

_LOCK = 0x7265676973747279  # "registry"

_INSTITUTION = (
    "SELECT id, active, managing_institution, capacities, name_fr, name_nl, name_de, name_en,"
    " acronym_fr, acronym_nl, sector FROM institution"
)
_ACT = """
SELECT act.id, act.reason, act.changes, act.proposer, act.proposed_at, act.applied_at,
       act.log_index, coalesce(array_agg(approval.person ORDER BY approval.approved_at)
                FILTER (WHERE approval.person IS NOT NULL), '{}')
FROM act LEFT JOIN act_approval AS approval ON approval.act = act.id
WHERE act.id = %s GROUP BY act.id
"""


class RegistryStore:
    """Rows of the registry; `directory` and `catalogue` are the watched tables it feeds."""

    def __init__(self, *, database: Database, directory: Table, catalogue: Table) -> None:
        self._database = database
        self._directory = directory
        self._catalogue = catalogue

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator["ExclusiveTransaction"]:
        """The one transaction that may change the registry; what it published is seen here then."""
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            yield ExclusiveTransaction(conn, self._directory, self._catalogue)
        await self._directory.refresh()
        await self._catalogue.refresh()

    async def act(self, act_id: UUID) -> Act | None:
        """An act with its approvals."""
        async with self._database.connection() as conn:
            return await _read_act(conn, act_id)

    async def institutions(self, after: str, limit: int) -> list[Institution]:
        """Institutions whose id comes after that one, by id."""
        rows = await self._rows(f"{_INSTITUTION} WHERE id > %s ORDER BY id LIMIT %s", after, limit)
        return [_institution(row) for row in rows]

    async def elements(self, after: str, limit: int) -> list[DataElement]:
        """Data elements whose id comes after that one, by id."""
        rows = await self._rows(
            "SELECT id, label_fr, label_nl, label_de, label_en, type, code_list, sensitivity,"
            " authentic_source, legal_basis, deprecated FROM data_element WHERE id > %s"
            " ORDER BY id LIMIT %s",
            after,
            limit,
        )
        return [DataElement(row[0], Labels(*row[1:5]), *row[5:]) for row in rows]

    async def codes(self, code_list: str, after: tuple[str, str], limit: int) -> list[Code]:
        """Codes of one list ("": of all) that come after (list, code), in that order."""
        rows = await self._rows(
            "SELECT list, code, label_fr, label_nl, label_de, label_en FROM code"
            " WHERE (%s = '' OR list = %s) AND (list, code) > (%s, %s)"
            " ORDER BY list, code LIMIT %s",
            code_list,
            code_list,
            *after,
            limit,
        )
        return [Code(row[0], row[1], Labels(*row[2:])) for row in rows]

    async def services(self, after: tuple[str, int], limit: int) -> list[ExchangeService]:
        """Exchange services that come after (id, version), in that order."""
        rows = await self._rows(
            "SELECT id, version, title_fr, title_nl, title_de, title_en, question_message,"
            " answer_message, schema, sources, elements, source_timeout_ms FROM exchange_service"
            " WHERE (id, version) > (%s, %s) ORDER BY id, version LIMIT %s",
            *after,
            limit,
        )
        return [_service(row) for row in rows]

    async def _rows(self, query: str, *parameters: Any) -> list[TupleRow]:
        async with self._database.connection() as conn:
            cursor = await conn.execute(query.encode(), parameters)
            return await cursor.fetchall()


class ExclusiveTransaction:
    """What `exclusive` gives."""

    def __init__(self, conn: Connection, directory: Table, catalogue: Table) -> None:
        self._conn = conn
        self._directory = directory
        self._catalogue = catalogue

    async def genesis(self) -> Genesis | None:
        """The genesis, or None while there was none."""
        cursor = await self._conn.execute(
            "SELECT administrators, threshold, log_index, recorded_at FROM genesis"
        )
        row = await cursor.fetchone()
        return None if row is None else Genesis(tuple(row[0]), *row[1:])

    async def begin(self, genesis: Genesis, persons: Sequence[Person]) -> None:
        """Record the genesis and enrol its administrators."""
        await self._conn.execute(
            "INSERT INTO genesis (administrators, threshold, log_index, recorded_at)"
            " VALUES (%s, %s, %s, %s)",
            (
                list(genesis.administrators),
                genesis.threshold,
                genesis.log_index,
                genesis.recorded_at,
            ),
        )
        for person in persons:
            await put(self._conn, person, None, genesis.recorded_at)
        await self._publish(persons, genesis.recorded_at)

    async def known(self) -> Known:
        """The state that changes are judged against: some thousand rows, read at once."""
        institutions = [_institution(row) for row in await self._all(_INSTITUTION)]
        applications = [
            Application(*row)
            for row in await self._all("SELECT institution, id, active, endpoint FROM application")
        ]
        persons = [
            Person(row[0], frozenset(map(Role, row[1])), row[2])
            for row in await self._all("SELECT id, roles, institution FROM person")
        ]
        elements = frozenset(row[0] for row in await self._all("SELECT id FROM data_element"))
        return Known(
            {i.id: i for i in institutions},
            {a.name: a for a in applications},
            {p.id: p for p in persons},
            elements,
        )

    async def act(self, act_id: UUID) -> Act | None:
        """An act with its approvals."""
        return await _read_act(self._conn, act_id)

    async def propose(self, act: Act) -> None:
        """Record a new act."""
        await self._conn.execute(
            "INSERT INTO act (id, reason, changes, proposer, proposed_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            (act.id, act.reason, act.encoded, act.proposer, act.proposed_at),
        )

    async def approve(self, act_id: UUID, person: str, at: datetime) -> None:
        """Record an approval."""
        await self._conn.execute(
            "INSERT INTO act_approval (act, person, approved_at) VALUES (%s, %s, %s)",
            (act_id, person, at),
        )

    async def apply(self, act: Act, log_index: int, at: datetime) -> Versions:
        """Make the changes, publish them, and mark the act as applied."""
        async with self._conn.pipeline():
            for change in _in_order(act.changes):
                await put(self._conn, change, act.id, at)
            await self._conn.execute(
                "UPDATE act SET applied_at = %s, log_index = %s WHERE id = %s",
                (at, log_index, act.id),
            )
        return await self._publish(act.changes, at)

    async def _publish(self, changes: Sequence[Change], at: datetime) -> Versions:
        directory = [row for change in changes if (row := wire.directory_row(change, at))]
        catalogue = [row for change in changes if (row := wire.catalogue_row(change))]
        return Versions(
            await self._publish_to(self._directory, directory),
            await self._publish_to(self._catalogue, catalogue),
        )

    async def _publish_to(self, table: Table, rows: list[RowChange]) -> int | None:
        return (await table.publish(self._conn, *rows)).version if rows else None

    async def _all(self, query: str) -> list[TupleRow]:
        return await (await self._conn.execute(query.encode())).fetchall()


def _in_order(changes: Sequence[Change]) -> list[Change]:
    """Institutions before what refers to them."""
    return sorted(changes, key=lambda change: not isinstance(change, Institution))


async def _read_act(conn: Connection, act_id: UUID) -> Act | None:
    row = await (await conn.execute(_ACT, (act_id,))).fetchone()
    if row is None:
        return None
    encoded = bytes(row[2])
    changes = wire.changes_from(wire.decode(encoded))
    return Act(row[0], row[1], changes, encoded, row[3], row[4], tuple(row[7]), row[5], row[6])


def _institution(row: TupleRow) -> Institution:
    return Institution(row[0], row[1], row[2], tuple(row[3]), Labels(*row[4:8]), *row[8:])


def _service(row: TupleRow) -> ExchangeService:
    return ExchangeService(
        id=row[0],
        version=row[1],
        title=Labels(*row[2:6]),
        question_message=row[6],
        answer_message=row[7],
        schema=row[8],
        sources=tuple(row[9]),
        elements=tuple(row[10]),
        source_timeout_ms=row[11],
    )
