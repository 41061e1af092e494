"""A cluster's Vault from nothing, by the steps of infra/vault/README.md.

OpenBao, PostgreSQL, the requests and the offline root are real; of the cluster only the TokenReview
API is here (tests/support/cluster.py), and PostgreSQL is reached over its socket.
"""

import json
from pathlib import Path

import psycopg
import pytest
from cryptography import x509

from services.cli.platform.home import write_secret
from services.runtime.clock import SystemClock
from services.runtime.config import VaultConfig
from services.runtime.vault import Vault
from services.runtime.vaultsession import Session, VaultError
from tests.support.cluster import Cluster
from tests.support.community_vault import URL, Operator, SetUp
from tests.support.own_vault import OwnVault, own_vault
from tests.support.running import migrated

pytestmark = pytest.mark.xdist_group("own_vault")

AUTHORITIES = ["services", "institutions", "persons"]


def test_the_roots_key_is_made_once_and_protected(operator: Operator, set_up: SetUp) -> None:
    assert (operator.folder / "root.key").stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in (operator.folder / "root.key").read_bytes()
    again = operator.root()
    assert again.exit_code == 1
    assert "made once" in again.output


def test_what_waits_for_the_root_is_said_and_the_root_token_kept(set_up: SetUp) -> None:
    assert set_up.first.exit_code == 4, set_up.first.output
    first, second = json.loads(set_up.first.stdout), json.loads(set_up.second.stdout)
    assert [each["name"] for each in first["left"]] == AUTHORITIES
    assert all("crossroads vault sign" in each["todo"] for each in first["left"])
    assert first["root_token"] == "kept"  # it is needed again when they come back
    assert set(set_up.requests) == {f"{name}.csr" for name in AUTHORITIES}
    # Asked again before the root has signed, it changes nothing and waits for the same keys.
    assert (second["done"], second["left"]) == ([], first["left"])
    assert set_up.requests_again == set_up.requests


def test_when_the_root_has_signed_the_root_token_is_revoked(
    operator: Operator, set_up: SetUp
) -> None:
    assert set_up.last.exit_code == 0, set_up.last.output
    document = json.loads(set_up.last.stdout)
    assert [each["name"] for each in document["done"]] == AUTHORITIES
    assert document["root_token"] == "revoked"
    assert not (operator.folder / "root-token").exists()
    session = operator.vault.session(operator.vault.token)
    with pytest.raises(VaultError, match="status 403"):
        session.request("GET", "auth/token/lookup-self")
    session.close()


def test_the_operator_is_a_pod_and_finds_no_difference(operator: Operator, vault: OwnVault) -> None:
    result = operator.diff("vault-operator", "vault")
    assert result.exit_code == 0, result.output
    stranger = operator.diff("registry", "crossroads")
    assert stranger.exit_code == 1
    assert "log in again" in stranger.output


