"""What the charts expect of a cluster (charts/README.md), in the smallest way that is real.

For each cloud a PostgreSQL a service over TLS, and one OpenBao that asks the API server about pods,
set up by `crossroads vault apply` with the files of infra/vault. Namespaces demand "restricted"
pods. Two clouds that are one cluster have namespaces, authorities and OpenBaos of their own.
"""

import base64
import json
import os
import secrets
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.runtime.vaultsession import Session
from tests.cluster.authority import Authority
from tests.cluster.kubectl import apply, forwarded, kubectl, rolled_out
from tests.cluster.objects import config_map, secret
from tests.cluster.release import documents

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SERVICES = ("identity", "registry", "authorization", "routing", "logging", "contact")
COMMUNITY, VAULT, PUBLIC, GATEWAY = "crossroads", "vault", "crossroads-public", "ingress"
BINDING = "crossroads-trial-openbao"
IMAGES = {
    "POSTGRES_IMAGE": os.environ.get("POSTGRES_IMAGE", "docker.io/library/postgres:18"),
    "OPENBAO_IMAGE": os.environ.get("OPENBAO_IMAGE", "ghcr.io/openbao/openbao:2.6.2"),
}


@dataclass(frozen=True)
class Cloud:
    """`name` in infra/vault/environments, its namespace, that of its OpenBao, its databases."""

    name: str
    namespace: str
    vault: str
    databases: tuple[str, ...]


CLOUDS = {
    "community": Cloud("community", COMMUNITY, VAULT, SERVICES),
    "public": Cloud("public", PUBLIC, "vault-public", ("publication",)),
}


