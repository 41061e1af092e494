"""Vault's set-up: engines, keys, roles, policies and credentials, applied as often as one likes.

Contract: `apply` brings an OpenBao (empty or not) to what the code says, and does nothing when that
was done before (a digest of it is kept). The first time it works with the root token, which is
revoked at the end and exists nowhere afterwards; then with the operator's AppRole. There are no
recovery keys: nobody can make another root token.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.cli.platform.enrolment import service_names
from services.cli.platform.home import (
    DATABASES,
    INTERMEDIATES,
    Home,
    PlatformError,
    write,
    write_secret,
)
from services.cli.platform.openbao import ACTIVE, UNINITIALISED, OpenBaoServer
from services.cli.platform.policies import TRANSIT_KEYS, operator_policy, service_policy
from services.cli.platform.postgres import PostgresServer
from services.runtime.issuing import certificate_role
from services.runtime.vaultsession import Session, VaultError

LEASE = timedelta(hours=24)
ROOT_LIFETIME, INTERMEDIATE_LIFETIME = "87600h", "43800h"
Write = tuple[str, dict[str, Any]]


class Bootstrap:
    """The set-up of one home's OpenBao."""

    def __init__(
        self,
        *,
        home: Home,
        openbao: OpenBaoServer,
        postgres: PostgresServer,
        services: Sequence[str],
        lease: timedelta = LEASE,
    ) -> None:
        """`lease` is how long a database login lives."""
        self._home = home
        self._openbao = openbao
        self._postgres = postgres
        self._services = tuple(services)
        self._databases = tuple(each for each in services if each in DATABASES)
        self._lease = lease

    def apply(self, *, fresh_databases: bool = False) -> bool:
        """Bring OpenBao to what the code says; False when it was there already.

        `fresh_databases`: databases were made since, so that its logins to them may be void.
        """
        status = self._openbao.wait(ACTIVE, UNINITIALISED)
        token_file = self._home.secrets / "operator" / "root_token"
        applied = status == ACTIVE and self._applied() == self._digest()
        if applied and not token_file.exists() and not fresh_databases:
            return False
        if status == UNINITIALISED:
            write_secret(token_file, self._initialise())
            self._openbao.wait(ACTIVE)
        session = self._session(token_file)
        try:
            if token_file.exists():
                self._found(session)
            self._write(session)
            for service in self._databases:
                self._connect_database(session, service)
            for service in self._services:
                self._credentials(session, f"service-{service}", service)
            if token_file.exists():
                session.request("POST", "auth/token/revoke-self")
                token_file.unlink()
        finally:
            session.close()
        write(self._digest_file, self._digest())
        return True

    def _initialise(self) -> str:
        """Initialise without recovery keys; the root token."""
        anonymous = Session(address=self._openbao.address, ca_file=str(self._home.vault_ca))
        body = {"recovery_shares": 0, "recovery_threshold": 0}
        token: str = anonymous.request("POST", "sys/init", body)["root_token"]
        anonymous.close()
        return token

    def _session(self, token_file: Path) -> Session:
        """A session as root while the first bootstrap lasts, as the operator afterwards."""
        address, ca_file = self._openbao.address, str(self._home.vault_ca)
        if token_file.exists():
            return Session(address=address, ca_file=ca_file, token=token_file.read_text())
        return operator_session(self._home, address)

    def _found(self, session: Session) -> None:
        """What only root may do: engines, the PKI, the operator. Done again after a crash."""
        mounts = session.request("GET", "sys/mounts")["data"]
        pki = {"type": "pki", "config": {"max_lease_ttl": ROOT_LIFETIME}}
        engines = {"pki-root": pki} | {f"pki-{name}": pki for name in INTERMEDIATES}
        engines |= {"transit": {"type": "transit"}, "database": {"type": "database"}}
        for path, engine in engines.items():
            if f"{path}/" not in mounts:
                session.request("POST", f"sys/mounts/{path}", engine)
        if "approle/" not in session.request("GET", "sys/auth")["data"]:
            session.request("POST", "sys/auth/approle", {"type": "approle"})
        self._authorities(session)
        policy = {"policy": operator_policy()}
        session.request("POST", "sys/policies/acl/operator", policy)
        session.request("POST", "auth/approle/role/operator", _approle("operator", "1h"))
        self._credentials(session, "operator", "operator")

    def _authorities(self, session: Session) -> None:
        """A root and three intermediates under it, and their certificates in `authorities`."""
        root = _authority(session, "pki-root")
        if root is None:
            body = {"common_name": "Crossroads root", "key_type": "ec", "key_bits": 256}
            body |= {"ttl": ROOT_LIFETIME, "max_path_length": 1}
            answer = session.request("POST", "pki-root/root/generate/internal", body)
            root = answer["data"]["certificate"]
        certificates = {"root": root}
        for name in INTERMEDIATES:
            mount = f"pki-{name}"
            certificates[name] = _authority(session, mount) or _intermediate(session, name)
        self._home.authorities.mkdir(exist_ok=True)
        for name, certificate in certificates.items():
            write(self._home.authorities / f"{name}.pem", f"{certificate.strip()}\n")

    def _write(self, session: Session) -> None:
        for path, body in self._writes():
            session.request("POST", path, body)

    def _writes(self) -> list[Write]:
        """Everything that may simply be written again."""
        writes: list[Write] = [
            (f"transit/keys/{key}", {"type": kind}) for key, kind in TRANSIT_KEYS.items()
        ]
        for service in self._services:
            uri, dns = service_names(service)
            policy = f"service-{service}"
            writes += [
                (f"sys/policies/acl/{policy}", {"policy": service_policy(service)}),
                (f"auth/approle/role/{policy}", _approle(policy, "24h")),
                (f"pki-services/roles/{service}", certificate_role(uri=uri, dns=dns)),
            ]
            if service in DATABASES:
                role = database_role(service, self._lease)
                writes.append((f"database/roles/{service}", role))
        return writes

    def _connect_database(self, session: Session, service: str) -> None:
        """Hand Vault its login to the service's database, with a password that only it knows."""
        config = _connection(service, self._home)
        path = f"database/config/{service}"
        try:
            session.request("GET", path)
            session.request("POST", path, config)  # tries the password that it has
        except VaultError as error:
            if error.status not in (400, 404):
                raise
        else:
            return
        user, password = self._postgres.reset_vault_login(service)
        session.request("POST", path, config | {"username": user, "password": password})
        session.request("POST", f"database/rotate-root/{service}")

    def _credentials(self, session: Session, role: str, name: str) -> None:
        """The two halves of an AppRole's login, in files, unless they are there."""
        folder = self._home.secrets / name
        path = f"auth/approle/role/{role}"
        if not (folder / "role_id").exists():
            role_id = session.request("GET", f"{path}/role-id")["data"]["role_id"]
            write_secret(folder / "role_id", role_id)
        if not (folder / "secret_id").exists():
            secret_id = session.request("POST", f"{path}/secret-id")["data"]["secret_id"]
            write_secret(folder / "secret_id", secret_id)

    @property
    def _digest_file(self) -> Path:
        return self._home.openbao / "applied"

    def _applied(self) -> str:
        try:
            return self._digest_file.read_text()
        except OSError:
            return ""

    def _digest(self) -> str:
        """SHA-256 over everything that `apply` would write."""
        state = [*self._writes(), *(_connection(each, self._home) for each in self._databases)]
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def operator_session(home: Home, address: str) -> Session:
    """A session as the operator of this home. Raises PlatformError when it is refused."""
    session = Session(address=address, ca_file=str(home.vault_ca))
    folder = home.secrets / "operator"
    try:
        session.login((folder / "role_id").read_text(), (folder / "secret_id").read_text())
    except (OSError, VaultError) as error:
        session.close()
        raise PlatformError(
            f"the operator can't log in to OpenBao ({error}); "
            f"if {home.path} is damaged, remove it and start again"
        ) from error
    return session


