"""Every pod is what Kubernetes calls "restricted" (Pod Security Standards), rule by rule."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.charts import Pod, production, small

VOLUMES = frozenset(
    (
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
        *("projected", "secret"),
    )
)
RENDERS = [(chart, size) for chart in ("community", "public") for size in (small, production)]


def offences(spec: Mapping[str, Any]) -> Iterator[str]:
    """What the profile forbids, or demands and is not there."""
    yield from (each for each in ("hostNetwork", "hostPID", "hostIPC") if spec.get(each))
    pod = spec.get("securityContext", {})
    if pod.get("sysctls"):
        yield "sysctls"
    for volume in spec.get("volumes", ()):
        if not (volume.keys() - {"name"}) <= VOLUMES:
            yield f"volume {volume['name']}"
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        yield from (f"{container['name']}: {each}" for each in _in_container(container, pod))


def _in_container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = {**pod, **own}
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "root"
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccomp"
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield "privileges"
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "capabilities"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "hostPort"


def beyond(pod: Pod) -> Iterator[str]:
    """What the house demands on top."""
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield "a token for the API server"
    for container in pod.spec["containers"]:
        if container["securityContext"].get("readOnlyRootFilesystem") is not True:
            yield "a root that can be written to"
        if container.get("env") or container.get("envFrom"):
            yield "environment variables: configuration comes from files"
        requests, limits = (container["resources"][each] for each in ("requests", "limits"))
        if not requests.keys() >= {"cpu", "memory"} or "memory" not in limits:
            yield "no bound on memory, or no request"


@pytest.mark.parametrize(("chart", "size"), RENDERS)
def test_no_pod_may_do_more_than_restricted_allows(chart: str, size: Any) -> None:
    pods = size(chart).pods()
    assert pods
    for pod in pods:
        assert [*offences(pod.spec), *beyond(pod)] == [], pod.name


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "volume v"),
        ({"securityContext": {}}, "routing: root"),
        ({"containers": [{"name": "c", "securityContext": {"privileged": True}}]}, "c: privileges"),
    ],
)
def test_what_is_not_restricted_is_found(change: dict[str, Any], found: str) -> None:
    (pod,) = [pod for pod in small("community").pods() if pod.name == "routing"]
    assert found in list(offences({**pod.spec, **change}))


def test_a_secret_shows_only_the_keys_that_are_needed() -> None:
    for pod in production("community").pods():
        for volume in pod.spec["volumes"]:
            if "secret" in volume and volume["name"] == "database-ca":
                assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