async def test_a_pod_gets_a_certificate_under_the_offline_root_and_a_database_login(
    operator: Operator, vault: OwnVault, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(cluster.token("contact", namespace="crossroads"))
    config = VaultConfig(
        address=vault.server.address,
        ca_file=str(vault.home.vault_ca),
        kubernetes_role="contact",
        kubernetes_token_file=str(tmp_path / "token"),
    )
    pod = await Vault.open(config, clock=SystemClock())
    uri, dns = "spiffe://crossroads/service/contact", "contact.crossroads.internal"
    issued = await pod.issue_certificate("pki-services", "contact", uri=uri, dns=dns)
    leaf, intermediate = x509.load_pem_x509_certificates(issued.chain_pem)
    leaf.verify_directly_issued_by(intermediate)
    root = x509.load_pem_x509_certificate((operator.folder / "root.pem").read_bytes())
    intermediate.verify_directly_issued_by(root)
    login = await pod.database_credentials("contact")
    async with await psycopg.AsyncConnection.connect(
        host=str(vault.home.socket_dir),
        dbname="contact",
        user=login.username,
        password=login.password,
    ) as conn:
        row = await (await conn.execute("SELECT pg_has_role('contact_owner', 'member')")).fetchone()
    assert row == (True,)
    await pod.close()
    given = (operator.folder / "databases" / "contact" / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(
            host=str(vault.home.socket_dir),
            dbname="contact",
            user="vault_contact",
            password=given,
        )


async def test_a_migration_brings_the_tables_up_and_may_do_nothing_else_of_its_service(
    vault: OwnVault, cluster: Cluster, tmp_path: Path
) -> None:
    token = cluster.token("logging-migrate", namespace="crossroads")
    (tmp_path / "token").write_text(token)
    login = {
        "address": vault.server.address,
        "ca_file": str(vault.home.vault_ca),
        "kubernetes_role": "logging-migrate",
        "kubernetes_token_file": str(tmp_path / "token"),
    }
    database = {"name": "logging", "role": "logging", "owner": "logging_owner"}
    runtime = {
        "name": "logging",
        "vault": login,
        "peers": {"identity": "identity:1", "registry": "registry:1"},
        "database": database | {"host": str(vault.home.socket_dir)},
    }
    code, written = await migrated("logging", tmp_path, {"origin": "a.test", "runtime": runtime})
    assert (code, "migrated" in written) == (0, True), written
    with psycopg.connect(**vault.postgres.superuser() | {"dbname": "logging"}) as conn:
        assert conn.execute("SELECT count(*) > 0 FROM schema_migration").fetchone() == (True,)

    session = vault.session()
    with pytest.raises(VaultError, match="status 403"):
        session.login_by_kubernetes("kubernetes", "logging", token)
    session.login_by_kubernetes("kubernetes", "logging-migrate", token)
    for path in ("transit/sign/log-checkpoint", "transit/decrypt/log-month-exchange-2026-11",
                 "pki-services/sign/logging", "database/creds/registry"):  # fmt: skip
        method = "GET" if path.startswith("database") else "POST"
        assert _status(session, path, method) == 403, path
    session.close()


def test_who_takes_snapshots_gets_them_and_nothing_else(vault: OwnVault, cluster: Cluster) -> None:
    session = vault.session()
    token = cluster.token("openbao-snapshots", namespace="vault")
    session.login_by_kubernetes("kubernetes", "snapshots", token)
    assert _status(session, "sys/storage/raft/snapshot") == 200
    assert _status(session, "sys/policies/acl/operator") == 403
    session.close()


def _status(session: Session, path: str, method: str = "GET") -> int:
    """What a request is answered with; a snapshot is no JSON."""
    try:
        session.request(method, path)
    except VaultError as error:
        return error.status
    return 200


def test_an_authority_of_another_root_is_a_difference(
    operator: Operator, vault: OwnVault, tmp_path: Path
) -> None:
    other = (f"--key-file={tmp_path / 'key'}", f"--certificate-file={tmp_path / 'root.pem'}")
    assert vault.command("root", *other).exit_code == 0
    result = operator.diff("vault-operator", "vault", authorities=tmp_path)
    assert result.exit_code == 4
    found = json.loads(result.stdout)["differences"]
    assert [(each["kind"], each["name"], each["change"]) for each in found] == [
        ("authority", name, "changed") for name in AUTHORITIES
    ]
    assert {field["name"] for each in found for field in each["fields"]} == {"issuer"}


def test_a_certificate_for_another_key_is_not_put_in_place(
    operator: Operator, vault: OwnVault
) -> None:
    # The engine begins anew; the certificate in the folder is of the key that it had.
    vault.root.request("DELETE", "sys/mounts/pki-persons")
    token = vault.root.request("POST", "auth/token/create", {"policies": ["root"]})
    operator.take(token["auth"]["client_token"])
    certificate = operator.authorities / "persons.pem"
    signed = certificate.read_bytes()
    assert operator.apply().exit_code == 4
    certificate.write_bytes(signed)
    result = operator.apply()
    assert result.exit_code == 1
    assert "not for a key of this Vault" in result.output.replace("\n", " ")
    certificate.unlink()
    assert operator.sign().exit_code == 0
    assert operator.apply().exit_code == 0
    assert not (operator.folder / "root-token").exists()


def test_the_public_cloud_has_a_vault_that_knows_nothing_of_the_community(
    tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_vault(tmp_path_factory.mktemp("public")) as vault:
        monkeypatch.chdir(vault.home.path)
        _, password = vault.postgres.reset_vault_login("publication")
        write_secret(vault.home.path / "databases" / "publication" / "password", password)
        write_secret(vault.home.path / "root-token", vault.token)
        where = (
            "--environment=public",
            f"--address={vault.server.address}",
            f"--ca-file={vault.home.vault_ca}",
            "--token-file=root-token",
            "--databases=databases",
            f"--value=connection_url={URL.format(socket=vault.home.socket_dir)}",
            f"--value=kubernetes_host={cluster.address}",
            f"--value=kubernetes_ca={cluster.ca.read_text()}",
        )
        first = json.loads(vault.command("apply", *where, "--json").stdout)
        assert [each["name"] for each in first["left"]] == ["services"]
        (missing,) = vault.diff(*where)
        assert (missing["kind"], missing["change"]) == ("authority", "missing")
        engines = vault.root.request("GET", "sys/mounts")["data"]
        assert "transit/" not in engines
        assert "pki-institutions/" not in engines
