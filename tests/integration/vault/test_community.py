"""A cluster's Vault from nothing, by the steps of infra/vault/README.md.

OpenBao, PostgreSQL, the requests and the offline root are real; of the cluster only the TokenReview
API is here (tests/support/cluster.py), and PostgreSQL is reached over its socket.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from typer.testing import Result

from services.cli.platform.home import write_secret
from services.cli.vault.declaration import declare
from services.runtime.clock import SystemClock
from services.runtime.config import VaultConfig
from services.runtime.vault import Vault
from services.runtime.vaultsession import Session, VaultError
from tests.support.cluster import Cluster
from tests.support.own_vault import OwnVault, own_vault

pytestmark = pytest.mark.xdist_group("own_vault")

URL = "host={socket} dbname=${{service}} user={{{{username}}}} password={{{{password}}}}"
PASSPHRASE = "a passphrase of this test"
ROOT = ("--key-file=root.key", "--certificate-file=root.pem", "--passphrase-file=passphrase")
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API that OpenBao asks who a pod is."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnVault]:
    """An OpenBao that was initialised and nothing more."""
    with own_vault(tmp_path_factory.mktemp("community")) as made:
        yield made


@pytest.fixture(scope="module")
def folder(vault: OwnVault) -> Path:
    """Where the operator works: the root token, and what the databases' owner gives."""
    made = vault.home.path / "operator"
    write_secret(made / "root-token", vault.token)
    (made / "passphrase").write_text(f"{PASSPHRASE}\n")
    for item in declare("community").items:
        if item.kind == "database connection":
            _, password = vault.postgres.reset_vault_login(item.name)
            write_secret(made / "databases" / item.name / "password", password)
    return made


@pytest.fixture
def command(
    vault: OwnVault, folder: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """`crossroads vault diff|apply` on the cluster's Vault, in the operator's folder."""
    monkeypatch.chdir(folder)
    where = (
        "--environment=community",
        f"--address={vault.server.address}",
        f"--ca-file={vault.home.vault_ca}",
        "--databases=databases",
        f"--value=connection_url={URL.format(socket=vault.home.socket_dir)}",
        f"--value=kubernetes_host={cluster.address}",
        f"--value=kubernetes_ca={cluster.ca.read_text()}",
    )

    def run(name: str, *arguments: str) -> Result:
        return vault.command(name, *where, *arguments)

    return run


def test_a_cluster_is_set_up_and_its_root_token_revoked(
    command: Command, vault: OwnVault, folder: Path
) -> None:
    made = vault.command("root", *ROOT)
    assert made.exit_code == 0, made.output
    assert (folder / "root.key").stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in (folder / "root.key").read_bytes()
    again = vault.command("root", *ROOT)
    assert again.exit_code == 1
    assert "made once" in again.output

    first = command("apply", "--token-file=root-token", "--json")
    assert first.exit_code == 4, first.output
    document = json.loads(first.stdout)
    waiting = [each["name"] for each in document["left"]]
    assert waiting == ["services", "institutions", "persons"]
    assert all("crossroads vault sign" in each["todo"] for each in document["left"])
    assert document["root_token"] == "kept"  # it is needed again when they come back
    requests = {file.name: file.read_bytes() for file in (folder / "authorities").iterdir()}
    assert set(requests) == {f"{name}.csr" for name in waiting}

    # Asked again before the root has signed, it waits for the same keys.
    second = json.loads(command("apply", "--token-file=root-token", "--json").stdout)
    assert (second["done"], second["left"]) == ([], document["left"])
    assert all((folder / "authorities" / n).read_bytes() == pem for n, pem in requests.items())

    assert vault.command("sign", *ROOT).exit_code == 0
    (folder / "authorities" / "root.pem").write_bytes((folder / "root.pem").read_bytes())
    last = command("apply", "--token-file=root-token", "--json")
    assert last.exit_code == 0, last.output
    document = json.loads(last.stdout)
    assert [each["name"] for each in document["done"]] == waiting
    assert document["root_token"] == "revoked"
    assert not (folder / "root-token").exists()
    session = vault.session(vault.token)
    with pytest.raises(VaultError, match="status 403"):
        session.request("GET", "auth/token/lookup-self")
    session.close()


def test_the_operator_is_a_pod_and_finds_no_difference(
    command: Command, cluster: Cluster, folder: Path
) -> None:
    (folder / "token").write_text(cluster.token("vault-operator", namespace="vault"))
    result = command("diff", "--kubernetes-token-file=token")
    assert result.exit_code == 0, result.output
    (folder / "stranger").write_text(cluster.token("registry", namespace="crossroads"))
    result = command("diff", "--kubernetes-token-file=stranger")
    assert result.exit_code == 1
    assert "log in again" in result.output


async def test_a_pod_gets_a_certificate_under_the_offline_root_and_a_database_login(
    vault: OwnVault, cluster: Cluster, folder: Path, tmp_path: Path
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
    root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
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
    given = (folder / "databases" / "contact" / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await psycopg.AsyncConnection.connect(
            host=str(vault.home.socket_dir),
            dbname="contact",
            user="vault_contact",
            password=given,
        )


def test_who_takes_snapshots_gets_them_and_nothing_else(vault: OwnVault, cluster: Cluster) -> None:
    session = vault.session()
    token = cluster.token("openbao-snapshots", namespace="vault")
    session.login_by_kubernetes("kubernetes", "snapshots", token)
    assert _status(session, "sys/storage/raft/snapshot") == 200
    assert _status(session, "sys/policies/acl/operator") == 403
    session.close()


def _status(session: Session, path: str) -> int:
    """What a request is answered with; a snapshot is no JSON."""
    try:
        session.request("GET", path)
    except VaultError as error:
        return error.status
    return 200


def test_an_authority_of_another_root_is_a_difference(
    command: Command, cluster: Cluster, vault: OwnVault, folder: Path, tmp_path: Path
) -> None:
    (folder / "token").write_text(cluster.token("vault-operator", namespace="vault"))
    other = (f"--key-file={tmp_path / 'key'}", f"--certificate-file={tmp_path / 'root.pem'}")
    assert vault.command("root", *other).exit_code == 0
    result = command("diff", "--kubernetes-token-file=token", f"--authorities={tmp_path}", "--json")
    assert result.exit_code == 4
    found = json.loads(result.stdout)["differences"]
    assert [(each["kind"], each["name"], each["change"]) for each in found] == [
        ("authority", name, "changed") for name in ("services", "institutions", "persons")
    ]
    assert {field["name"] for each in found for field in each["fields"]} == {"issuer"}


def test_a_certificate_for_another_key_is_not_put_in_place(
    vault: OwnVault, command: Command, folder: Path
) -> None:
    # The engine begins anew; the certificate in the folder is of the key that it had.
    vault.root.request("DELETE", "sys/mounts/pki-persons")
    root = vault.root.request("POST", "auth/token/create", {"policies": ["root"]})
    write_secret(folder / "root-token", root["auth"]["client_token"])
    signed = (folder / "authorities" / "persons.pem").read_bytes()
    assert command("apply", "--token-file=root-token").exit_code == 4
    (folder / "authorities" / "persons.pem").write_bytes(signed)
    result = command("apply", "--token-file=root-token")
    assert result.exit_code == 1
    assert "not for a key of this Vault" in result.output.replace("\n", " ")
    (folder / "authorities" / "persons.pem").unlink()
    assert vault.command("sign", *ROOT).exit_code == 0
    assert command("apply", "--token-file=root-token").exit_code == 0
    assert not (folder / "root-token").exists()


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
