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
        uri, dns = application_names(institution, application)
        folder = self._home.institutions / f"{institution}.{application}"
        return self._issue("pki-institutions", f"{institution}.{application}", uri, dns, folder)

    def enrol_person(self, person: str) -> Path:
        """Make the role and a certificate; the folder that holds key, cert and ca (PEM)."""
        uri, dns = person_names(person)
        return self._issue("pki-persons", person, uri, dns, self._home.persons / person)

    def enrol_genesis(self) -> Path:
        """The certificate by which the genesis is carried out; remove the folder afterwards."""
        uri, dns = service_names("genesis")
        folder = self._home.secrets / "genesis"
        return self._issue("pki-services", "genesis", uri, dns, folder)

    def _issue(self, mount: str, role: str, uri: str, dns: str, folder: Path) -> Path:
        """`ca.pem` is what a client trusts: the intermediate of the services."""
        path = f"{mount}/roles/{role}"
        self._session.request("POST", path, certificate_role(uri=uri, dns=dns))
        issue(self._session, f"{mount}/sign/{role}", uri, dns, folder)
        write(folder / "ca.pem", (self._home.authorities / "services.pem").read_text())
        return folder


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
