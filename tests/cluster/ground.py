"""What the charts expect of a cluster (charts/README.md), in the smallest way that is real.

One PostgreSQL over TLS, one OpenBao that asks the API server about pods, set up by `crossroads
vault apply` with the files of infra/vault. Namespaces demand "restricted" pods.
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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.authority import Authority
from tests.cluster.kubectl import apply, forwarded, kubectl, rolled_out
from tests.cluster.objects import secret
from tests.cluster.release import documents

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SERVICES = ("identity", "registry", "authorization", "routing", "logging", "contact")
COMMUNITY, VAULT = "crossroads", "vault"
IMAGES = {
    "POSTGRES_IMAGE": os.environ.get("POSTGRES_IMAGE", "docker.io/library/postgres:18"),
    "OPENBAO_IMAGE": os.environ.get("OPENBAO_IMAGE", "ghcr.io/openbao/openbao:2.6.2"),
}


class Ground:
    """The ground of one trial; its files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority("crossroads trial")
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
        return Vault()

    def remove(self) -> None:
        """Take everything away again."""
        kubectl("delete", "-f", str(HERE / "manifests" / "namespaces.yaml"), "--ignore-not-found")
        kubectl("delete", "clusterrolebinding", "crossroads-trial-openbao", "--ignore-not-found")

    def _lay_databases(self) -> None:
        # As CloudNativePG names its servers: the service, in its namespace, in the cluster.
        ends = ("", f".{COMMUNITY}", f".{COMMUNITY}.svc")
        hosts = [f"{each}-database-rw{end}" for each in SERVICES for end in ends]
        key, chain = self.authority.issue("databases", hosts)
        password = secrets.token_urlsafe(24)
        for service in SERVICES:
            folder = self.folder / "databases" / service
            folder.mkdir(parents=True)
            (folder / "password").write_text(password)
        files = {"tls.key": key, "tls.crt": chain, "password": password.encode()}
        objects = [secret("databases", files)]
        for service in SERVICES:
            objects += [
                secret(f"{service}-database-ca", {"ca.crt": self.authority.certificate}),
                _headless(f"{service}-database-rw", {"app.kubernetes.io/name": "databases"}, 5432),
            ]
        objects += _read("databases.yaml")
        roles = (ROOT / "infra" / "databases" / "roles" / "roles.sql").read_text()
        next(e for e in objects if e["kind"] == "ConfigMap")["data"]["roles.sql"] = roles
        apply(COMMUNITY, objects)
        rolled_out(COMMUNITY, "statefulset/databases")

    def _lay_vault(self) -> None:
        key, chain = self.authority.issue("openbao", ["openbao-active.vault.svc"])
        seal = base64.b64encode(secrets.token_bytes(32))
        content = {"tls.key": key, "tls.crt": chain, "seal.key": seal}
        ca = self.authority.certificate.decode()
        authorities = _config_map("database-authorities", {f"{e}.crt": ca for e in SERVICES})
        apply(VAULT, [secret("openbao", content), authorities, *_read("vault.yaml")])
        rolled_out(VAULT, "statefulset/openbao")
        apply(COMMUNITY, [_config_map("vault-ca", {"ca.crt": ca})])

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
        apply_it = ["vault", "apply", "--environment", "community", "--address", address]
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

    def __init__(self) -> None:
        self._way = forwarded(VAULT, "pod/openbao-0", 8200)

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


def _read(name: str) -> list[Any]:
    text = json.dumps(documents(HERE / "manifests" / name))
    for placeholder, image in IMAGES.items():
        text = text.replace(placeholder, image)
    objects: list[Any] = json.loads(text)
    return objects


def _config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def _headless(name: str, selector: Mapping[str, str], port: int) -> dict[str, Any]:
    spec = {"clusterIP": "None", "selector": selector, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
