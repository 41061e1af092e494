"""The authorities of databases that `install` makes: as their operator and TLS take them."""

import subprocess
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support.manifests import INFRA
from tests.support.runbooks import RUNBOOKS, blocks

LOOP = "for service in "
(MAKES,) = [each.text for each in blocks(RUNBOOKS / "install.md") if "ecparam" in each.text]


def test_every_loop_over_databases_names_each_that_vault_knows() -> None:
    environment = tomllib.loads((INFRA / "vault" / "environments" / "community.toml").read_text())
    loops = [
        line.removeprefix(LOOP).removesuffix("; do").split()
        for block in blocks(RUNBOOKS / "install.md")
        for line in block.text.splitlines()
        if line.startswith(LOOP)
    ]
    assert loops == [environment["databases"]] * len(loops)
    assert loops


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The folder of one, made by the commands of the page that need no cluster."""
    lines = [each.strip() for each in MAKES.splitlines()]
    script = "\n".join(each for each in lines if each.startswith(("mkdir", "openssl")))
    subprocess.run(
        ["bash", "-Eeuo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "service": "logging"},
        capture_output=True,
        check=True,
    )
    return tmp_path / "databases" / "logging"


def test_an_authority_lives_ten_years_and_may_sign(authority: Path) -> None:
    made = x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())
    assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(days=3650)
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, True)
    assert made.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)


def test_the_key_has_the_form_that_the_operator_takes(authority: Path) -> None:
    """CloudNativePG reads "EC PRIVATE KEY" (RFC 5915) and nothing else."""
    pem = (authority / "ca.key").read_bytes()
    assert pem.startswith(b"-----BEGIN EC PRIVATE KEY-----")
    made = x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())
    assert load_pem_private_key(pem, None).public_key() == made.public_key()
