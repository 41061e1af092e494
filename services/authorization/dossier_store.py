"""Dossiers, versions and alterations of deliberations in PostgreSQL: explicit SQL on a connection.

Contract: called inside the one transaction that may change anything (store.exclusive).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from crossroads.authorization.v1 import deliberation_service_pb2 as api
from services.authorization import dossier_wire, wire
from services.authorization.dossiers import Wanted
from services.authorization.lifecycle import Act, Dossier, Stage, Step
from services.authorization.model import Deliberation
from services.runtime.postgres import Connection

_PAST = (
    "number, version, title_fr, title_nl, title_de, title_en, chamber, decided_on, submitted_by,"
    " submitted_at, act_id, published_by, published_at, text_fr, text_nl, text_de, scope, state,"
    " enters_into_force, log_index"
)


async def read(conn: Connection, dossier: UUID) -> Dossier | None:
    """A dossier with its acts."""
    row = await (
        await conn.execute(
            "SELECT institution, stage, draft, number, amends_version FROM dossier WHERE id = %s",
            (dossier,),
        )
    ).fetchone()
    if row is None:
        return None
    acts = await conn.execute(
        "SELECT step, by, at, outcome, text, log_index FROM dossier_act WHERE dossier = %s"
        " ORDER BY ordinal",
        (dossier,),
    )
    return Dossier(
        id=dossier,
        institution=row[0],
        stage=Stage(row[1]),
        draft=dossier_wire.draft_from(api.Draft.FromString(row[2])),
        acts=tuple(
            Act(step=Step(a[0]), by=a[1], at=a[2], outcome=a[3], text=a[4], log_index=a[5])
            for a in await acts.fetchall()
        ),
        number=row[3],
        amends_version=row[4],
    )


async def listed(conn: Connection, wanted: Wanted) -> list[Dossier]:
    """Dossiers with their first act, newest first."""
    rows = await conn.execute(
        "SELECT id, institution, stage, draft, number, by, at, log_index FROM dossier"
        " JOIN dossier_act ON dossier = id AND ordinal = 1"
        " WHERE (%(institution)s::text IS NULL OR institution = %(institution)s)"
        " AND (%(stage)s::text IS NULL OR stage = %(stage)s)"
        " AND (at, id) < (%(at)s::timestamptz, %(id)s)"
        " ORDER BY at DESC, id DESC LIMIT %(limit)s",
        {
            "institution": wanted.institution,
            "stage": wanted.stage,
            "at": wanted.before[0],
            "id": wanted.before[1],
            "limit": wanted.limit,
        },
    )
    return [
        Dossier(
            id=row[0],
            institution=row[1],
            stage=Stage(row[2]),
            draft=dossier_wire.draft_from(api.Draft.FromString(row[3])),
            acts=(Act(step=Step.DRAFT, by=row[5], at=row[6], log_index=row[7]),),
            number=row[4],
        )
        for row in await rows.fetchall()
    ]


async def keep(conn: Connection, dossier: Dossier) -> None:
    """Record a dossier as it is after its last act."""
    draft = dossier_wire.draft_to(dossier.draft).SerializeToString(deterministic=True)
    await conn.execute(
        "INSERT INTO dossier (id, institution, stage, draft, number, amends_version)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET stage = excluded.stage,"
        " draft = excluded.draft, number = excluded.number,"
        " amends_version = excluded.amends_version",
        (
            dossier.id,
            dossier.institution,
            dossier.stage,
            draft,
            dossier.number,
            dossier.amends_version,
        ),
    )
    act = dossier.acts[-1]
    await conn.execute(
        "INSERT INTO dossier_act (dossier, ordinal, step, by, at, outcome, text, log_index)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            dossier.id,
            len(dossier.acts),
            act.step,
            act.by,
            act.at,
            act.outcome,
            act.text,
            act.log_index,
        ),
    )


async def holders(conn: Connection) -> frozenset[str]:
    """The institutions that have a grant on record, or one that is suspended."""
    cursor = await conn.execute(
        "SELECT DISTINCT unnest(institutions || institution) FROM grant_row"
        " WHERE NOT prohibition AND recorded_from IS NOT NULL"
        " AND (recorded_until IS NULL OR suspended)"
    )
    return frozenset(row[0] for row in await cursor.fetchall()) - {""}


async def next_number(conn: Connection, year: int) -> str:
    """The first number of that year that no deliberation has, nor any after it: "26/001"."""
    cursor = await conn.execute(
        "SELECT coalesce(max(split_part(number, '/', 2)::bigint), 0) FROM deliberation"
        " WHERE number ~ %s",
        (f"^{year % 100:02d}/[0-9]{{1,9}}$",),
    )
    row = await cursor.fetchone()
    assert row is not None
    return f"{year % 100:02d}/{row[0] + 1:03d}"


async def amend(conn: Connection, new: Deliberation, at: datetime, log_index: int) -> None:
    """Put a new version in the place of the old one, which stays readable."""
    await conn.execute(
        f"INSERT INTO deliberation_past ({_PAST}) SELECT {_PAST} FROM deliberation"  # noqa: S608
        " WHERE number = %s".encode(),
        (new.number,),
    )
    await conn.execute(
        "UPDATE deliberation SET version = %s, title_fr = %s, title_nl = %s, title_de = %s,"
        " title_en = %s, chamber = %s, decided_on = %s, submitted_by = %s, submitted_at = %s,"
        " act_id = %s, published_by = %s, published_at = %s, text_fr = %s, text_nl = %s,"
        " text_de = %s, scope = %s, enters_into_force = %s, log_index = %s WHERE number = %s",
        (
            new.version,
            new.title_fr,
            new.title_nl,
            new.title_de,
            new.title_en,
            new.chamber,
            new.decided_on,
            new.submitted_by,
            new.submitted_at,
            new.act_id,
            new.published_by,
            at,
            new.text_fr,
            new.text_nl,
            new.text_de,
            wire.scope_bytes(new.scope),
            new.enters_into_force,
            log_index,
            new.number,
        ),
    )


async def end_rows(
    conn: Connection, ids: Sequence[str], ending: tuple[datetime, str, str, int], *, suspended: bool
) -> None:
    """Take rows off the record: (recorded until, by, because, log index)."""
    await conn.execute(
        "UPDATE grant_row SET recorded_until = %s, ended_by = %s, ended_because = %s,"
        " end_log_index = %s, suspended = %s WHERE id = ANY(%s)",
        (*ending, suspended, list(ids)),
    )
