"""Vault as one service sees it, against a real OpenBao."""

from collections.abc import Awaitable, Callable

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.issuing import certificate_role
from services.runtime.postgres import Database
from services.runtime.vault import Vault
from tests.support.platform import OpenBao

OpenVault = Callable[[str], Awaitable[Vault]]
NAMES = {"uri": "spiffe://crossroads/service/logging", "dns": "logging.crossroads.internal"}


async def test_a_service_gets_a_certificate_with_exactly_its_names(
    open_vault: OpenVault, openbao: OpenBao
) -> None:
    vault = await open_vault("logging")
    issued = await vault.issue_certificate(
        "pki-services", "logging", uri=NAMES["uri"], dns=NAMES["dns"]
    )
    leaf, intermediate = x509.load_pem_x509_certificates(issued.chain_pem)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAMES["dns"]]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [NAMES["uri"]]
    assert leaf.not_valid_after_utc == issued.not_after
    leaf.verify_directly_issued_by(intermediate)
    assert (openbao.home.authorities / "services.pem").read_bytes() == await vault.authority(
        "pki-services"
    )
    assert b"PRIVATE KEY" in issued.key_pem
    assert "PRIVATE KEY" not in repr(issued)


@pytest.mark.parametrize(
    "names",
    [
        NAMES | {"uri": "spiffe://crossroads/service/identity"},
        NAMES | {"dns": "identity.crossroads.internal"},
        NAMES | {"uri": f"{NAMES['uri']},spiffe://crossroads/service/identity"},
    ],
)
async def test_a_service_gets_no_certificate_with_another_name(
    open_vault: OpenVault, names: dict[str, str]
) -> None:
    vault = await open_vault("logging")
    with pytest.raises(CrossroadsError) as failure:
        await vault.issue_certificate("pki-services", "logging", uri=names["uri"], dns=names["dns"])
    assert failure.value.reason is Reason.UNAVAILABLE


async def test_a_service_may_use_only_what_is_its_own(open_vault: OpenVault) -> None:
    vault = await open_vault("identity")
    for attempt in (
        vault.database_credentials("logging"),
        vault.sign("log-checkpoint", b"forged"),
        vault.hmac("request-id", b"data"),
        vault.issue_certificate("pki-services", "logging", uri=NAMES["uri"], dns=NAMES["dns"]),
        vault.call("POST", "pki-persons/roles/p", certificate_role(uri="spiffe://x", dns="x")),
        vault.call("GET", "sys/mounts"),
    ):
        with pytest.raises(CrossroadsError, match="status 403"):
            await attempt


async def test_a_checkpoint_signature_verifies(open_vault: OpenVault) -> None:
    vault = await open_vault("logging")
    signature = await vault.sign("log-checkpoint", b"note")
    public = Ed25519PublicKey.from_public_bytes(await vault.public_key("log-checkpoint"))
    public.verify(signature, b"note")


async def test_a_wrapped_key_opens_until_its_transit_key_is_deleted(open_vault: OpenVault) -> None:
    vault = await open_vault("logging")
    await vault.create_key("log-month-test")
    plain, wrapped = await vault.data_key("log-month-test")
    assert len(plain) == 32
    assert await vault.unwrap("log-month-test", wrapped) == plain
    await vault.delete_key("log-month-test")
    with pytest.raises(CrossroadsError):
        await vault.unwrap("log-month-test", wrapped)


async def test_an_hmac_is_the_same_for_the_same_input(open_vault: OpenVault) -> None:
    vault = await open_vault("routing")
    assert await vault.hmac("request-id", b"a") == await vault.hmac("request-id", b"a")
    assert await vault.hmac("request-id", b"a") != await vault.hmac("request-id", b"b")


async def test_registry_names_what_an_application_may_be_called(open_vault: OpenVault) -> None:
    vault = await open_vault("registry")
    uri = "spiffe://crossroads/institution/x/app"
    role = certificate_role(uri=uri, dns="app.x.internal")
    await vault.call("POST", "pki-institutions/roles/x.app", role)
    issued = await vault.issue_certificate(
        "pki-institutions", "x.app", uri=uri, dns="app.x.internal"
    )
    leaf = x509.load_pem_x509_certificates(issued.chain_pem)[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]


async def test_a_service_opens_its_database_with_a_login_from_vault(
    open_vault: OpenVault, openbao: OpenBao
) -> None:
    vault = await open_vault("contact")
    config = openbao.database_config("contact")
    database = await Database.open(
        config, lambda: vault.database_credentials("contact"), SystemClock()
    )
    async with database.connection() as conn:
        row = await (await conn.execute("SELECT current_user, session_user")).fetchone()
    assert row is not None
    assert row[0] == "contact_owner"
    assert row[1].startswith("v_contact_")
    await database.close()


async def test_a_login_of_one_service_can_not_read_anothers_database(
    open_vault: OpenVault, openbao: OpenBao
) -> None:
    vault = await open_vault("contact")
    login = await vault.database_credentials("contact")
    for name in ("identity", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            await psycopg.AsyncConnection.connect(
                host=str(openbao.home.socket_dir),
                dbname=name,
                user=login.username,
                password=login.password,
            )


async def test_nobody_but_vault_knows_the_password_of_its_login(openbao: OpenBao) -> None:
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(
            host=str(openbao.home.socket_dir), dbname="identity", user="vault_identity"
        )


async def test_the_root_token_is_gone_after_bootstrap(openbao: OpenBao) -> None:
    assert not list(openbao.home.path.rglob("root_token"))
    session = openbao.operator()
    policies = session.request("GET", "auth/token/lookup-self")["data"]["policies"]
    session.close()
    assert policies == ["default", "operator"]


async def test_every_request_is_in_the_audit_log_without_secrets(
    open_vault: OpenVault, openbao: OpenBao
) -> None:
    vault = await open_vault("contact")
    login = await vault.database_credentials("contact")
    audit = openbao.home.openbao / "audit.log"
    assert "database/creds/contact" in audit.read_text()
    assert login.password not in audit.read_text()
    assert audit.stat().st_mode & 0o777 == 0o600
