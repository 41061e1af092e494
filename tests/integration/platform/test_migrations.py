"""Migrations against a real PostgreSQL."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest

from services.runtime.errors import CrossroadsError, Reason
from services.runtime.migrations import migrate
from services.runtime.postgres import Database
from tests.support.platform import OpenDatabase

Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A function that writes a package with these migrations: name to SQL; its name."""
    name = f"package_{tmp_path.name}".replace("-", "_").replace("[", "").replace("]", "")
    folder = tmp_path / name / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(**files: str) -> str:
        for file, sql in files.items():
            (folder / f"{file.removeprefix('m')}.sql").write_text(sql)
        return name

    return write


async def rows(database: Database, query: str) -> Sequence[tuple[object, ...]]:
    async with database.connection() as conn:
        return await (await conn.execute(query)).fetchall()


async def test_each_migration_is_applied_once_in_order(
    fresh_database: OpenDatabase, package: Package
) -> None:
    database = await fresh_database()
    name = package(
        m0001_thing="CREATE TABLE thing (id integer); INSERT INTO thing VALUES (1);",
        m0002_more="ALTER TABLE thing ADD note text DEFAULT 'x';",
    )
    assert [each.number for each in await migrate(database, name)] == [1, 2]
    assert await migrate(database, name) == ()
    package(m0003_last="INSERT INTO thing VALUES (2);")
    assert [each.number for each in await migrate(database, name)] == [3]
    assert await rows(database, "SELECT id, note FROM thing ORDER BY id") == [(1, "x"), (2, "x")]


async def test_processes_that_migrate_at_the_same_time_apply_each_migration_once(
    fresh_database: OpenDatabase, package: Package
) -> None:
    database = await fresh_database()
    name = package(m0001_thing="CREATE TABLE thing (id integer); SELECT pg_sleep(0.2);")
    done = await asyncio.gather(*(migrate(database, name) for _ in range(4)))
    assert sorted(len(each) for each in done) == [0, 0, 0, 1]


async def test_an_edited_migration_is_refused(
    fresh_database: OpenDatabase, package: Package
) -> None:
    database = await fresh_database()
    name = package(m0001_thing="CREATE TABLE thing (id integer);")
    await migrate(database, name)
    package(m0001_thing="CREATE TABLE thing (id bigint);")
    with pytest.raises(CrossroadsError, match="edited") as failure:
        await migrate(database, name)
    assert failure.value.reason is Reason.FAILED_PRECONDITION


async def test_a_migration_that_fails_leaves_nothing(
    fresh_database: OpenDatabase, package: Package
) -> None:
    database = await fresh_database()
    name = package(m0001_thing="CREATE TABLE thing (id integer); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(database, name)
    assert await rows(database, "SELECT to_regclass('thing')") == [(None,)]
    package(m0001_thing="CREATE TABLE thing (id integer);")
    assert len(await migrate(database, name)) == 1
