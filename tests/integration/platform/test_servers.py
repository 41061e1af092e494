"""Where the shared servers come from: what `--servers` asks for, or a skip that says why not."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support import containers
from tests.support.platform import OpenBao, Postgres

ROOT = Path(__file__).resolve().parents[3]
NOBODY = "unix:///nowhere/docker.sock"


def test_the_servers_come_from_where_they_were_asked_for(
    postgres: Postgres, openbao: OpenBao, in_containers: bool
) -> None:
    home = openbao.home
    assert (home.run / "postgres.container").exists() == in_containers
    assert (home.run / "openbao.container").exists() == in_containers
    assert home.pid_file("postgres").exists() != in_containers
    assert home.pid_file("openbao").exists() != in_containers


def test_whatever_it_comes_from_postgresql_is_set_up_alike(postgres: Postgres) -> None:
    def shown(name: str) -> str:
        row = conn.execute("SELECT current_setting(%s)", (name,)).fetchone()
        return str(row and row[0])

    with psycopg.connect(**postgres.server.superuser()) as conn:
        assert shown("server_version").startswith("18.")
        assert shown("server_encoding") == "UTF8"
        assert shown("fsync") == "off"
        assert shown("listen_addresses") == ""
        locale = conn.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'template1'"
        ).fetchone()
    assert locale == ("b", "C.UTF-8")
    wrong = postgres.server.superuser() | {"password": "wrong"}
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(**wrong)


ALIKE = test_whatever_it_comes_from_postgresql_is_set_up_alike.__name__


def test_without_an_engine_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOBODY)
    assert containers.missing().startswith(f"no Docker engine answers at {NOBODY}")


def test_without_an_engine_a_test_that_wants_a_container_is_skipped(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-rs", "-q", "--servers=containers"),
            *("-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}"),
            f"{Path(__file__).relative_to(ROOT)}::{ALIKE}",
        ],
        cwd=ROOT,
        env=os.environ | {"DOCKER_HOST": NOBODY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert f"no Docker engine answers at {NOBODY}" in done.stdout


def test_an_image_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTGRES_IMAGE", raising=False)
    assert containers.image("POSTGRES_IMAGE") == "docker.io/library/postgres:18"
    monkeypatch.setenv("POSTGRES_IMAGE", "localhost/ours:1")
    assert containers.image("POSTGRES_IMAGE") == "localhost/ours:1"
