"""The home of one instance: where each file of the platform on this machine lives.

Contract: paths only, and how they are made: secrets 0600 in directories 0700, files written whole
or not at all. `CROSSROADS_HOME` names the home, else it is `.crossroads` in the working directory.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_LIMIT = 107  # octets: sun_path of sockaddr_un(7) less its terminating zero
SOCKET_NAME = ".s.PGSQL.5432"
SERVICES = ("identity", "registry", "authorization", "routing", "logging", "contact")
PUBLIC = ("publication", "publisher")
"""The border to the public cloud, which runs here with `--public`; the second has no database."""
DATABASES = (*SERVICES, PUBLIC[0])
INTERMEDIATES = ("services", "institutions", "persons")


class PlatformError(Exception):
    """Why the platform can't start or stop, and what to do about it."""


@dataclass(frozen=True)
class Home:
    """The directory of one instance."""

    path: Path

    @classmethod
    def find(cls, path: str | os.PathLike[str] | None = None) -> "Home":
        """The home at `path`, else at $CROSSROADS_HOME, else at ./.crossroads."""
        chosen = path or os.environ.get("CROSSROADS_HOME") or ".crossroads"
        return cls(Path(chosen).absolute())

    def make(self) -> None:
        """Create the directories that every part expects. Raises PlatformError."""
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(0o711)  # PostgreSQL's user must pass, whatever the umask is
            for folder in (self.secrets, self.openbao):
                private(folder)
            for folder in (self.config, self.run, self.logs, self.persons, self.institutions):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PlatformError(
                f"{error.filename} can't be made ({error.strerror}); name a directory in which "
                "that is possible by CROSSROADS_HOME"
            ) from None

    @property
    def postgres(self) -> Path:
        """PostgreSQL's own directory; as root it belongs to an unprivileged user."""
        return self.path / "postgres"

    @property
    def openbao(self) -> Path:
        """OpenBao's data, configuration, seal key and audit log."""
        return self.path / "openbao"

    @property
    def secrets(self) -> Path:
        """One folder of credentials for each service and for the operator."""
        return self.path / "secrets"

    @property
    def config(self) -> Path:
        """One TOML file for each process."""
        return self.path / "config"

    @property
    def run(self) -> Path:
        """Process ids and addresses."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.path / "logs"

    @property
    def persons(self) -> Path:
        """Keys and certificates of the demo's persons."""
        return self.path / "persons"

    @property
    def institutions(self) -> Path:
        """Keys and certificates of the demo's applications."""
        return self.path / "institutions"

    @property
    def authorities(self) -> Path:
        """The PKI's public certificates: root.pem, services.pem, institutions.pem, persons.pem."""
        return self.path / "authorities"

    @property
    def root_key(self) -> Path:
        """The key of the PKI's root. No process reads it; on a cluster a person takes it away."""
        return self.secrets / "root" / "key.pem"

    @property
    def vault_ca(self) -> Path:
        """What a client of OpenBao trusts."""
        return self.path / "ca.pem"

    @property
    def witness_policy(self) -> Path:
        """Whom the log asks to cosign, and whom to believe (C2SP tlog-policy)."""
        return self.path / "witnesses.policy"

    def pid_file(self, name: str) -> Path:
        """Where a process is remembered."""
        return self.run / f"{name}.pid"

    @property
    def ports(self) -> Path:
        """The ports that were chosen at the first start."""
        return self.path / "ports.json"

    @property
    def superuser_password(self) -> Path:
        """The password of PostgreSQL's superuser."""
        return self.secrets / "postgres" / "password"

    @property
    def socket_dir(self) -> Path:
        """The directory of PostgreSQL's Unix socket: short, for its path must be.

        Raises PlatformError when even the temporary directory's path is too long.
        """
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"crossroads-{digest}"
        if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_LIMIT:
            raise PlatformError(
                f"{folder}: too long for a Unix socket; set TMPDIR to a shorter path"
            )
        return folder


def private(folder: Path) -> Path:
    """A directory that only its owner may enter."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def write_secret(file: Path, content: bytes | str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    private(file.parent)
    write(file, content, mode=0o600)


def write(file: Path, content: bytes | str, *, mode: int = 0o644) -> None:
    """Write a file, whole or not at all."""
    data = content.encode() if isinstance(content, str) else content
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    Path(name).replace(file)
