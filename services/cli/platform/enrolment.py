"""Who gets a certificate, and under which names: services, applications, persons.

Contract: names are pure functions of identifiers; `Enrolment` makes a role that allows exactly
those names, and writes key, certificate and authority into the home, as the operator. Where a
registry runs one enrols through it; this is for the first persons and the demo's institutions.
"""

import re
from pathlib import Path

from services.cli.platform.home import Home, PlatformError, private, write, write_secret
from services.runtime.issuing import certificate_role, key_and_request
from services.runtime.vaultsession import Session

IDENTIFIER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
DOMAIN = "crossroads.internal"


def service_names(service: str) -> tuple[str, str]:
    """URI and DNS name of a service."""
    return f"spiffe://crossroads/service/{service}", f"{service}.{DOMAIN}"


def application_names(institution: str, application: str) -> tuple[str, str]:
    """URI and DNS name of an institution's application. Raises PlatformError on a bad name."""
    _check(institution)
    _check(application)
    uri = f"spiffe://crossroads/institution/{institution}/{application}"
    return uri, f"{application}.{institution}.{DOMAIN}"


def person_names(person: str) -> tuple[str, str]:
    """URI and DNS name of a person who acts."""
    _check(person)
    return f"spiffe://crossroads/person/{person}", f"{person}.person.{DOMAIN}"


class Enrolment:
    """Certificates for applications and persons, by the operator's hand."""

    def __init__(self, *, home: Home, session: Session) -> None:
        """`session` is the operator's (bootstrap.operator_session)."""
        self._home = home
        self._session = session

    def enrol_application(self, institution: str, application: str) -> Path:
        """Make the role and a certificate; the folder that holds key, cert and ca (PEM)."""
        folder = self._home.institutions / f"{institution}.{application}"
        certify(self._session, f"{institution}/{application}", folder)
        return self._trusting(folder)

    def enrol_person(self, person: str) -> Path:
        """Make the role and a certificate; the folder that holds key, cert and ca (PEM)."""
        certify(self._session, person, self._home.persons / person)
        return self._trusting(self._home.persons / person)

    def enrol_genesis(self) -> Path:
        """The certificate by which the genesis is carried out; remove the folder afterwards."""
        folder = self._home.secrets / "genesis"
        _certify(self._session, "pki-services", "genesis", service_names("genesis"), folder)
        return self._trusting(folder)

    def _trusting(self, folder: Path) -> Path:
        """With `ca.pem`, what a client trusts: the intermediate of the services."""
        write(folder / "ca.pem", (self._home.authorities / "services.pem").read_text())
        return folder


def certify(session: Session, name: str, folder: Path) -> None:
    """Make the role and a certificate of a person, or of an "<institution>/<application>".

    key.pem and cert.pem in `folder`, good for 24 h. Raises VaultError, PlatformError on a bad name.
    """
    institution, slash, application = name.partition("/")
    if slash:
        names = application_names(institution, application)
        _certify(session, "pki-institutions", f"{institution}.{application}", names, folder)
    else:
        _certify(session, "pki-persons", name, person_names(name), folder)


def _certify(session: Session, mount: str, role: str, names: tuple[str, str], folder: Path) -> None:
    uri, dns = names
    session.request("POST", f"{mount}/roles/{role}", certificate_role(uri=uri, dns=dns))
    issue(session, f"{mount}/sign/{role}", uri, dns, folder)


def issue(session: Session, path: str, uri: str, dns: str, folder: Path) -> bytes:
    """Have a new key certified at `path` of Vault; key.pem and cert.pem in `folder`.

    The PEM of the intermediate that certified it. Raises VaultError.
    """
    key_pem, request_pem = key_and_request(dns)
    body = {"csr": request_pem.decode(), "common_name": dns, "alt_names": dns, "uri_sans": uri}
    data = session.request("POST", path, body | {"ttl": "24h"})["data"]
    authority = f"{data['issuing_ca'].strip()}\n"
    private(folder)
    write_secret(folder / "key.pem", key_pem)
    write(folder / "cert.pem", f"{data['certificate'].strip()}\n{authority}")
    return authority.encode()


def _check(identifier: str) -> None:
    if not IDENTIFIER.fullmatch(identifier):
        raise PlatformError(
            f"{identifier!r} can't stand in a certificate: lower-case letters, digits and hyphens"
        )
