"""A service's database is brought up without serving: what a cluster does before an upgrade."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from services.runtime.config import VaultConfig
from tests.support.platform import OpenBao, Postgres
from tests.support.running import migrated


def configured(vault: VaultConfig, openbao: OpenBao) -> dict[str, Any]:
    given = {name: value for name, value in asdict(vault).items() if value}
    return {
        "name": "contact",
        "vault": given,
        "database": asdict(openbao.database_config("contact")),
        "peers": {"logging": "logging:1", "registry": "registry:1"},
    }


async def test_the_tables_are_there_afterwards_and_again_changes_nothing(
    openbao: OpenBao, postgres: Postgres, tmp_path: Path
) -> None:
    runtime = configured(openbao.config("contact"), openbao)
    for _ in range(2):
        code, written = await migrated("contact", tmp_path, {"runtime": runtime})
        assert (code, '"message":"migrated"' in written.replace(": ", ":")) == (0, True), written
    with psycopg.connect(**postgres.server.superuser() | {"dbname": "contact"}) as conn:
        row = conn.execute("SELECT count(*) FROM schema_migration").fetchone()
    assert row is not None
    assert row[0] > 0


async def test_without_its_database_the_job_fails_and_says_why(
    openbao: OpenBao, tmp_path: Path
) -> None:
    runtime = configured(openbao.config("contact"), openbao)
    del runtime["database"]
    code, written = await migrated("contact", tmp_path, {"runtime": runtime})
    assert code == 70
    assert "could not migrate; ending" in written
    assert "runtime.database: missing" in written


async def test_a_service_that_is_not_told_where_another_is_does_not_start(
    openbao: OpenBao, tmp_path: Path
) -> None:
    runtime = configured(openbao.config("contact"), openbao)
    del runtime["peers"]["logging"]
    code, written = await migrated("contact", tmp_path, {"runtime": runtime})
    assert code == 78
    assert "runtime.peers.logging: missing; give its host:port" in written
