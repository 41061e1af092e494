"""Every pod is what Kubernetes calls "restricted" (Pod Security Standards), rule by rule."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.charts import Pod, production, small
from tests.support.restricted import offences

RENDERS = [(chart, size) for chart in ("community", "public") for size in (small, production)]


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
