"""What the clusters' roles.sql makes is what one machine has, where Vault's logins are tested."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.cli.platform.postgres import _statements
from tests.support.manifests import INFRA
from tests.support.own_postgres import OwnPostgres, own_postgres

SQL = (INFRA / "databases" / "roles" / "roles.sql").read_text()
OPERATORS = re.compile("(streaming_replica|pg_monitor)=c/[^,}]*,?")
ROLES = "rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


def described(conn: psycopg.Connection[Any], service: str) -> list[Any]:
    """Roles, memberships, settings and rights, but the operator's; the service's name taken out."""
    queries = (
        f"SELECT {ROLES} FROM pg_roles WHERE rolname LIKE '%{service}%' ORDER BY 1",
        "SELECT r.rolname, m.rolname, admin_option, inherit_option, set_option FROM pg_auth_members"
        " JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member"
        f" WHERE m.rolname LIKE '%{service}%' ORDER BY 1, 2",
        "SELECT rolname, setconfig FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole"
        f" WHERE rolname LIKE '%{service}%'",
        "SELECT datname, pg_get_userbyid(datdba), datacl::text FROM pg_database"
        f" WHERE datname IN ('{service}', 'postgres', 'template1') ORDER BY 1",
    )
    found = (str(conn.execute(query).fetchall()) for query in queries)
    return [
        OPERATORS.sub("", each).replace(service, "SERVICE").replace(",}", "}") for each in found
    ]


@pytest.fixture(scope="module")
def conn(server: OwnPostgres) -> Iterator[psycopg.Connection[Any]]:
    """A server on which the file ran, for the service alpha."""
    with psycopg.connect(**server.server.superuser()) as conn:
        # As the operator's initdb does before the file runs: an owner that may log in.
        conn.execute("CREATE ROLE alpha_owner LOGIN PASSWORD 'x'")
        conn.execute("CREATE DATABASE alpha OWNER alpha_owner")
        with psycopg.connect(**server.server.superuser("alpha")) as inside:
            inside.execute(SQL)
        yield conn


def test_the_roles_of_a_cluster_are_those_of_one_machine(
    conn: psycopg.Connection[Any],
) -> None:
    for statement in _statements("omega"):
        conn.execute(statement)
    assert described(conn, "alpha") == described(conn, "omega")


def test_the_operator_reaches_what_it_asks_and_nobody_else(conn: psycopg.Connection[Any]) -> None:
    # Who it is, as CloudNativePG 1.30 makes it: pg_rewind and the wait for a new primary go to
    # "postgres" as streaming_replica; metrics come from there and from the service's database.
    conn.execute("CREATE ROLE cnpg_metrics_exporter LOGIN IN ROLE pg_monitor")
    conn.execute("CREATE ROLE nobody LOGIN")
    names = ("streaming_replica", "cnpg_metrics_exporter", "nobody", "vault_alpha")
    query = "SELECT has_database_privilege(%s, %s, 'CONNECT')"
    may = {
        name: {
            database
            for database in ("alpha", "postgres", "template1")
            if conn.execute(query, [name, database]).fetchall() == [(True,)]
        }
        for name in names
    }
    assert may == {
        "streaming_replica": {"postgres"},
        "cnpg_metrics_exporter": {"alpha", "postgres"},
        "nobody": set(),
        "vault_alpha": {"alpha"},
    }
    query = "SELECT rolcanlogin, rolreplication, rolsuper FROM pg_roles WHERE rolname = %s"
    assert conn.execute(query, ["streaming_replica"]).fetchall() == [(True, True, False)]
