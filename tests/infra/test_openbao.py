"""What infra/openbao configures is a real OpenBao that unseals itself and can be watched."""

import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hvac
import pytest

from services.cli.platform import listener, ports
from services.cli.platform.home import Home, private, write_secret
from services.cli.platform.openbao import ACTIVE, UNINITIALISED, OpenBaoServer
from services.cli.platform.ports import LOOPBACK
from tests.infra.test_metrics import OTHERS
from tests.support.manifests import INFRA, environment, needs_kubectl, of
from tests.support.runbooks import RUNBOOKS

FILES = ("openbao.hcl", "seal.hcl")
STANDBY = 429


class Declared(OpenBaoServer):
    """One node from the files of infra/openbao; only places and addresses are this machine's."""

    up = (ACTIVE, UNINITIALISED, STANDBY)

    seal = (INFRA / "openbao" / "seal.hcl").read_text()

    nodes: "Sequence[Declared]" = ()
    """All three, where there are three: in the place of the pods of the stateful set."""

    def _configure(self) -> Path:
        folder = self._home.openbao
        for name in ("data", "config", "tls", "seal"):
            private(folder / name)
        certificate, key = listener.certificate(self._home)
        write_secret(folder / "tls" / "tls.crt", certificate.read_bytes())
        write_secret(folder / "tls" / "tls.key", key.read_bytes())
        write_secret(folder / "tls" / "ca.crt", self._home.vault_ca.read_bytes())
        for name in re.findall(r"file:///openbao/seal/(\S+)\"", self.seal):
            if not (folder / "seal" / name).exists():
                write_secret(folder / "seal" / name, secrets.token_bytes(32))
        for name in FILES:
            text = self.seal if name == "seal.hcl" else (INFRA / "openbao" / name).read_text()
            assert "/openbao/" in text
            text = text.replace("/openbao/", f"{folder}/").replace("[::]:8200", self.address[8:])
            text = text.replace("[::]:8201", f"{LOOPBACK}:{self._cluster_port}")
            for number, node in enumerate(self.nodes):
                pod = f"https://openbao-{number}.openbao-internal.vault.svc:8200"
                assert pod in text or name != FILES[0]
                text = text.replace(pod, node.address)
            text = text.replace("openbao-internal.vault.svc", LOOPBACK)
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


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Declared]]:
    nodes: list[Declared] = []
    for number in range(3):
        home = Home(tmp_path / str(number))
        home.make()
        if number:  # certified by the same authority
            shutil.copytree(nodes[0]._home.openbao / "tls", home.openbao / "tls")
            shutil.copytree(nodes[0]._home.openbao / "seal", home.openbao / "seal")
            shutil.copy(nodes[0]._home.vault_ca, home.vault_ca)
        else:
            listener.certificate(home)
            private(home.openbao / "seal")
            write_secret(home.openbao / "seal" / "1.key", secrets.token_bytes(32))
        chosen = ports.claim(home, ["openbao", "openbao-cluster"])
        nodes.append(
            Declared(home=home, port=chosen["openbao"], cluster_port=chosen["openbao-cluster"])
        )
    for node in nodes:
        node.nodes = nodes
    try:
        yield nodes
    finally:
        for node in nodes:
            node.stop()


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


def test_another_key_seals_after_the_steps_of_the_runbook(server: Declared) -> None:
    made = client(server).sys.initialize(None, None, None, recovery_shares=5, recovery_threshold=3)
    assert server.wait(ACTIVE) == ACTIVE
    root = client(server)
    root.token = made["root_token"]
    root.sys.enable_secrets_engine("transit")
    page = (RUNBOOKS / "keys.md").read_text()
    (both,) = re.findall(r"^    seal \"static\" \{\n(?:.*\n)*?    \}$", page, re.MULTILINE)
    alone = "\n".join(line for line in both.splitlines() if "previous" not in line)
    keys = server._home.openbao / "seal"
    for seal, left in ((both, {"1.key", "2.key"}), (alone, {"2.key"})):
        server.stop()
        server.seal = seal
        for each in {file.name for file in keys.iterdir()} - left:
            (keys / each).unlink()
        server.start()
        assert server.wait(ACTIVE) == ACTIVE
        assert {file.name for file in keys.iterdir()} == left
        assert "transit/" in root.sys.list_mounted_secrets_engines()["data"]


def within(seconds: float, true: Callable[[], bool]) -> float:
    """Wait, at most so long, until something holds; how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + seconds, f"not within {seconds} s"
        time.sleep(0.1)
    return time.monotonic() - began


@pytest.mark.long
def test_three_nodes_find_each_other_and_go_on_when_the_active_one_dies(
    three: list[Declared],
) -> None:
    first, *others = three
    context = ssl.create_default_context(cafile=str(first._home.vault_ca))
    first.start()
    made = client(first).sys.initialize(None, None, None, recovery_shares=1, recovery_threshold=1)
    assert first.wait(ACTIVE) == ACTIVE
    for node in others:  # they join and unseal themselves
        node.start()
        assert node.wait(STANDBY, ACTIVE) == STANDBY
    root = client(first)
    root.token = made["root_token"]

    def voters() -> int:
        found = root.read("sys/storage/raft/configuration")["data"]["config"]["servers"]
        return sum(1 for each in found if each["voter"])

    within(60, lambda: voters() == 3)
    root.sys.enable_secrets_engine("transit")
    assert first.process is not None
    os.kill(first.process.pid, signal.SIGKILL)
    took = within(60, lambda: ACTIVE in [node._health(context) for node in others])
    assert took < 30  # what infra/README.md says
    (active,) = [node for node in others if node._health(context) == ACTIVE]
    again = client(active)
    again.token = made["root_token"]
    assert "transit/" in again.sys.list_mounted_secrets_engines()["data"]


@needs_kubectl
def test_the_snapshot_agent_is_given_the_stores_keys_from_files(tmp_path: Path) -> None:
    job = of(environment("production", "community"), "CronJob")["openbao-snapshots"]
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    agent = tmp_path / "agent"
    agent.write_text('#!/bin/sh\necho "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"\n')
    agent.chmod(0o755)
    *shell, script = container["command"]
    script = script.replace("/openbao/store", str(tmp_path)).replace("/bao-snapshot.sh", str(agent))
    (tmp_path / "access_key_id").write_text("id\n")
    without = subprocess.run([*shell, script], capture_output=True, text=True, check=False)
    assert without.returncode != 0
    (tmp_path / "secret_access_key").write_text("key")
    done = subprocess.run([*shell, script], capture_output=True, text=True, check=True)
    assert done.stdout == "id key\n"
