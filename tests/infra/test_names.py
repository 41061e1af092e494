"""Databases, OpenBao and the collector get names where the charts' pods do, by one policy each."""

from collections.abc import Iterable

import pytest

from tests.support.charts import Network, Object, Pod, production, rendered
from tests.support.manifests import CLOUDS, environment, needs_kubectl, of, with_component

pytestmark = [needs_kubectl, pytest.mark.parametrize("cloud", CLOUDS)]
COMPONENTS = "environments/components"
NODE_LOCAL = {"cidrs": ["169.254.20.10/32"]}
OPENSHIFT = {
    "namespace": "openshift-dns",
    "pods": {"k8s-app": "", "dns.operator.openshift.io/daemonset-dns": "default"},
    "port": 5353,
}


def askers(objects: tuple[Object, ...]) -> list[Pod]:
    """A pod of each workload of infra/ and of each database."""
    found = []
    for kind in ("Deployment", "StatefulSet", "CronJob"):
        for name, each in of(objects, kind).items():
            spec = each["spec"]
            template = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]
            labels = template["metadata"]["labels"]
            found.append(Pod(name, each["metadata"]["namespace"], labels))
    for name, each in of(objects, "Cluster").items():
        found.append(Pod(name, each["metadata"]["namespace"], {"cnpg.io/cluster": name}))
    return found


def rules(network: Network, pod: Pod) -> list[Object]:
    """The rules by which a pod asks for names."""
    return [
        rule
        for spec in network.selecting(pod, "Egress")
        for rule in spec.get("egress") or ()
        if _ports(rule) & {53, 5353}
    ]


def _ports(rule: Object) -> set[object]:
    return {each["port"] for each in rule.get("ports", ())}


def same(one: Object, other: Object) -> bool:
    """Whether two rules lead to the same peers and ports, in whichever order."""
    return all(_sorted(one[key]) == _sorted(other[key]) for key in ("to", "ports"))


def _sorted(values: Iterable[Object]) -> list[str]:
    return sorted(str(sorted(each.items())) for each in values)


@pytest.mark.parametrize(
    ("component", "dns"),
    [("", {}), ("node-local-dns", NODE_LOCAL), ("openshift-dns", OPENSHIFT)],
)
def test_each_pod_asks_for_names_where_the_charts_do(
    cloud: str, component: str, dns: dict[str, object]
) -> None:
    objects = (
        with_component("production", cloud, f"{COMPONENTS}/{component}")
        if component
        else environment("production", cloud)
    )
    render = rendered(cloud, "production-values.yaml", **{"global": {"dns": dns}})
    network = Network(render, objects)
    (server,) = [pod for pod in render.pods() if pod.component == "server"][:1]
    (wanted,) = rules(network, server)
    for pod in askers(objects):
        (found,) = rules(network, pod)
        assert same(found, wanted), pod.name


def test_names_are_told_of_in_one_policy_of_a_namespace(cloud: str) -> None:
    named = {
        each["metadata"]["name"]
        for each in environment("production", cloud)
        if each["kind"] == "NetworkPolicy"
        and any(_ports(rule) & {53} for rule in each["spec"].get("egress") or ())
    }
    assert named == {"dns"}


@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_a_pod_that_nobody_named_is_denied_everything(cloud: str, direction: str) -> None:
    render, objects = production(cloud), environment("production", cloud)
    network = Network(render, objects)
    # Where Prometheus or the gateway live there are pods of others, with rules of their own.
    for namespace in (render.namespace, "vault"):
        governing = network.selecting(Pod("nobody", namespace, {}), direction)
        assert governing
        assert [spec for spec in governing if spec.get(direction.lower())] == []


def test_the_operators_jobs_for_a_database_may_do_what_the_database_may(cloud: str) -> None:
    objects = environment("production", cloud)
    network = Network(production(cloud), objects)
    for name, each in of(objects, "Cluster").items():
        namespace = each["metadata"]["namespace"]
        database = Pod(name, namespace, {"cnpg.io/cluster": name})
        # CloudNativePG labels initdb, join and recovery so (pkg/specs/jobs.go).
        job = Pod("job", namespace, {"cnpg.io/cluster": name, "cnpg.io/jobRole": "initdb"})
        for direction in ("Ingress", "Egress"):
            policies = network.selecting(job, direction)
            assert policies == network.selecting(database, direction)
            assert len(policies) > 1  # not the one alone that denies
