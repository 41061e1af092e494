"""Versions N and N+1 run side by side: what both must share stays, and nobody has to wait."""

from typing import Any

import pytest

from tests.support.charts import Rendered, production, rendered, small

OLD, NEW = ("sha256:" + each * 64 for each in "12")


def version(digest: str) -> Rendered:
    """The community cloud with the image of that version."""
    image = {"digest": digest}
    return rendered("community", "production-values.yaml", **{"global": {"image": image}})


def without_image(value: Any, digest: str) -> Any:
    """An object with the version left out."""
    if isinstance(value, dict):
        return {key: without_image(each, digest) for key, each in value.items()}
    if isinstance(value, list):
        return [without_image(each, digest) for each in value]
    return value.replace(f"@{digest}", "") if isinstance(value, str) else value


def test_the_next_version_changes_images_and_nothing_else() -> None:
    before, after = version(OLD), version(NEW)
    for old, new in zip(before.objects, after.objects, strict=True):
        assert without_image(old, OLD) == without_image(new, NEW)
    images = {pod.spec["containers"][0]["image"] for pod in after.pods()}
    assert images == {f"images.example/crossroads@{NEW}"}


def test_services_and_policies_take_in_pods_of_either_version() -> None:
    selectors = [each["spec"]["selector"] for each in version(OLD).of("Service")]
    policies = [each["spec"]["podSelector"] for each in version(OLD).of("NetworkPolicy")]
    assert OLD not in str(selectors + policies)
    assert selectors == [each["spec"]["selector"] for each in version(NEW).of("Service")]


def test_a_new_pod_serves_before_an_old_one_ends() -> None:
    for each in production("community").of("Deployment"):
        rolling = each["spec"]["strategy"]["rollingUpdate"]
        assert rolling == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize("size", [small, production])
def test_a_pod_that_is_told_to_end_has_the_time_that_it_takes(size: Any) -> None:
    for pod in size("community").pods():
        if pod.component == "server":
            config = size("community").one("ConfigMap", pod.name)["data"]["config.toml"]
            seconds = {
                line.split(" = ")[0]: float(line.split(" = ")[1])
                for line in config.splitlines()
                if line.startswith(("drain_seconds", "grace_seconds"))
            }
            assert pod.spec["terminationGracePeriodSeconds"] > sum(seconds.values()) > 0


def test_each_database_is_brought_up_before_any_pod_is_replaced() -> None:
    render = production("community")
    with_database = {
        each["metadata"]["name"]
        for each in render.of("ConfigMap")
        if "[runtime.database]" in each["data"]["config.toml"]
        and "annotations" not in each["metadata"]
    }
    jobs = {each["metadata"]["name"]: each for each in render.of("Job")}
    assert jobs.keys() == {f"{name}-migrate" for name in with_database}
    for name, job in jobs.items():
        weights = {
            kind: int(render.one(kind, name)["metadata"]["annotations"]["helm.sh/hook-weight"])
            for kind in ("ServiceAccount", "ConfigMap", "NetworkPolicy", "Job")
        }
        assert {kind for kind, weight in weights.items() if weight < weights["Job"]} == {
            *("ServiceAccount", "ConfigMap", "NetworkPolicy")
        }
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["args"][-1] == "--migrate"


def test_what_outlives_its_pods_can_lose_one_at_a_time() -> None:
    render = production("community")
    for each in render.of("Deployment", "StatefulSet"):
        name, pods = each["metadata"]["name"], each["spec"]["template"]["metadata"]["labels"]
        budget = render.one("PodDisruptionBudget", name)["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"]["matchLabels"].items() <= pods.items()
        assert each["spec"]["selector"]["matchLabels"].items() <= pods.items()


def test_pods_of_one_service_are_spread_over_zones() -> None:
    for pod in production("community").pods():
        if pod.component == "server":
            (zone,) = [
                each
                for each in pod.spec["topologySpreadConstraints"]
                if each["topologyKey"] == "topology.kubernetes.io/zone"
            ]
            assert (zone["whenUnsatisfiable"], zone["maxSkew"]) == ("DoNotSchedule", 1)
            assert zone["labelSelector"]["matchLabels"].items() <= pod.labels.items()


def test_the_logs_second_writer_counts_as_ready_and_starts_at_once() -> None:
    log = production("community").one("StatefulSet", "logging")["spec"]
    assert (log["replicas"], log["podManagementPolicy"]) == (2, "Parallel")
    (container,) = log["template"]["spec"]["containers"]
    assert container["readinessProbe"]["grpc"] == {"port": 8081, "service": "ready"}
    assert container["livenessProbe"]["grpc"] == {"port": 8081, "service": "live"}


def test_the_pods_of_the_log_are_replaced_one_by_one_the_last_first() -> None:
    log = production("community").one("StatefulSet", "logging")["spec"]
    # Without a partition or a rate that is what Kubernetes does, whichever of them writes.
    assert log["updateStrategy"] == {"type": "RollingUpdate"}
