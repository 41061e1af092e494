"""The set-up of this machine's OpenBao: what infra/vault declares, and who logs in.

Contract: `apply` brings an OpenBao (empty or not) to the declaration `local`, and does nothing when
that was done before (a digest of it is kept). The first time it works with the root token, which is
revoked at the end and exists nowhere afterwards; then with the operator's AppRole. There are no
recovery keys: nobody can make another root token.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from services.cli.platform.home import Home, PlatformError, write, write_secret
from services.cli.platform.openbao import ACTIVE, UNINITIALISED, OpenBaoServer
from services.cli.platform.postgres import PostgresServer
from services.cli.vault.application import Outcome, apply, connect
from services.cli.vault.authorities import RootFiles, found_authorities
from services.cli.vault.declaration import Kind, declare, root_authority
from services.cli.vault.difference import Change
from services.runtime.vaultsession import Session, VaultError

ENVIRONMENT = "local"


class Bootstrap:
    """The set-up of one home's OpenBao."""

    def __init__(self, *, home: Home, openbao: OpenBaoServer, postgres: PostgresServer) -> None:
        self._home = home
        self._openbao = openbao
        self._postgres = postgres
        self._declaration = declare(ENVIRONMENT, {"socket": str(home.socket_dir)})

    def apply(self, *, fresh_databases: bool = False) -> bool:
        """Bring OpenBao to what is declared; False when it was there already.

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
            self._bring(session, fresh_databases=fresh_databases)
            if token_file.exists():
                self._credentials(session, "operator", "operator")
            for service in self._declaration.services:
                self._credentials(session, f"service-{service}", service)
            if token_file.exists():
                session.request("POST", "auth/token/revoke-self")
                token_file.unlink()
        except VaultError as error:
            raise PlatformError(
                f"OpenBao: {error}; if an earlier version made {self._home.path}, "
                "remove it and start again"
            ) from error
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

    def _bring(self, session: Session, *, fresh_databases: bool) -> None:
        """Apply; raises PlatformError when something declared is not there afterwards."""
        outcome = apply(session, self._declaration, login=self._first_login)
        self._authorities(session, outcome)
        if fresh_databases:
            for item in self._declaration.items:
                if item.kind is Kind.CONNECTION:
                    connect(session, item, login=self._first_login)
        missing = [each for each, _ in outcome.left if each.change is not Change.EXTRA]
        if missing:
            names = ", ".join(f"{each.kind} {each.name}" for each in missing)
            raise PlatformError(
                f"only root could change this in OpenBao: {names}; its token is gone for ever: "
                f"remove {self._home.path} and start again"
            )

    def _authorities(self, session: Session, outcome: Outcome) -> None:
        """Be the root of the PKI too: its key stays in the home, where no process reads it."""
        folder = self._home.authorities
        folder.mkdir(exist_ok=True)
        root = RootFiles(self._home.root_key, folder / "root.pem")
        if not root.certificate.exists():
            from services.cli.vault.offline import make_root  # noqa: PLC0415 - once

            make_root(root_authority(), key_file=root.key, certificate_file=root.certificate)
        found_authorities(session, self._declaration, folder=folder, root=root, outcome=outcome)

    def _first_login(self, service: str) -> dict[str, Any]:
        return first_login(self._postgres, service)

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
        """SHA-256 over everything that is declared."""
        state = [(item.kind, item.name, item.body) for item in self._declaration.items]
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def first_login(postgres: PostgresServer, service: str) -> dict[str, Any]:
    """A login to a service's database for Vault, which then changes the password."""
    user, password = postgres.reset_vault_login(service)
    return {"username": user, "password": password}


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
