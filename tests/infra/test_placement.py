"""Pods of infra/ run without rights, spread over zones, and nothing is open that nobody uses."""

from collections.abc import Iterator

import pytest

from tests.support.manifests import EVERY, Object, environment, needs_kubectl, of

KINDS = ("Deployment", "StatefulSet", "CronJob")
Pod = tuple[str, str, Object]


def pods(objects: tuple[Object, ...]) -> Iterator[Pod]:
    for kind in KINDS:
        for name, each in of(objects, kind).items():
            spec = each["spec"]
            template = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]
            yield name, each["metadata"]["namespace"], template


@needs_kubectl
@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_pods_keep_to_the_restricted_standard(name: str, cloud: str) -> None:
    for _, _, template in pods(environment(name, cloud)):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} == set(container["resources"]["requests"])
            assert container["resources"]["limits"].keys() == {"memory"}
            assert ":latest" not in container["image"]


@needs_kubectl
def test_openbao_has_a_node_in_each_of_three_zones() -> None:
    server = of(environment("production", "community"), "StatefulSet")["openbao"]["spec"]
    assert server["replicas"] == 3
    affinity = server["template"]["spec"]["affinity"]["podAntiAffinity"]
    (rule,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "topology.kubernetes.io/zone"
    budget = of(environment("production", "community"), "PodDisruptionBudget")["openbao"]["spec"]
    assert budget["maxUnavailable"] == 1


@needs_kubectl
@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_each_pod_has_policies_for_both_directions(name: str, cloud: str) -> None:
    objects = environment(name, cloud)
    policies = [each for each in objects if each["kind"] == "NetworkPolicy"]
    for pod, namespace, template in pods(objects):
        labels = template["metadata"]["labels"].items()
        governing = [
            policy["spec"]
            for policy in policies
            if policy["metadata"]["namespace"] == namespace
            and policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels
        ]
        directions = {each for spec in governing for each in spec["policyTypes"]}
        assert directions == {"Ingress", "Egress"}, pod
    for cluster in of(objects, "Cluster"):
        selects = [each["spec"]["podSelector"].get("matchLabels") for each in policies]
        assert {"cnpg.io/cluster": cluster} in selects


@needs_kubectl
@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_no_secret_stands_in_a_file(name: str, cloud: str) -> None:
    assert of(environment(name, cloud), "Secret") == {}
