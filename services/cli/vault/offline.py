"""The root of the PKI, whose key is never in Vault.

Contract: `make_root` makes key and certificate as files; `RootKey` signs the requests of
intermediates and nothing else. The operator runs this on a machine without a network, and takes the
key away with it. Nothing here calls anybody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.cli.platform.home import PlatformError, write, write_secret
from services.cli.vault.declaration import Authority

CLOCK_SKEW = timedelta(minutes=5)
_PEM = serialization.Encoding.PEM
_UNUSED = dict.fromkeys(
    (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "encipher_only", "decipher_only"),
    ),
    False,
)


def make_root(
    authority: Authority, *, key_file: Path, certificate_file: Path, passphrase: bytes = b""
) -> None:
    """Make the root's key (PKCS #8, 0600, under `passphrase` unless it is empty) and certificate.

    Raises PlatformError when one is there: a second root would split the platform.
    """
    for file in (key_file, certificate_file):
        if file.exists():
            raise PlatformError(f"{file} exists; a root is made once: name another file")
    key = ec.generate_private_key(ec.SECP384R1())
    name = _name(authority.common_name)
    certificate = (
        _builder(authority, key.public_key(), path_length=1)
        .issuer_name(name)
        .sign(key, hashes.SHA384())
    )
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        protection = serialization.BestAvailableEncryption(passphrase)
    pem = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, protection)
    write_secret(key_file, pem)
    certificate_file.parent.mkdir(parents=True, exist_ok=True)
    write(certificate_file, certificate.public_bytes(_PEM))


@dataclass(frozen=True)
class RootKey:
    """The root's key and certificate, in memory."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def load(cls, *, key_file: Path, certificate_file: Path, passphrase: bytes = b"") -> "RootKey":
        """Read both. Raises PlatformError when they can't be read or don't belong together."""
        try:
            key = serialization.load_pem_private_key(key_file.read_bytes(), passphrase or None)
            certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise PlatformError(f"{key_file}, {certificate_file}: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not _same(key, certificate):
            raise PlatformError(f"{key_file} is not the key of {certificate_file}")
        return cls(key, certificate)

    def sign(self, request_pem: bytes, authority: Authority) -> bytes:
        """The certificate (PEM) of an intermediate: its name is ours, only its key is theirs.

        It lives no longer than the root. Raises PlatformError on a request that proves no key.
        """
        request = read_request(request_pem)
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            _builder(
                authority,
                request.public_key(),
                path_length=0,
                until=self.certificate.not_valid_after_utc,
            )
            .issuer_name(self.certificate.subject)
            .add_extension(issuer_id, critical=False)
            .sign(self.key, hashes.SHA384())
        )
        return certificate.public_bytes(_PEM)


def read_request(pem: bytes) -> x509.CertificateSigningRequest:
    """A PKCS #10 request that proves its key. Raises PlatformError."""
    try:
        request = x509.load_pem_x509_csr(pem)
    except ValueError as error:
        raise PlatformError(f"not a certificate request: {error}") from None
    if not request.is_signature_valid:
        raise PlatformError("the request is not signed by the key in it; make another")
    return request


def faults(certificate_pem: bytes, authority: Authority, roots_pem: bytes | None) -> Iterable[str]:
    """What is wrong with an intermediate's certificate: names of fields; `roots_pem` None: any."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    if certificate.subject != _name(authority.common_name):
        yield "common_name"
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca or constraints.path_length != 0:
        yield "path_length"
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        yield "not_after"
    if roots_pem is not None:
        try:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(roots_pem))
        except Exception:  # noqa: BLE001 - ValueError, TypeError, InvalidSignature: all say no
            yield "issuer"


def _same(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bool:
    return certificate.public_key() == key.public_key()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    authority: Authority,
    public_key: object,
    *,
    path_length: int,
    until: datetime | None = None,
) -> x509.CertificateBuilder:
    """What every authority's certificate has (RFC 5280, 4.2.1)."""
    now = datetime.now(UTC)
    end = now + timedelta(days=authority.days)
    usage = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **_UNUSED)
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    key_id = x509.SubjectKeyIdentifier.from_public_key(public_key)  # type: ignore[arg-type]
    return (
        x509.CertificateBuilder()
        .subject_name(_name(authority.common_name))
        .public_key(public_key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(min(end, until) if until else end)
        .add_extension(constraints, critical=True)
        .add_extension(usage, critical=True)
        .add_extension(key_id, critical=False)
    )
