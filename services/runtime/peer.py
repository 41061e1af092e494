"""Who calls: read from the client's certificate, never from the message.

Contract: `Peers` turns the certificate of a connection into a `Peer`, having checked that the
intermediate that signed it is the one for its kind (architecture.md, "Trust"); gRPC has verified
the chain before. Parsing is done once for each certificate; its end is checked on every call.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from services.runtime.call import CURRENT
from services.runtime.errors import CrossroadsError, Reason

SPIFFE_PREFIX = "spiffe://crossroads/"
CACHED_CERTIFICATES = 8192


class Kind(StrEnum):
    """The three kinds of callers; each has an intermediate of its own."""

    SERVICE = "service"
    INSTITUTION = "institution"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a call. What does not apply to its kind is "".

    `serial` is lower-case hexadecimal. `expires` is `not_after` in seconds since the epoch.
    """

    kind: Kind
    serial: str
    not_after: datetime
    expires: float
    institution: str = ""
    application: str = ""
    service: str = ""
    person: str = ""

    def __str__(self) -> str:
        """The peer as it stands in the certificate, without the prefix: for logs."""
        if self.kind is Kind.INSTITUTION:
            return f"institution/{self.institution}/{self.application}"
        return f"{self.kind}/{self.service or self.person}"


class Context(Protocol):
    """What is needed of a gRPC servicer context."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """What TLS knows of the peer."""
        ...


class Peers:
    """Reads peers from certificates. `issuers`: for each kind the PEM of its intermediate(s)."""

    def __init__(self, *, issuers: Mapping[str, bytes]) -> None:
        self._issuers = {Kind(kind): pem for kind, pem in issuers.items()}
        self._authorities: dict[Kind, list[Any]] = {}
        self._known: dict[bytes, Peer | CrossroadsError] = {}

    def of(self, context: Context) -> Peer:
        """The peer of a call. Raises UNAUTHENTICATED."""
        pems = context.auth_context().get("x509_pem_cert")
        if not pems:
            raise unauthenticated("the call came without a certificate")
        for pem in pems:
            known = self._known.get(pem)
            if known.__class__ is Peer:
                return known  # the class test: isinstance costs more, on every call
            return self.read(pem)
        raise unauthenticated("the call came without a certificate")

    def read(self, pem: bytes) -> Peer:
        """The peer in a PEM certificate. Raises UNAUTHENTICATED."""
        known = self._known.get(pem)
        if known is None:
            try:
                known = self._parse(pem)
            except CrossroadsError as error:
                known = error
            if len(self._known) >= CACHED_CERTIFICATES:
                self._known.clear()
            self._known[pem] = known
        if isinstance(known, CrossroadsError):
            raise unauthenticated(known.message)
        return known

    def warm(self) -> None:
        """Do now what the first call would otherwise wait for."""
        for kind in Kind:
            self._authorities_of(kind)

    def _parse(self, pem: bytes) -> Peer:
        from cryptography import x509  # noqa: PLC0415 - 0.08 s of CPU, only where peers are read
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

        try:
            certificate = x509.load_pem_x509_certificate(pem)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
        except (ValueError, x509.ExtensionNotFound) as error:
            raise unauthenticated("the certificate can't be read") from error
        if len(uris) != 1:
            raise unauthenticated("the certificate does not hold exactly one URI")
        kind, names_of_kind = _names(uris[0])
        for authority in self._authorities_of(kind):
            try:
                certificate.verify_directly_issued_by(authority)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return Peer(
                kind=kind,
                serial=f"{certificate.serial_number:x}",
                not_after=certificate.not_valid_after_utc,
                expires=certificate.not_valid_after_utc.timestamp(),
                **names_of_kind,
            )
        raise unauthenticated(f"the certificate was not issued by the authority of {kind}s")

    def _authorities_of(self, kind: Kind) -> list[Any]:
        from cryptography import x509  # noqa: PLC0415

        if kind not in self._authorities:
            pem = self._issuers.get(kind)
            self._authorities[kind] = x509.load_pem_x509_certificates(pem) if pem else []
        return self._authorities[kind]


def current_peer() -> Peer:
    """Who makes the call that is being served. Raises LookupError outside a call."""
    call = CURRENT.get()
    if call is None:
        raise LookupError("no call is being served here")
    return call.peer


def unauthenticated(why: str) -> CrossroadsError:
    """The refusal of a caller whose certificate is no good."""
    return CrossroadsError(Reason.UNAUTHENTICATED, f"{why}; present a current certificate")


def _names(uri: str) -> tuple[Kind, dict[str, str]]:
    """The kind and the names in a SPIFFE URI of this trust domain."""
    kind, _, rest = uri.removeprefix(SPIFFE_PREFIX).partition("/")
    parts = rest.split("/")
    fields = {
        Kind.SERVICE: ("service",),
        Kind.INSTITUTION: ("institution", "application"),
        Kind.PERSON: ("person",),
    }.get(kind)  # type: ignore[call-overload] # a str that is no Kind finds nothing
    if not uri.startswith(SPIFFE_PREFIX) or fields is None or len(parts) != len(fields):
        raise unauthenticated("the certificate names nobody of this platform")
    if not all(parts):
        raise unauthenticated("the certificate names nobody of this platform")
    return Kind(kind), dict(zip(fields, parts, strict=True))
