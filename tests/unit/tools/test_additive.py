"""Migrations only add: a process of the version before goes on with the tables of the next."""

import tomllib
from pathlib import Path

import pytest

import services
from services.runtime.migrations import read
from tools.additive import faults

ROOT = Path(services.__file__).parent
PACKAGES = sorted(folder.parent.name for folder in ROOT.glob("*/migrations"))
RELEASE = (0, 3, 0)
FIRST = ("0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY, text text, CHECK (id > 0));")

BEFORE_THE_FIRST_RELEASE = {
    "authorization": ["0004_recipients_and_phases.sql: grant_row: add check"],
    "logging": ["0002_evidence.sql: builds an index on subject_entry"],
}
"""Of no released version; migrations that were applied somewhere are not edited."""


def version() -> tuple[int, int, int]:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    major, minor, patch = map(int, project["version"].split("."))
    return major, minor, patch


def found(sql: str, comment: str = "") -> list[str]:
    """Of a second migration."""
    return faults([FIRST, ("0002_b.sql", f"{comment}\n{sql}")], RELEASE)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_process_of_the_version_before_can_live_with_each_migration(name: str) -> None:
    migrations = [
        (f"{each.number:04}_{each.name}.sql", each.sql) for each in read(f"services.{name}")
    ]
    assert migrations
    told, known = faults(migrations, version()), BEFORE_THE_FIRST_RELEASE.get(name, [])
    assert [fault[: len(start)] for fault, start in zip(told, known, strict=True)] == known


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE a",
        "DROP INDEX a_text",
        "TRUNCATE a",
        "ALTER TABLE a DROP COLUMN text",
        "ALTER TABLE a DROP text",
        "ALTER TABLE IF EXISTS a RENAME COLUMN text TO words",
        "ALTER TABLE a RENAME TO b",
        "ALTER TABLE a ALTER COLUMN text TYPE varchar(10)",
        "ALTER TABLE a ALTER text SET NOT NULL",
        "ALTER TABLE a ALTER text DROP NOT NULL",
        "ALTER TABLE a ALTER text SET DEFAULT 'x'",
        "ALTER TABLE a ADD b text NOT NULL",
        "ALTER TABLE a ADD COLUMN IF NOT EXISTS b text CHECK (b <> 'DEFAULT') NOT NULL",
        "ALTER TABLE a ADD b text, ADD c text NOT NULL",
        "ALTER TABLE a ADD b integer DEFAULT 1 UNIQUE",
        "ALTER TABLE a ADD b bigint PRIMARY KEY",
        "ALTER TABLE a ADD b text CHECK (b = text)",
        "ALTER TABLE a ADD CHECK (text <> '')",
        "ALTER TABLE a ADD CONSTRAINT short CHECK (length(text) < 9) NOT VALID",
        "ALTER TABLE a ADD UNIQUE (text)",
        "ALTER TABLE a ADD FOREIGN KEY (text) REFERENCES b (id)",
        "CREATE UNIQUE INDEX a_text ON a (text)",
        "CREATE INDEX a_text ON a (text)",
        "CREATE TRIGGER t BEFORE INSERT ON a EXECUTE FUNCTION f()",
        "UPDATE a SET text = 'x'",
        "DELETE FROM a",
        "INSERT INTO a VALUES (1)",
        "REVOKE SELECT ON a FROM PUBLIC",
        "DO $$ BEGIN DROP TABLE a; END $$",
    ],
)
def test_what_the_version_before_could_not_live_with_is_found(sql: str) -> None:
    assert len(found(f"{sql};")) == 1
    assert len(found(f"SET LOCAL lock_timeout = '10s'; {sql}")) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE a ADD b text",
        "ALTER TABLE a ADD COLUMN b text[] NOT NULL DEFAULT '{}', ADD c text UNIQUE",
        "ALTER TABLE a ADD b integer DEFAULT 1 NOT NULL CHECK (b IN (1, 2))",
        "CREATE TABLE b (id text); CREATE UNIQUE INDEX b_id ON b (id); INSERT INTO b VALUES ('x')",
        "CREATE TABLE b (id text); ALTER TABLE b ADD UNIQUE (id)",
        "COMMENT ON TABLE a IS 'DROP TABLE a; ALTER TABLE a DROP text'",
        "-- DROP TABLE a;\n/* DROP TABLE a; */",
    ],
)
def test_an_addition_is_no_fault(sql: str) -> None:
    assert found(f"{sql};") == []


def test_what_an_older_release_no_longer_uses_may_go() -> None:
    drop = "ALTER TABLE a DROP COLUMN text;"
    assert found(drop, "-- Unused since 0.2.0: notes are in b.") == []
    assert len(found(drop, "-- Unused since 0.2.0:")) == 1
    assert "in a later release" in found(drop, "-- Unused since 0.3.0: notes are in b.")[0]


def test_what_is_said_of_one_statement_is_not_said_of_the_next() -> None:
    both = "ALTER TABLE a DROP COLUMN text; DROP TABLE a;"
    assert len(found(both, "-- Unused since 0.2.0: notes are in b.")) == 1
