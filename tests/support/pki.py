"""A tiny real certification authority: a root, three intermediates, leaves of every kind.

The same shape as the platform's Vault PKI: URI SAN `spiffe://crossroads/...`, DNS SAN under
crossroads.internal, each kind issued by its own intermediate. Keys are P-256. A chain is the leaf
followed by its intermediate; what a peer trusts is the intermediate alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KINDS = ("service", "institution", "person")


@dataclass(frozen=True)
class Leaf:
    """One issued certificate: what a server or a client presents."""

    key_pem: bytes
    chain_pem: bytes
    not_after: datetime
    serial: str
    """Lower-case hexadecimal, no separators, as in the directory of revocations."""


@dataclass(frozen=True)
class Authority:
    """A key that issues certificates."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


class Pki:
    """A root with an intermediate for each kind of caller."""

    def __init__(self) -> None:
        self.root = _authority("Crossroads test root", None)
        self.intermediates = {
            kind: _authority(f"Crossroads test {kind}s", self.root) for kind in KINDS
        }

    @property
    def issuers(self) -> Mapping[str, bytes]:
        """The PEM of the intermediate of each kind: what `Server` takes as `issuers`."""
        return {kind: authority.pem for kind, authority in self.intermediates.items()}

    def service(self, name: str, *, lifetime: timedelta = timedelta(hours=1)) -> Leaf:
        """A certificate of a service of the platform."""
        return self.leaf(
            f"spiffe://crossroads/service/{name}",
            f"{name}.crossroads.internal",
            "service",
            lifetime,
        )

    def institution(
        self, institution: str, application: str, *, lifetime: timedelta = timedelta(hours=1)
    ) -> Leaf:
        """A certificate of an application of an institution."""
        return self.leaf(
            f"spiffe://crossroads/institution/{institution}/{application}",
            f"{application}.{institution}.crossroads.internal",
            "institution",
            lifetime,
        )

    def person(self, person: str, *, lifetime: timedelta = timedelta(hours=1)) -> Leaf:
        """A certificate of a person who acts."""
        return self.leaf(f"spiffe://crossroads/person/{person}", "", "person", lifetime)

    def leaf(self, uri: str, dns: str, issuer: str, lifetime: timedelta) -> Leaf:
        """A certificate with these names, from the intermediate of the kind `issuer`, right or not.

        A negative `lifetime` gives one that has expired.
        """
        authority = self.intermediates[issuer]
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
        if dns:
            names.append(x509.DNSName(dns))
        serial = x509.random_serial_number()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority.certificate.subject)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + lifetime)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
                ),
                critical=False,
            )
            .add_extension(_authority_id(authority), critical=False)
            .sign(authority.key, hashes.SHA256())
        )
        return Leaf(
            key_pem=_key_pem(key),
            chain_pem=certificate.public_bytes(serialization.Encoding.PEM) + authority.pem,
            not_after=certificate.not_valid_after_utc,
            serial=f"{serial:x}",
        )


def _authority(name: str, parent: Authority | None) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.certificate.subject if parent else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_CA_USAGE, critical=True)
    )
    certificate = builder.sign(parent.key if parent else key, hashes.SHA256())
    return Authority(key, certificate)


def _authority_id(authority: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


_CA_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