class Ground:
    """The ground of one cloud in a trial; its files are in `folder`."""

    def __init__(self, folder: Path, cloud: Cloud) -> None:
        self.folder = folder
        self.cloud = cloud
        self.authority = Authority(f"crossroads trial, {cloud.name}")
        folder.mkdir(exist_ok=True)
        (folder / "ca.crt").write_bytes(self.authority.certificate)

    def lay(self) -> None:
        """Bring everything up, and Vault to what infra/vault declares."""
        kubectl("apply", "-f", str(HERE / "manifests" / "namespaces.yaml"))
        self._lay_databases()
        self._lay_vault()
        with self.vault() as address:
            self._set_up_vault(address)

    def vault(self) -> "Vault":
        """The way to OpenBao from here."""
        return Vault(self.cloud.vault)

    @contextmanager
    def operator(self) -> Iterator[Session]:
        """OpenBao, as the service account that may operate it."""
        with self.vault() as address:
            session = Session(address=address, ca_file=str(self.folder / "ca.crt"))
            try:
                session.login_by_kubernetes("kubernetes", "operator", self._token())
                yield session
            finally:
                session.close()

    def as_operator(self) -> list[str]:
        """Options of the command by which it logs in to OpenBao as the operator."""
        token = self.folder / "operator-token"
        token.write_text(self._token())
        return ["--ca-file", str(self.folder / "ca.crt"), "--kubernetes-token-file", str(token)]

    def _token(self) -> str:
        name = ("vault-operator", "-n", self.cloud.vault)
        return kubectl("create", "token", *name, "--audience=vault").strip()

    def remove(self) -> None:
        """Take everything away again, of the other cloud too."""
        kubectl("delete", "-f", str(HERE / "manifests" / "namespaces.yaml"), "--ignore-not-found")
        kubectl(
            "delete", "clusterrolebinding", f"{BINDING}-{self.cloud.vault}", "--ignore-not-found"
        )

    def _lay_databases(self) -> None:
        # As CloudNativePG names its servers: the service, in its namespace, in the cluster.
        ends = ("", f".{self.cloud.namespace}", f".{self.cloud.namespace}.svc")
        hosts = [f"{each}-database-rw{end}" for each in self.cloud.databases for end in ends]
        key, chain = self.authority.issue("databases", hosts)
        password = secrets.token_urlsafe(24)
        for service in self.cloud.databases:
            folder = self.folder / "databases" / service
            folder.mkdir(parents=True)
            (folder / "password").write_text(password)
        files = {"tls.key": key, "tls.crt": chain, "password": password.encode()}
        scripts = {
            "roles.sql": (ROOT / "infra" / "databases" / "roles" / "roles.sql").read_text(),
            "start.sh": (HERE / "manifests" / "database.sh").read_text(),
        }
        objects = [secret("databases", files), config_map("databases", scripts)]
        for service in self.cloud.databases:
            name = f"{service}-database"
            objects += [
                secret(f"{name}-ca", {"ca.crt": self.authority.certificate}),
                _headless(f"{name}-rw", {"cnpg.io/cluster": name}, 5432),
                *_read("databases.yaml", SERVICE_NAME=service),
            ]
        apply(self.cloud.namespace, objects)
        rolled_out(
            self.cloud.namespace, *(f"statefulset/{e}-database" for e in self.cloud.databases)
        )

    def _lay_vault(self) -> None:
        host = f"openbao-active.{self.cloud.vault}.svc"
        key, chain = self.authority.issue("openbao", [host])
        seal = base64.b64encode(secrets.token_bytes(32))
        content = {"tls.key": key, "tls.crt": chain, "seal.key": seal}
        ca = self.authority.certificate.decode()
        trusted = {f"{each}.crt": ca for each in self.cloud.databases}
        objects = _read("vault.yaml", VAULT_NAMESPACE=self.cloud.vault)
        authorities = config_map("database-authorities", trusted)
        apply(self.cloud.vault, [secret("openbao", content), authorities, *objects])
        rolled_out(self.cloud.vault, "statefulset/openbao")
        apply(self.cloud.namespace, [config_map("vault-ca", {"ca.crt": ca})])

    def _set_up_vault(self, address: str) -> None:
        trust = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        body = json.dumps({"recovery_shares": 1, "recovery_threshold": 1}).encode()
        request = urllib.request.Request(f"{address}/v1/sys/init", data=body, method="PUT")
        root = json.load(_patiently(request, trust))["root_token"]
        (self.folder / "root-token").write_text(root)
        passphrase, authorities = self.folder / "passphrase", self.folder / "authorities"
        passphrase.write_text(secrets.token_urlsafe(24))
        root_files = [f"--{each}" for each in ("key-file", "certificate-file", "passphrase-file")]
        names = [str(self.folder / each) for each in ("root.key", "root.pem", "passphrase")]
        by_root = [each for pair in zip(root_files, names, strict=True) for each in pair]
        crossroads("vault", "root", *by_root)
        apply_it = ["vault", "apply", "--environment", self.cloud.name, "--address", address]
        apply_it += ["--ca-file", str(self.folder / "ca.crt")]
        apply_it += ["--token-file", str(self.folder / "root-token")]
        apply_it += ["--databases", str(self.folder / "databases")]
        apply_it += ["--authorities", str(authorities)]
        crossroads(*apply_it, accepted=(0, 4))
        (authorities / "root.pem").write_bytes((self.folder / "root.pem").read_bytes())
        crossroads("vault", "sign", *by_root, "--authorities", str(authorities))
        crossroads(*apply_it)


class Vault:
    """A way to OpenBao: `with` gives its address."""

    def __init__(self, namespace: str) -> None:
        self._way = forwarded(namespace, "pod/openbao-0", 8200)

    def __enter__(self) -> str:
        return f"https://127.0.0.1:{self._way.__enter__()}"

    def __exit__(self, *details: Any) -> None:
        self._way.__exit__(*details)


def crossroads(*arguments: str, accepted: tuple[int, ...] = (0,)) -> str:
    """What the command `crossroads` prints; its exit code must be one of `accepted`."""
    command = [str(Path(sys.executable).parent / "crossroads"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout[-2000:] + done.stderr[-2000:]
    assert done.returncode in accepted, f"crossroads {' '.join(arguments)}: {said}"
    return done.stdout


def _patiently(request: urllib.request.Request, trust: ssl.SSLContext) -> Any:
    """The answer; OpenBao may still be starting."""
    until = time.monotonic() + 60
    while True:
        try:
            return urllib.request.urlopen(request, context=trust, timeout=30)
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def _read(name: str, **places: str) -> list[Any]:
    text = json.dumps(documents(HERE / "manifests" / name))
    for placeholder, value in (IMAGES | places).items():
        text = text.replace(placeholder, value)
    objects: list[Any] = json.loads(text)
    return objects


def _headless(name: str, selector: Mapping[str, str], port: int) -> dict[str, Any]:
    spec = {"clusterIP": "None", "selector": selector, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
