"""What a certificate of Crossroads is: its key, its request, and the PKI role that allows it.

Contract: keys are EC P-256, because gRPC's TLS library takes Ed25519 certificates only when told
to; they are made where they are used and never travel. Lifetimes as in the architecture: 24 hours.
"""

from datetime import timedelta
from typing import Any

CERTIFICATE_LIFETIME = timedelta(hours=24)


def certificate_role(*, uri: str, dns: str) -> dict[str, Any]:
    """The PKI role that issues for exactly one URI and one DNS name (RFC 5280, 4.2.1.6)."""
    lifetime = f"{int(CERTIFICATE_LIFETIME.total_seconds())}s"
    return {
        "allowed_uri_sans": [uri],
        "allowed_domains": [dns],
        "allow_bare_domains": True,
        "allow_subdomains": False,
        "allow_glob_domains": False,
        "allow_wildcard_certificates": False,
        "allow_localhost": False,
        "allow_ip_sans": False,
        "allow_any_name": False,
        "enforce_hostnames": True,
        "use_csr_sans": False,
        "use_csr_common_name": False,
        "require_cn": False,
        "server_flag": True,
        "client_flag": True,
        "key_type": "ec",
        "key_bits": 256,
        "key_usage": ["DigitalSignature"],
        "ttl": lifetime,
        "max_ttl": lifetime,
        "not_before_duration": "30s",
        "no_store": True,
    }


def key_and_request(name: str) -> tuple[bytes, bytes]:
    """A new private key (PKCS #8) and a request for its certificate (PKCS #10), PEM."""
    from cryptography import x509  # noqa: PLC0415 - 0.1 s, only where certificates are made
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = serialization.Encoding.PEM
    key_pem = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, request.sign(key, hashes.SHA256()).public_bytes(pem)
