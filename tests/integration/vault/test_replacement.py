"""An intermediate takes over from another as infra/vault/README.md says: no caller is lost."""

from collections.abc import AsyncIterator

import pytest
from cryptography import x509

from services.cli.vault.declaration import declare
from services.cli.vault.offline import RootKey
from services.runtime.clock import SystemClock
from services.runtime.config import VaultConfig
from services.runtime.errors import CrossroadsError
from services.runtime.peer import Peers
from services.runtime.vault import Vault
from tests.support.own_vault import OwnVault

pytestmark = pytest.mark.xdist_group("own_vault")
MOUNT, URI, DNS = (
    "pki-services",
    "spiffe://crossroads/service/contact",
    "contact.crossroads.internal",
)


@pytest.fixture
async def contact(local_vault: OwnVault) -> AsyncIterator[Vault]:
    """Vault as contact has it."""
    folder = local_vault.home.secrets / "contact"
    config = VaultConfig(
        address=local_vault.server.address,
        ca_file=str(local_vault.home.vault_ca),
        role_id_file=str(folder / "role_id"),
        secret_id_file=str(folder / "secret_id"),
    )
    opened = await Vault.open(config, clock=SystemClock())
    yield opened
    await opened.close()


async def leaf(vault: Vault) -> bytes:
    """A new certificate of contact, without its chain."""
    issued = await vault.issue_certificate(MOUNT, "contact", uri=URI, dns=DNS)
    return (
        issued.chain_pem.split(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n"
    )


async def test_both_are_trusted_until_the_old_one_goes(
    local_vault: OwnVault, contact: Vault
) -> None:
    root = local_vault.root
    (old,) = root.request("LIST", f"{MOUNT}/issuers")["data"]["keys"]
    before, trusted_before = await leaf(contact), await contact.authority(MOUNT)

    body = {"common_name": "Crossroads services", "key_type": "ec", "key_bits": 256}
    request = root.request("POST", f"{MOUNT}/intermediate/generate/internal", body)["data"]["csr"]
    key = RootKey.load(
        key_file=local_vault.home.root_key,
        certificate_file=local_vault.home.authorities / "root.pem",
    )
    pem = key.sign(request.encode(), declare("community").authorities["services"]).decode()
    answer = root.request("POST", f"{MOUNT}/intermediate/set-signed", {"certificate": pem})
    (new,) = answer["data"]["imported_issuers"]

    both = await contact.authority(MOUNT)
    assert len(x509.load_pem_x509_certificates(both)) == 2
    assert local_vault.diff() == []
    between = await leaf(contact)
    Peers(issuers={"service": trusted_before}).read(between)  # the old one goes on issuing

    root.request("POST", f"{MOUNT}/config/issuers", {"default": new})
    after = await leaf(contact)
    peers = Peers(issuers={"service": both})
    assert {peers.read(each).service for each in (before, between, after)} == {"contact"}
    with pytest.raises(CrossroadsError):
        Peers(issuers={"service": trusted_before}).read(after)

    root.request("DELETE", f"{MOUNT}/issuer/{old}")
    assert len(x509.load_pem_x509_certificates(await contact.authority(MOUNT))) == 1
    assert local_vault.diff() == []


def test_an_issuer_that_the_root_did_not_sign_is_a_difference(local_vault: OwnVault) -> None:
    mount = "pki-persons"
    body = {"common_name": "Crossroads persons", "ttl": "24h", "max_path_length": 0}
    made = local_vault.root.request("POST", f"{mount}/root/generate/internal", body)["data"]
    try:
        (found,) = local_vault.diff()
        assert (found["kind"], found["name"], found["change"]) == (
            "authority",
            "persons",
            "changed",
        )
        assert [each["name"] for each in found["fields"]] == ["issuer"]
        assert local_vault.command("apply").exit_code == 4
    finally:
        local_vault.root.request("DELETE", f"{mount}/issuer/{made['issuer_id']}")
    assert local_vault.diff() == []
