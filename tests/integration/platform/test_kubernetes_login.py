"""A pod logs in to a real OpenBao by its service account's token.

OpenBao's own Kubernetes auth method runs here; of the cluster only the TokenReview API that it asks
(tests/support/cluster.py) is ours. That a real API server answers alike, only a cluster can show.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.cli.platform import ports
from services.cli.platform.home import Home
from services.cli.platform.openbao import ACTIVE, UNINITIALISED, OpenBaoServer
from services.runtime.clock import SystemClock
from services.runtime.config import VaultConfig
from services.runtime.errors import CrossroadsError
from services.runtime.vault import Vault
from services.runtime.vaultsession import Session
from tests.support.cluster import AUDIENCE, Cluster

NAMESPACE = "crossroads"
POLICY = 'path "transit/keys/of-registry" { capabilities = ["create", "update", "read"] }'


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API that OpenBao asks."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[VaultConfig]:
    """An OpenBao of its own, with the role `registry` for the service account of registry."""
    home = Home(tmp_path_factory.mktemp("kubernetes-login"))
    home.make()
    chosen = ports.claim(home, ["openbao", "openbao-cluster"])
    server = OpenBaoServer(
        home=home, port=chosen["openbao"], cluster_port=chosen["openbao-cluster"]
    )
    server.start()
    try:
        _set_up(server, home, cluster)
        yield VaultConfig(
            address=server.address, ca_file=str(home.vault_ca), kubernetes_role="registry"
        )
    finally:
        server.stop()


def _set_up(server: OpenBaoServer, home: Home, cluster: Cluster) -> None:
    session = Session(address=server.address, ca_file=str(home.vault_ca))
    assert server.wait(ACTIVE, UNINITIALISED) == UNINITIALISED
    body = {"recovery_shares": 0, "recovery_threshold": 0}
    token = session.request("POST", "sys/init", body)["root_token"]
    server.wait(ACTIVE)
    session.close()
    root = Session(address=server.address, ca_file=str(home.vault_ca), token=token)
    writes: dict[str, dict[str, Any]] = {
        "sys/mounts/transit": {"type": "transit"},
        "sys/auth/kubernetes": {"type": "kubernetes"},
        "sys/policies/acl/service-registry": {"policy": POLICY},
        "auth/kubernetes/config": {
            "kubernetes_host": cluster.address,
            "kubernetes_ca_cert": cluster.ca.read_text(),
            "disable_local_ca_jwt": True,
        },
        "auth/kubernetes/role/registry": {
            "bound_service_account_names": ["registry"],
            "bound_service_account_namespaces": [NAMESPACE],
            "audience": AUDIENCE,
            "token_policies": ["service-registry"],
            "token_ttl": "24h",
        },
    }
    for path, content in writes.items():
        root.request("POST", path, content)
    root.close()


def with_token(config: VaultConfig, folder: Path, token: str) -> VaultConfig:
    """The configuration of a pod in whose file this token is."""
    file = folder / "token"
    file.write_text(token)
    return replace(config, kubernetes_token_file=str(file))


async def test_a_pod_gets_what_its_service_may(
    address: VaultConfig, cluster: Cluster, tmp_path: Path
) -> None:
    config = with_token(address, tmp_path, cluster.token("registry", namespace=NAMESPACE))
    vault = await Vault.open(config, clock=SystemClock())
    try:
        await vault.create_key("of-registry")
        assert await vault.key_exists("of-registry")
        with pytest.raises(CrossroadsError, match="status 403"):
            await vault.create_key("of-another")
    finally:
        await vault.close()
    assert cluster.reviewed[-1] == f"system:serviceaccount:{NAMESPACE}:registry"


async def test_another_account_namespace_or_audience_gets_nothing(
    address: VaultConfig, cluster: Cluster, tmp_path: Path
) -> None:
    tokens = [
        cluster.token("contact", namespace=NAMESPACE),
        cluster.token("registry-migrate", namespace=NAMESPACE),
        cluster.token("registry", namespace="elsewhere"),
        cluster.token("registry", namespace=NAMESPACE, audience="https://kubernetes.default.svc"),
    ]
    for token in tokens:
        with pytest.raises(CrossroadsError, match="auth/kubernetes/login: status 403"):
            await Vault.open(with_token(address, tmp_path, token), clock=SystemClock())


async def test_the_token_is_read_anew_at_each_login(
    address: VaultConfig, cluster: Cluster, tmp_path: Path
) -> None:
    first = cluster.token("registry", namespace=NAMESPACE)
    config = with_token(address, tmp_path, first)
    vault = await Vault.open(config, clock=SystemClock())
    try:
        before = len(cluster.reviewed)
        # The kubelet has put a new token there, the old one is void, and Vault's own is gone.
        cluster.revoke(first)
        with_token(address, tmp_path, cluster.token("registry", namespace=NAMESPACE))
        await vault.call("POST", "auth/token/revoke-self")
        assert await vault.key_exists("of-registry") in (True, False)
        assert cluster.reviewed[before:] == [f"system:serviceaccount:{NAMESPACE}:registry"]
    finally:
        await vault.close()


async def test_a_pod_without_its_token_says_which_file_is_missing(
    address: VaultConfig, tmp_path: Path
) -> None:
    config = replace(address, kubernetes_token_file=str(tmp_path / "token"))
    with pytest.raises(CrossroadsError, match="token: No such file"):
        await Vault.open(config, clock=SystemClock())
