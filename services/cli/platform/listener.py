"""The certificate of OpenBao's own listener, from an authority that signs once and is forgotten.

Contract: `make` writes ca.pem, cert.pem and key.pem; the authority's key is never stored, so
nobody can make a second certificate that a client of this home would trust.
"""

import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from services.cli.platform.home import Home, write, write_secret

LIFETIME = timedelta(days=398)
RENEW_AFTER = timedelta(days=300)
CLOCK_SKEW = timedelta(minutes=5)


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
    from cryptography import x509  # noqa: PLC0415 - only where a certificate is made
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    now = datetime.now(UTC)
    authority_key, listener_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Crossroads OpenBao listener CA")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "openbao")])

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(now + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    authority_public = authority_key.public_key()
    usage = {
        "digital_signature": False,
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": False,
        "crl_sign": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    authority = (
        builder(issuer, authority_public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage | {"key_cert_sign": True}), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_public)
    leaf = (
        builder(subject, listener_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage | {"digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer_id, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = listener_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(key, secret)
    write(cert, leaf.public_bytes(pem))
    write(ca, authority.public_bytes(pem))


def _age(file: Path) -> float:
    return time.time() - file.stat().st_mtime
