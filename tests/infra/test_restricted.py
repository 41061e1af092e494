"""What infra/ starts may do no more than what the charts start."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.manifests import EVERY, Object, environment, needs_kubectl
from tests.support.restricted import offences

pytestmark = needs_kubectl
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})
WITH_A_TOKEN = {"openbao": "it labels its own pods, and asks the API server who logs in"}


def pods(objects: tuple[Object, ...]) -> Iterator[tuple[str, Any]]:
    """Name and spec of each pod that these start."""
    for each in objects:
        spec = each.get("spec", {})
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        elif each["kind"] not in WORKLOADS:
            continue
        yield each["metadata"]["name"], spec["template"]["spec"]


def beyond(name: str, pod: Any) -> Iterator[str]:
    """What the house demands on top."""
    if pod.get("automountServiceAccountToken") is not False and name not in WITH_A_TOKEN:
        yield "a token for the API server"
    for container in [*pod["containers"], *pod.get("initContainers", ())]:
        if container["securityContext"].get("readOnlyRootFilesystem") is not True:
            yield "a root that can be written to"
        sources = [each.get("valueFrom", {}) for each in container.get("env", ())]
        if any("secretKeyRef" in each for each in sources) or container.get("envFrom"):
            yield "a secret among the environment variables"
        requests, limits = (container["resources"][each] for each in ("requests", "limits"))
        if not requests.keys() >= {"cpu", "memory"} or "memory" not in limits:
            yield "no bound on memory, or no request"
        if container["image"].endswith(":latest") or ":" not in container["image"]:
            yield "an image without a version"


@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_no_pod_may_do_more_than_restricted_allows(name: str, cloud: str) -> None:
    found = dict(pods(environment(name, cloud)))
    assert found.keys() >= {"openbao", "openbao-snapshots", "otel-collector", "otel-sampler"}
    assert {
        each: told for each, pod in found.items() if (told := [*offences(pod), *beyond(each, pod)])
    } == {}


def test_a_secret_among_the_environment_variables_is_found() -> None:
    pod = dict(pods(environment("production", "community")))["openbao-snapshots"]
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    changed = {**pod, "containers": [{**pod["containers"][0], "env": env}]}
    assert list(beyond("openbao-snapshots", changed)) == [
        "a secret among the environment variables"
    ]
