"""The policies of the charts and of infra/ fit: who must reach what does, and nobody else."""

from collections.abc import Mapping

import pytest

from tests.support.charts import Network, Pod, Rendered, production
from tests.support.manifests import CLOUDS, environment, needs_kubectl, of

pytestmark = needs_kubectl
POSTGRES = {"containers": [{"ports": [{"name": "postgres", "containerPort": 5432}]}]}
STRANGER = Pod("stranger", "elsewhere", {"app.kubernetes.io/part-of": "crossroads"})


def network(cloud: str) -> Network:
    return Network(production(cloud), environment("production", cloud))


def databases(render: Rendered) -> Mapping[str, Pod]:
    """An instance of each database, by service."""
    clusters = of(environment("production", "community"), "Cluster")
    clusters |= of(environment("production", "public"), "Cluster")
    return {
        name.removesuffix("-database"): Pod(
            f"{name}-1", render.namespace, {"cnpg.io/cluster": name}, POSTGRES
        )
        for name, each in clusters.items()
        if each["metadata"]["namespace"] == render.namespace
    }


def pod(cloud: str, kind: str, name: str) -> Pod:
    """A pod of a workload of infra/."""
    each = of(environment("production", cloud), kind)[name]
    template = each["spec"]["template"]
    namespace = each["metadata"]["namespace"]
    return Pod(name, namespace, template["metadata"]["labels"], template["spec"])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_service_and_its_migration_reach_its_own_database_and_no_other(cloud: str) -> None:
    render, net = production(cloud), network(cloud)
    reached = 0
    for source in render.pods():
        service = source.labels["app.kubernetes.io/name"]
        for name, database in databases(render).items():
            leaves = net.leaves(source, database, "postgres")
            enters = net.enters(source, database, "postgres")
            own = name == service and source.component in ("server", "migrate")
            assert (leaves and enters) == own, f"{source.name} to {name}"
            reached += own
    assert reached == 2 * len(databases(render))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_openbao_reaches_each_database_and_each_service_openbao(cloud: str) -> None:
    render, net = production(cloud), network(cloud)
    openbao = pod(cloud, "StatefulSet", "openbao")
    for database in databases(render).values():
        assert net.leaves(openbao, database, "postgres")
        assert net.enters(openbao, database, "postgres")
        assert not net.leaves(database, openbao, "https")
    served = [each for each in render.pods() if each.component == "server"]
    reaching = {each.name for each in served if net.leaves(each, openbao, "https")}
    assert reaching == {each.name for each in served} - {"witness"}
    for name in reaching:
        (source,) = [each for each in served if each.name == name]
        assert net.enters(source, openbao, "https")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_spans_go_by_the_first_tier_only(cloud: str) -> None:
    render, net = production(cloud), network(cloud)
    collector = pod(cloud, "Deployment", "otel-collector")
    sampler = pod(cloud, "StatefulSet", "otel-sampler")
    assert net.leaves(collector, sampler, "otlp")
    assert net.enters(collector, sampler, "otlp")
    for source in render.pods():
        if source.component == "server" and source.name != "witness":
            assert net.leaves(source, collector, "otlp")
            assert net.enters(source, collector, "otlp")
            assert not net.leaves(source, sampler, "otlp")
            assert not net.enters(source, sampler, "otlp")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_pod_elsewhere_with_our_label_reaches_nothing(cloud: str) -> None:
    net = network(cloud)
    for database in databases(production(cloud)).values():
        assert not net.enters(STRANGER, database, "postgres")
    assert not net.enters(STRANGER, pod(cloud, "StatefulSet", "openbao"), "https")
    assert not net.enters(STRANGER, pod(cloud, "Deployment", "otel-collector"), "otlp")
