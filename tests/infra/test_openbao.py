"""What infra/openbao configures is a real OpenBao that unseals itself and can be watched."""

import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest

from services.cli.platform import listener, ports
from services.cli.platform.home import Home, private, write_secret
from services.cli.platform.openbao import ACTIVE, UNINITIALISED, OpenBaoServer
from services.cli.platform.ports import LOOPBACK
from tests.infra.test_metrics import OTHERS
from tests.support.manifests import INFRA

FILES = ("openbao.hcl", "seal.hcl")


class Declared(OpenBaoServer):
    """One node from the files of infra/openbao; only places and addresses are this machine's."""

    def _configure(self) -> Path:
        folder = self._home.openbao
        for name in ("data", "config", "tls", "seal"):
            private(folder / name)
        certificate, key = listener.certificate(self._home)
        write_secret(folder / "tls" / "tls.crt", certificate.read_bytes())
        write_secret(folder / "tls" / "tls.key", key.read_bytes())
        write_secret(folder / "tls" / "ca.crt", self._home.vault_ca.read_bytes())
        seal = folder / "seal" / "current.key"
        if not seal.exists():
            write_secret(seal, bytes(range(32)))
        for name in FILES:
            text = (INFRA / "openbao" / name).read_text()
            assert "/openbao/" in text
            text = text.replace("/openbao/", f"{folder}/").replace("[::]:8200", self.address[8:])
            text = text.replace("[::]:8201", f"{LOOPBACK}:{self._cluster_port}")
            # There is no API server here to label a pod with.
            text = text.replace('service_registration "kubernetes" {}', "")
            (folder / "config" / name).write_text(text)
        own = (
            f'api_addr = "{self.address}"\ncluster_addr = "https://{LOOPBACK}:{self._cluster_port}"'
        )
        (folder / "config" / "own.hcl").write_text(own)
        return folder / "config"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Declared]:
    home = Home(tmp_path / "home")
    home.make()
    chosen = ports.claim(home, ["openbao", "openbao-cluster"])
    server = Declared(home=home, port=chosen["openbao"], cluster_port=chosen["openbao-cluster"])
    try:
        server.start()
        yield server
    finally:
        server.stop()


def client(server: Declared) -> Any:
    made: Any = hvac.Client
    return made(url=server.address, verify=str(server._home.vault_ca), timeout=30)


def test_a_node_unseals_itself_is_audited_and_shows_the_metrics_that_alerts_name(
    server: Declared,
) -> None:
    assert server.wait(ACTIVE, UNINITIALISED) == UNINITIALISED
    made = client(server).sys.initialize(None, None, None, recovery_shares=5, recovery_threshold=3)
    assert len(made["recovery_keys"]) == 5
    assert server.wait(ACTIVE) == ACTIVE
    server.stop()
    server.start()
    assert server.wait(ACTIVE) == ACTIVE
    context = ssl.create_default_context(cafile=str(server._home.vault_ca))
    shown = f"{server.address}/v1/sys/metrics?format=prometheus"
    with urllib.request.urlopen(shown, timeout=30, context=context) as answer:
        names = {line.split("{")[0].split(" ")[0] for line in answer.read().decode().splitlines()}
    (named,) = [set(each) for where, each in OTHERS.items() if where.startswith("OpenBao")]
    assert named - names == set()
    log = (server._home.logs / "openbao.log").read_text()
    assert '"path":"sys/init' in log or '"type":"request"' in log
