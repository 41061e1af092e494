"""The commands `bao …` of the runbooks, run by the operator whom the pages name, on a real OpenBao.

It has one node; that three find another active one is tested in tests/infra (long).
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.cli.platform.openbao import ACTIVE
from tests.support.cluster import Cluster
from tests.support.community_vault import Operator
from tests.support.own_vault import OwnVault
from tests.support.runbooks import PAGES, RUNBOOKS, blocks

pytestmark = pytest.mark.xdist_group("own_vault")

IN_THE_CLUSTER = "https://openbao-active.vault.svc:8200"
MONTH = "transit/keys/log-month-exchange-2026-11"


def lines() -> list[str]:
    """The commands that an operator types, wherever the pages have them."""
    every = [line for page in PAGES for block in blocks(page) for line in block.text.splitlines()]
    return sorted({line for line in every if line.startswith("bao ")})


def login(address: str) -> str:
    """What README.md says before the first of them, but for the token that a cluster makes."""
    (block,) = [each for each in blocks(RUNBOOKS / "README.md") if "BAO_TOKEN" in each.text]
    made, *rest = block.text.splitlines()
    assert made.startswith("kubectl -n vault create token vault-operator ")
    assert IN_THE_CLUSTER in block.text
    return "\n".join(rest).replace(IN_THE_CLUSTER, address)


@pytest.fixture
def place(operator: Operator, vault: OwnVault, cluster: Cluster, tmp_path: Path) -> Path:
    """The folder of a workstation: `token` and `ca.crt`; a month has begun in Vault."""
    token = cluster.token("vault-operator", namespace="vault")
    (tmp_path / "token").write_text(f"{token}\n")
    (tmp_path / "ca.crt").write_bytes(vault.home.vault_ca.read_bytes())
    vault.root.request("POST", MONTH, {"type": "aes256-gcm96"})
    return tmp_path


def run(script: str, place: Path, given: Mapping[str, str] | None = None) -> str:
    """What a shell of that workstation prints."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=place,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(place),
            **(given or {}),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("line", [each for each in lines() if "snapshot restore" not in each])
def test_the_operator_may_do_what_the_pages_say(line: str, place: Path, vault: OwnVault) -> None:
    run(f"{login(vault.server.address)}\n{line}", place)
    vault.server.wait(ACTIVE)


def test_a_snapshot_is_put_back_as_the_page_says(
    place: Path, operator: Operator, vault: OwnVault, cluster: Cluster
) -> None:
    session = vault.session()
    session.login_by_kubernetes(
        "kubernetes", "snapshots", cluster.token("openbao-snapshots", namespace="vault")
    )
    snapshots = session._client.token
    address = login(vault.server.address)
    taken = f"export BAO_TOKEN={snapshots}\nbao operator raft snapshot save snapshot.snap"
    run(f"{address}\n{taken}", place)
    session.close()
    vault.root.request("POST", "transit/keys/log-month-later", {"type": "aes256-gcm96"})
    made = vault.root.request("POST", "auth/token/create", {"policies": ["root"]})
    (place / "root-token").write_text(made["auth"]["client_token"])
    (block,) = [each for each in blocks(RUNBOOKS / "parts.md") if "snapshot restore" in each.text]
    run(f"{address}\n{block.text}", place)
    until = time.monotonic() + 60
    while "log-month-later" in _months(vault):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert operator.diff("vault-operator", "vault").exit_code == 0


def _months(vault: OwnVault) -> list[str]:
    """The Transit keys, once the node is active."""
    vault.server.wait(ACTIVE)
    names: list[str] = vault.root.request("LIST", "transit/keys")["data"]["keys"]
    return names
