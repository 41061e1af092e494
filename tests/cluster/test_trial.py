"""The charts in a real cluster: install, exchange, upgrade under load, lose pods, remove.

`make test-cluster`, with KUBECONFIG and an image that the cluster has or can pull
(CROSSROADS_IMAGE). It brings its own namespaces and takes them away. Without a cluster everything
here is skipped, and says so.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.cluster.conftest import IMAGE, PART, Trial, ready, values
from tests.cluster.ground import COMMUNITY, SERVICES, VAULT
from tests.cluster.kubectl import got, kubectl, missing, rolled_out
from tests.cluster.pods import LoadPod

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("cluster"),
]
LOAD_SECONDS = 90
STORES_SECONDS = 150


def test_an_institution_exchanges_and_verifies_its_receipt(trial: Trial) -> None:
    assert "answered" in trial.release.test()


def test_an_upgrade_under_load_fails_no_call(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    before, began = _pods(), time.time()
    with trial.release.doors(), LoadPod(IMAGE, LOAD_SECONDS) as load:
        trial.release.bring(**_over(values(), logLevel="DEBUG"))
        ready()
        told = load.told()
    assert not before & _pods(), "some pod was not replaced"
    _whole(told, [("upgrade", began)], capsys)


def test_pods_that_are_killed_under_load_fail_no_call(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = []
    with trial.release.doors(), LoadPod(IMAGE, LOAD_SECONDS) as load:
        for service in SERVICES:
            name = next(iter(_pods(service)))
            killed.append((service, time.time()))
            kubectl("delete", "pod", name, "-n", COMMUNITY, "--force", "--grace-period=0")
            ready()
            load.goes_on()
        told = load.told()
    _whole(told, killed, capsys)


def test_stores_that_crash_under_load_fail_no_call(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed = []
    stores = [(COMMUNITY, f"{each}-database") for each in SERVICES] + [(VAULT, "openbao")]
    with trial.release.doors(), LoadPod(IMAGE, STORES_SECONDS) as load:
        for namespace, store in stores:
            before = _restarts(namespace, store)
            crashed.append((store, time.time()))
            kubectl("exec", "-n", namespace, f"{store}-0", "--", "sh", "-c", "kill -QUIT 1")
            while _restarts(namespace, store) == before:
                assert time.time() < crashed[-1][1] + 60, f"{store} did not crash"
                time.sleep(0.5)
            rolled_out(namespace, f"statefulset/{store}")
            load.goes_on()
        told = load.told()
    _whole(told, crashed, capsys)


def test_a_node_that_is_drained_under_load_fails_no_call(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [each["metadata"]["name"] for each in got(COMMUNITY, "nodes")]
    if len(nodes) < 2:
        pytest.skip("one node: what is evicted has nowhere to go")
    (pod,) = got(COMMUNITY, f"pod/{next(iter(_pods('routing')))}")
    node, began = pod["spec"]["nodeName"], time.time()
    with trial.release.doors(), LoadPod(IMAGE, LOAD_SECONDS, elsewhere=node) as load:
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
    _whole(told, [("drain", began)], capsys)


def _whole(
    told: Mapping[str, Any],
    events: Sequence[tuple[str, float]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No call failed. Says for how long nothing was answered after each event: told, not judged."""
    assert told["failed"] == {}
    assert told["answered"] > 0
    ends = [began for _, began in events[1:]] + [float("inf")]
    said = [f"{told['answered']} answered, {told['repeated']} repeated; longest pause, in seconds:"]
    for (event, began), end in zip(events, ends, strict=True):
        pauses = (
            long for since, long in told["pauses"] if began - 1 <= since + long and since < end
        )
        said.append(f"{event} {max(pauses, default=0):.1f}")
    with capsys.disabled():
        sys.stdout.write("\n" + " ".join(said) + "\n")


def _restarts(namespace: str, store: str) -> int:
    """How often the store's container was started again."""
    (pod,) = got(namespace, f"pod/{store}-0")
    return sum(int(each["restartCount"]) for each in pod["status"]["containerStatuses"])


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
