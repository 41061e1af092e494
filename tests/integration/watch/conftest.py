"""A database with the tables of the watch package, and a table in it."""

import pytest

from services.runtime.clock import SystemClock
from services.runtime.postgres import Database
from services.runtime.watch.migrations import WATCH_MIGRATION
from services.runtime.watch.owner import Table
from tests.support.platform import OpenDatabase


@pytest.fixture
async def database(fresh_database: OpenDatabase) -> Database:
    """A database of the test's own, with the watch tables."""
    database: Database = await fresh_database()
    async with database.transaction() as conn:
        await conn.execute(WATCH_MIGRATION)
    return database


@pytest.fixture
async def table(database: Database) -> Table:
    """An empty watched table, loaded."""
    table = Table(name="grants", database=database, clock=SystemClock())
    await table.load()
    return table