def database_role(service: str, lease: timedelta) -> dict[str, Any]:
    """The database engine's role of one service: members of its owner, for `lease`."""
    seconds = f"{int(lease.total_seconds())}s"
    return {
        "db_name": service,
        "creation_statements": [
            "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' "
            f"VALID UNTIL '{{{{expiration}}}}' IN ROLE {service}_owner;"
        ],
        "revocation_statements": [
            'ALTER ROLE "{{name}}" NOLOGIN;',
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';",
            'DROP ROLE IF EXISTS "{{name}}";',
        ],
        "default_ttl": seconds,
        "max_ttl": seconds,
    }


def _connection(service: str, home: Home) -> dict[str, Any]:
    """How Vault reaches a service's database; it sends SCRAM verifiers, never a password."""
    return {
        "plugin_name": "postgresql-database-plugin",
        "allowed_roles": [service],
        "connection_url": (
            f"host={home.socket_dir} dbname={service} "
            "user={{username}} password={{password}} sslmode=disable"
        ),
        "password_authentication": "scram-sha-256",
        "username_template": "v_{{.RoleName}}_{{random 12}}_{{unix_time}}",
        "verify_connection": True,
    }


def _approle(policy: str, period: str) -> dict[str, Any]:
    """An AppRole whose tokens live as long as they are renewed within `period`."""
    return {"token_policies": [policy], "token_period": period, "token_type": "service"}


def _authority(session: Session, mount: str) -> str | None:
    """The certificate that a PKI mount issues under, if it has one."""
    try:
        certificate: str = session.request("GET", f"{mount}/cert/ca")["data"]["certificate"]
    except (VaultError, KeyError):
        return None
    return certificate or None


def _intermediate(session: Session, name: str) -> str:
    """Make an intermediate whose key never leaves Vault, signed by the root; its certificate."""
    mount = f"pki-{name}"
    body = {"common_name": f"Crossroads {name}", "key_type": "ec", "key_bits": 256}
    request = session.request("POST", f"{mount}/intermediate/generate/internal", body)
    body = {"csr": request["data"]["csr"], "common_name": f"Crossroads {name}"}
    body |= {"ttl": INTERMEDIATE_LIFETIME, "max_path_length": 0}
    signed = session.request("POST", "pki-root/root/sign-intermediate", body)
    certificate: str = signed["data"]["certificate"]
    session.request("POST", f"{mount}/intermediate/set-signed", {"certificate": certificate})
    return certificate
