"""Which Vault a command works on, and as whom.

Contract: with an address, that Vault, by the login that the files hold; without, the OpenBao of
this directory, as its operator. A root token is revoked when its work is done, its file removed.
Failures of Vault become PlatformError with what to do.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.platform import instance, ports
from services.cli.platform.bootstrap import ENVIRONMENT, first_login
from services.cli.platform.home import Home, PlatformError
from services.cli.vault.application import Login, Outcome, apply
from services.cli.vault.authorities import RootFiles, authority_differences, found_authorities
from services.cli.vault.declaration import Declaration, Kind, declare
from services.cli.vault.difference import Change, Difference, differences
from services.runtime.vaultsession import Session, VaultError


@dataclass(frozen=True)
class Where:
    """What the command line said. Without `address` everything else is this directory's.

    One of the logins: `token_file`; `role_id_file` and `secret_id_file` (AppRole);
    `kubernetes_token_file` (role `operator`). `authorities` is where requests and certificates of
    the intermediates lie. `databases` holds a folder for each service: `password` of the login
    `vault_<service>`, needed once.
    """

    environment: str = ""
    address: str = ""
    ca_file: str = ""
    token_file: Path | None = None
    role_id_file: Path | None = None
    secret_id_file: Path | None = None
    kubernetes_token_file: Path | None = None
    authorities: Path = Path("authorities")
    databases: Path | None = None
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    root: RootFiles | None = None


@dataclass(frozen=True)
class Target:
    """A Vault that answered, and what is declared for it."""

    session: Session
    declaration: Declaration
    login: Login
    authorities: Path
    root: RootFiles | None
    token_file: Path | None

    def diff(self) -> list[Difference]:
        """Everything that is not as declared."""
        return [
            *differences(self.session, self.declaration),
            *authority_differences(self.session, self.declaration, self.authorities),
        ]

    def apply(self, *, remove: bool) -> Outcome:
        """Bring it to what is declared."""
        outcome = apply(self.session, self.declaration, login=self.login, remove=remove)
        found_authorities(
            self.session,
            self.declaration,
            folder=self.authorities,
            root=self.root,
            outcome=outcome,
        )
        return outcome

    def give_up_root(self, outcome: Outcome) -> str:
        """Revoke a root token: "revoked"; "kept" while an authority waits; "" for another token."""
        if self.token_file is None:
            return ""
        token = self.session.request("GET", "auth/token/lookup-self")["data"]
        if token["policies"] != ["root"]:
            return ""
        kinds = {(each.kind, each.change) for each, _ in outcome.left}
        if (Kind.AUTHORITY, Change.MISSING) in kinds:
            return "kept"
        self.session.request("POST", "auth/token/revoke-self")
        self.token_file.unlink()
        return "revoked"


@contextmanager
def opened(where: Where) -> Iterator[Target]:
    """The Vault of the command line. Raises PlatformError, also for what fails inside."""
    home = None
    if not where.address:
        home = Home.find()
        where = _here(where, home)
    declaration = declare(where.environment, where.values)
    with logged_in(where) as session:
        yield Target(
            session,
            declaration,
            _database_login(where, home),
            where.authorities,
            where.root,
            where.token_file,
        )


@contextmanager
def logged_in(where: Where) -> Iterator[Session]:
    """A session at `where.address`, else with the OpenBao of this directory.

    Raises PlatformError, also for what fails inside.
    """
    if not where.address:
        where = _here(where, Home.find())
    session = Session(address=where.address, ca_file=where.ca_file)
    try:
        _log_in(session, where)
        yield session
    except VaultError as error:
        raise PlatformError(_explained(error, session, where.address)) from None
    finally:
        session.close()


def _here(where: Where, home: Home) -> Where:
    """The OpenBao of this directory, as its operator."""
    if where.environment not in ("", ENVIRONMENT):
        raise PlatformError(f"say which Vault: --address; this directory's is {ENVIRONMENT!r}")
    instance.require_running(home)
    operator = home.secrets / "operator"
    return dataclasses.replace(
        where,
        environment=ENVIRONMENT,
        address=f"https://{ports.LOOPBACK}:{ports.known(home)['openbao']}",
        ca_file=str(home.vault_ca),
        role_id_file=operator / "role_id",
        secret_id_file=operator / "secret_id",
        authorities=home.authorities,
        values={"socket": str(home.socket_dir)},
    )


def _log_in(session: Session, where: Where) -> None:
    if where.token_file:
        session.become(_read(where.token_file))
    elif where.kubernetes_token_file:
        token = _read(where.kubernetes_token_file)
        session.login_by_kubernetes("kubernetes", "operator", token)
    elif where.role_id_file and where.secret_id_file:
        session.login(_read(where.role_id_file), _read(where.secret_id_file))
    else:
        raise PlatformError(
            "say as whom: --token-file, --kubernetes-token-file, or --role-id-file and "
            "--secret-id-file"
        )


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise PlatformError(f"{file}: {error.strerror}") from None


def _database_login(where: Where, home: Home | None) -> Login:
    """Vault's first login to a database: reset where the database is ours, else given."""

    def login(service: str) -> dict[str, Any]:
        if home is not None:
            from services.cli.platform.postgres import PostgresServer  # noqa: PLC0415

            return first_login(PostgresServer(home=home), service)
        if where.databases is None:
            raise PlatformError(
                f"Vault has no login to the database of {service}: give --databases, a folder "
                f"with {service}/password"
            )
        return {"password": _read(where.databases / service / "password")}

    return login


def _explained(error: VaultError, session: Session, address: str) -> str:
    """What a person can do about it."""
    if error.status == 0:
        return f"{address} does not answer ({error}); see that it runs and that --ca-file is its CA"
    if error.status == 503:
        return f"{address} is sealed, or has no active node: unseal it, then run this again"
    refused = error.path.endswith("/login") and error.status in (400, 403)
    if refused or (error.status == 403 and not _token_lives(session)):
        return f"the login to {address} was refused or has ended ({error}); log in again"
    if error.status == 403:
        return f"this login may not ask for {error.path}; use the operator's, or root's"
    return f"{address}: {error}; see its log"


def _token_lives(session: Session) -> bool:
    try:
        session.request("GET", "auth/token/lookup-self")
    except VaultError:
        return False
    return True
