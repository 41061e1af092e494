"""The tables of a version to come: each has got more than the code at hand knows.

Contract: `go_ahead` migrates a database as a next version might, with additions only (by the rule
of tools/additive.py): to each table a column that may be empty and one with a default, and a table
of its own. A service must go on with it, and must start on it.
"""

from typing import Any

from tools.additive import faults

NUMBER, RELEASE = 9000, (9999, 0, 0)
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> %s"


def additions(tables: list[str]) -> list[str]:
    """What the next version adds to these, each a migration."""
    columns = "ADD of_next text, ADD counted_by_next integer NOT NULL DEFAULT 7"
    return [
        "CREATE TABLE of_next (id bigint PRIMARY KEY); INSERT INTO of_next VALUES (1);",
        *(f"ALTER TABLE {table} {columns};" for table in tables),
    ]


async def go_ahead(conn: Any) -> int:
    """Migrate the database of this connection (psycopg's, async); how many tables it changed."""
    cursor = await conn.execute(TABLES, ("schema_migration",))
    tables = sorted(name for (name,) in await cursor.fetchall())
    for place, sql in enumerate(additions(tables)):
        assert faults([("next", sql)], RELEASE) == []
        async with conn.transaction():
            await conn.execute("SET LOCAL lock_timeout = '10s'")
            await conn.execute(sql, prepare=False)
            await conn.execute(
                "INSERT INTO schema_migration (number, name, checksum) VALUES (%s, 'next', '')",
                (NUMBER + place,),
            )
    return len(tables)
