"""The pool of one process against a real PostgreSQL."""

from datetime import timedelta

import psycopg
import pytest

from services.runtime.errors import CrossroadsError, Reason
from tests.support.platform import OpenDatabase, Postgres


async def test_a_session_acts_as_the_owner_and_owns_nothing(fresh_database: OpenDatabase) -> None:
    database = await fresh_database()
    async with database.transaction() as conn:
        await conn.execute("CREATE TABLE thing (id integer)")
        row = await (
            await conn.execute(
                "SELECT tableowner, session_user FROM pg_tables WHERE tablename = 'thing'"
            )
        ).fetchone()
    assert row is not None
    assert row[0].endswith("_owner")
    assert row[1].endswith("_login")


async def test_a_wrong_password_is_refused(postgres: Postgres) -> None:
    parameters = postgres.server.superuser() | {"password": "wrong"}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(**parameters)


async def test_a_transaction_that_fails_leaves_nothing(fresh_database: OpenDatabase) -> None:
    database = await fresh_database()
    async with database.connection() as conn:
        await conn.execute("CREATE TABLE thing (id integer PRIMARY KEY)")
    async with database.transaction() as conn:
        await conn.execute("INSERT INTO thing VALUES (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        async with database.transaction() as conn:
            await conn.execute("INSERT INTO thing VALUES (2), (1)")
    async with database.connection() as conn:
        row = await (await conn.execute("SELECT count(*) FROM thing")).fetchone()
    assert row == (1,)


async def test_a_statement_that_takes_too_long_is_store_unavailable(
    fresh_database: OpenDatabase,
) -> None:
    database = await fresh_database(statement_timeout=timedelta(milliseconds=50))
    with pytest.raises(CrossroadsError) as failure:
        async with database.connection() as conn:
            await conn.execute("SELECT pg_sleep(5)")
    assert failure.value.reason is Reason.STORE_UNAVAILABLE
    assert failure.value.retry_after == 1.0
