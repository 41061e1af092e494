"""What the clusters' roles.sql makes is what one machine has, where Vault's logins are tested."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.cli.platform.postgres import _statements
from tests.support.manifests import INFRA
from tests.support.own_postgres import OwnPostgres, own_postgres

SQL = (INFRA / "databases" / "roles" / "roles.sql").read_text()
ROLES = "rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


def described(conn: psycopg.Connection[Any], service: str) -> list[Any]:
    """Roles, memberships, settings and rights, the service's name taken out."""
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
    return [str(conn.execute(query).fetchall()).replace(service, "SERVICE") for query in queries]


def test_the_roles_of_a_cluster_are_those_of_one_machine(server: OwnPostgres) -> None:
    with psycopg.connect(**server.server.superuser()) as conn:
        # As the operator's initdb does before the file runs: an owner that may log in.
        conn.execute("CREATE ROLE alpha_owner LOGIN PASSWORD 'x'")
        conn.execute("CREATE DATABASE alpha OWNER alpha_owner")
        with psycopg.connect(**server.server.superuser("alpha")) as inside:
            inside.execute(SQL)
        for statement in _statements("omega"):
            conn.execute(statement)
        assert described(conn, "alpha") == described(conn, "omega")
