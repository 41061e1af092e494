"""Migrations: numbered SQL files of a service, applied forward only, each once.

Contract: `<package>/migrations/NNNN_<what>.sql`, each one transaction, in the order of their
numbers. What was applied is in the table schema_migration with the SHA-256 of its text; a file that
was edited afterwards is refused, as is one numbered below what was applied. A database that is
ahead of the code is fine: old and new code both run across each migration. Processes that start at
the same time wait for each other (advisory lock).
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources

from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Connection, Database

NAME = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
LOCK = 0x63726F7373  # "cross": one key, for each database is one service's
LOCK_TIMEOUT = timedelta(seconds=10)
STATEMENT_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True)
class Migration:
    """One file: its number, its name and its SQL."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).digest()


async def migrate(database: Database, package: str) -> tuple[Migration, ...]:
    """Apply what `package` (services.identity, say) has and the database has not.

    Gives those applied now. Raises FAILED_PRECONDITION when a file contradicts what was applied,
    STORE_UNAVAILABLE when the database does not answer or a lock is held too long.
    """
    wanted = read(package)
    async with database.connection(patience=STATEMENT_TIMEOUT) as conn:
        if not pending(wanted, await _applied(conn)):
            return ()
        await conn.execute(f"SET lock_timeout = {int(LOCK_TIMEOUT.total_seconds() * 1000)}")
        await conn.execute(
            f"SET statement_timeout = {int(STATEMENT_TIMEOUT.total_seconds() * 1000)}"
        )
        await conn.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        try:
            missing = pending(wanted, await _applied(conn))
            for migration in missing:
                await _apply(conn, migration)
        finally:
            if not conn.closed:
                await conn.close()  # frees the lock, and with it the settings above
    return missing


def read(package: str) -> tuple[Migration, ...]:
    """The migrations of a package, by number. Raises FAILED_PRECONDITION on a bad name."""
    folder = resources.files(package).joinpath("migrations")
    found: dict[int, Migration] = {}
    for file in folder.iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = NAME.fullmatch(file.name)
        if match is None:
            raise _refused(f"{file.name}: name it NNNN_what_it_does.sql")
        number = int(match["number"])
        if number in found:
            raise _refused(f"{file.name}: number {number:04} is taken by {found[number].name}")
        found[number] = Migration(number, match["name"], file.read_text("utf-8"))
    return tuple(found[number] for number in sorted(found))


def pending(wanted: tuple[Migration, ...], applied: dict[int, bytes]) -> tuple[Migration, ...]:
    """Which of `wanted` are to be applied. `applied`: number to checksum.

    Raises FAILED_PRECONDITION when one was edited after it was applied, or comes too late.
    """
    missing = []
    newest = max(applied, default=0)
    for migration in wanted:
        label = f"{migration.number:04}_{migration.name}.sql"
        if migration.number not in applied:
            if migration.number < newest:
                raise _refused(f"{label}: {newest:04} was applied before it; number it higher")
            missing.append(migration)
        elif applied[migration.number] != migration.checksum:
            raise _refused(f"{label}: edited after it was applied; add a new migration instead")
    return tuple(missing)


async def _applied(conn: Connection) -> dict[int, bytes]:
    """Number to checksum of what the database has."""
    known = await conn.execute("SELECT to_regclass('schema_migration') IS NOT NULL")
    row = await known.fetchone()
    if row is None or not row[0]:
        return {}
    rows = await conn.execute("SELECT number, checksum FROM schema_migration")
    return {number: bytes(checksum) async for number, checksum in rows}


async def _apply(conn: Connection, migration: Migration) -> None:
    """One migration and its record, in one transaction."""
    async with conn.transaction():
        await conn.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migration (
                number integer PRIMARY KEY,
                name text NOT NULL,
                checksum bytea NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        await conn.execute(migration.sql, prepare=False)
        await conn.execute(
            "INSERT INTO schema_migration (number, name, checksum) VALUES (%s, %s, %s)",
            (migration.number, migration.name, migration.checksum),
        )


def _refused(message: str) -> CrossroadsError:
    return CrossroadsError(Reason.FAILED_PRECONDITION, f"migration {message}")
