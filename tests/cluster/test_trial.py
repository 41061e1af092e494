"""The charts in a real cluster: install, exchange, upgrade under load, lose pods, remove.

`make test-cluster`, with KUBECONFIG and an image that the cluster has or can pull
(CROSSROADS_IMAGE). It brings its own namespaces and takes them away. Without a cluster everything
here is skipped, and says so.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.ground import COMMUNITY, SERVICES, Ground
from tests.cluster.kubectl import apply, got, kubectl, missing, rolled_out
from tests.cluster.objects import secret
from tests.cluster.pods import LoadPod
from tests.cluster.release import Release
from tests.cluster.sector import Sector

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("cluster"),
]
IMAGE = os.environ.get("CROSSROADS_IMAGE", "localhost/crossroads:0.1.0")
LITTLE = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}
LOAD_SECONDS = 90
PART = "app.kubernetes.io/part-of=crossroads"


def values() -> dict[str, Any]:
    """Two of what exchanges pass through, small enough for one machine."""
    repository, _, tag = IMAGE.rpartition(":")
    found: dict[str, Any] = {each: {"resources": LITTLE} for each in SERVICES}
    found["routing"] |= {"replicas": 2, "test": {"enabled": True}}
    found["logging"] |= {"replicas": 2}
    image = {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}
    return found | {"global": {"image": image}}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The community chart, ready, with the demo's sector enrolled."""
    folder = tmp_path_factory.mktemp("cluster")
    ground = Ground(folder)
    community = Release("community", COMMUNITY, values())
    try:
        ground.lay()
        community.bring()
        ready()
        sector = Sector(ground, IMAGE)
        sector.start_sources()
        with pytest.MonkeyPatch.context() as patch:
            asyncio.run(sector.enrol(patch))
        apply(COMMUNITY, [secret("exchange-test", sector.question())])
        yield community
        community.remove()
        gone()
    finally:
        ground.remove()


def ready() -> None:
    """Wait until every service serves."""
    kinds = {each: "statefulset" if each == "logging" else "deployment" for each in SERVICES}
    rolled_out(COMMUNITY, *(f"{kind}/{name}" for name, kind in kinds.items()))


def gone() -> None:
    """Wait until nothing of the release is left but what it stored."""
    kinds = "deployments,statefulsets,services,configmaps,serviceaccounts,networkpolicies,jobs,pods"
    until = time.monotonic() + 90
    while left := got(COMMUNITY, kinds, "-l", PART):
        names = [f"{each['kind']} {each['metadata']['name']}" for each in left]
        assert time.monotonic() < until, names
        time.sleep(1)


def test_an_institution_exchanges_and_verifies_its_receipt(release: Release) -> None:
    assert "answered" in release.test()


def test_an_upgrade_under_load_fails_no_call(release: Release) -> None:
    before = _pods()
    with LoadPod(IMAGE, LOAD_SECONDS) as load:
        release.bring(**_over(values(), logLevel="DEBUG"))
        ready()
        told = load.told()
    assert not before & _pods(), "some pod was not replaced"
    assert told["failed"] == {}
    assert told["answered"] > 0


def test_pods_that_are_killed_under_load_fail_no_call(release: Release) -> None:
    with LoadPod(IMAGE, LOAD_SECONDS) as load:
        for service in SERVICES:
            name = next(iter(_pods(service)))
            kubectl("delete", "pod", name, "-n", COMMUNITY, "--force", "--grace-period=0")
            ready()
        told = load.told()
    assert told["failed"] == {}
    assert told["answered"] > 0


def test_a_node_that_is_drained_under_load_fails_no_call(release: Release) -> None:
    nodes = [each["metadata"]["name"] for each in got(COMMUNITY, "nodes")]
    if len(nodes) < 2:
        pytest.skip("one node: what is evicted has nowhere to go")
    (pod,) = got(COMMUNITY, f"pod/{next(iter(_pods('routing')))}")
    node = pod["spec"]["nodeName"]
    with LoadPod(IMAGE, LOAD_SECONDS, elsewhere=node) as load:
        try:
            kubectl(
                "drain",
                node,
                "--ignore-daemonsets",
                "--delete-emptydir-data",
                f"--pod-selector={PART}",
            )
            ready()
        finally:
            kubectl("uncordon", node)
        told = load.told()
    assert told["failed"] == {}


def _pods(service: str = "") -> set[str]:
    """The pods that serve."""
    chosen = f"{PART},app.kubernetes.io/component=server"
    if service:
        chosen += f",app.kubernetes.io/name={service}"
    return {
        each["metadata"]["uid"] if not service else each["metadata"]["name"]
        for each in got(COMMUNITY, "pods", "-l", chosen)
        if not each["metadata"].get("deletionTimestamp")
    }


def _over(base: dict[str, Any], **more: Any) -> dict[str, Any]:
    return base | {"global": base["global"] | more}
