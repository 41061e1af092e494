"""The certificate of OpenBao's own listener, from an authority that signs once and is forgotten.

Contract: `make` writes ca.pem, cert.pem and key.pem; the authority's key is never stored, so
nobody can make a second certificate that a client of this home would trust.
"""

import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from services.cli.platform.home import Home, write, write_secret

LIFETIME = timedelta(days=398)
RENEW_AFTER = timedelta(days=300)
CLOCK_SKEW = timedelta(minutes=5)
AUTHORITY = "Crossroads OpenBao listener CA"
UNUSED = (
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
"""Key usages (RFC 5280, 4.2.1.3) that neither certificate has."""


def certificate(home: Home) -> tuple[Path, Path]:
    """Certificate and key of the listener; made when there are none, or they grow old."""
    folder = home.openbao / "tls"
    cert, key = folder / "cert.pem", folder / "key.pem"
    files = (home.vault_ca, cert, key)
    if not all(file.exists() for file in files) or _age(cert) > RENEW_AFTER.total_seconds():
        make(ca=home.vault_ca, cert=cert, key=key)
    return cert, key


def make(*, ca: Path, cert: Path, key: Path) -> None:
    """An authority, and one certificate for 127.0.0.1 and localhost under it (EC P-256)."""
    # Imported here: only the first start makes a certificate.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    authority_key, listener_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_public = authority_key.public_key()
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_public)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    authority = _builder(AUTHORITY, authority_public, certifies=True)
    leaf = (
        _builder("openbao", listener_key.public_key(), certifies=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer_id, critical=False)
    )
    pem = serialization.Encoding.PEM
    secret = listener_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(key, secret)
    write(cert, leaf.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    write(ca, authority.sign(authority_key, hashes.SHA256()).public_bytes(pem))


def _builder(subject: str, public: Any, *, certifies: bool) -> Any:
    """What both certificates have in common (RFC 5280)."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    now = datetime.now(UTC)
    subject_name, issuer_name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, AUTHORITY)
    )
    usage = dict.fromkeys(UNUSED, False)
    usage |= {"digital_signature": not certifies, "key_cert_sign": certifies}
    path_length = 0 if certifies else None
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer_name)
        .subject_name(subject_name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.BasicConstraints(ca=certifies, path_length=path_length), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    if certifies:
        return builder
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return builder.add_extension(server, critical=False)


def _age(file: Path) -> float:
    return time.time() - file.stat().st_mtime
