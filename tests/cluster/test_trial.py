"""The charts in a real cluster: install, exchange, upgrade under load, lose pods, remove.

`make test-cluster`, with KUBECONFIG and an image that the cluster has or can pull
(CROSSROADS_IMAGE). It brings its own namespaces and takes them away. Without a cluster everything
here is skipped, and says so.
"""

from typing import Any

import pytest

from tests.cluster.conftest import IMAGE, PART, Trial, ready, values
from tests.cluster.ground import COMMUNITY, SERVICES
from tests.cluster.kubectl import got, kubectl, missing
from tests.cluster.pods import LoadPod

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("cluster"),
]
LOAD_SECONDS = 90


def test_an_institution_exchanges_and_verifies_its_receipt(trial: Trial) -> None:
    assert "answered" in trial.release.test()


def test_an_upgrade_under_load_fails_no_call(trial: Trial) -> None:
    before = _pods()
    with LoadPod(IMAGE, LOAD_SECONDS) as load:
        trial.release.bring(**_over(values(), logLevel="DEBUG"))
        ready()
        told = load.told()
    assert not before & _pods(), "some pod was not replaced"
    assert told["failed"] == {}
    assert told["answered"] > 0


def test_pods_that_are_killed_under_load_fail_no_call(trial: Trial) -> None:
    with LoadPod(IMAGE, LOAD_SECONDS) as load:
        for service in SERVICES:
            name = next(iter(_pods(service)))
            kubectl("delete", "pod", name, "-n", COMMUNITY, "--force", "--grace-period=0")
            ready()
        told = load.told()
    assert told["failed"] == {}
    assert told["answered"] > 0


def test_a_node_that_is_drained_under_load_fails_no_call(trial: Trial) -> None:
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
