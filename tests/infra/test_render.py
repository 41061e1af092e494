"""infra/ renders, is what Kubernetes and operators take, and has the names the charts rely on."""

import json

import pytest
import yaml

from tests.support.manifests import (
    EVERY,
    INFRA,
    NEWEST,
    ROOT,
    Object,
    check,
    environment,
    needs_kubectl,
    of,
    with_component,
    written,
)

PLACEMENT = json.loads((ROOT / "charts" / "service" / "placement.json").read_text())
PUBLIC = {"publication", "witness"}
COMMUNITY = set(PLACEMENT) - PUBLIC


def services(cloud: str) -> set[str]:
    return PUBLIC if cloud == "public" else COMMUNITY


@pytest.mark.parametrize(("file", "each"), [pytest.param(*each, id=each[0]) for each in written()])
def test_each_file_is_what_its_kind_takes(file: str, each: Object) -> None:
    check(each, NEWEST)


def test_each_kustomization_names_files_that_exist() -> None:
    for file in INFRA.rglob("kustomization.yaml"):
        text = yaml.safe_load(file.read_text())
        generated = [name for each in text.get("configMapGenerator", ()) for name in each["files"]]
        for name in (*text.get("resources", ()), *text.get("components", ()), *generated):
            assert (file.parent / name).exists(), f"{file}: {name}"


@needs_kubectl
@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_each_environment_renders_what_kubernetes_takes(name: str, cloud: str) -> None:
    objects = environment(name, cloud)
    for each in objects:
        check(each)
    seen = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in objects
    ]
    assert len(seen) == len(set(seen))
    text = yaml.safe_dump_all(objects)
    assert [word for word in ("SERVICE", "BUCKET/", "://ENDPOINT", ".domain") if word in text] == []


@needs_kubectl
@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_each_database_of_the_charts_is_there_under_its_name(name: str, cloud: str) -> None:
    objects = environment(name, cloud)
    wanted = {each for each in services(cloud) if PLACEMENT[each]["database"]}
    clusters = of(objects, "Cluster")
    assert set(clusters) == {f"{each}-database" for each in wanted}
    for service in wanted:
        cluster = clusters[f"{service}-database"]
        assert cluster["metadata"]["namespace"] == (
            "crossroads-public" if cloud == "public" else "crossroads"
        )
        initdb = cluster["spec"]["bootstrap"]["initdb"]
        assert (initdb["database"], initdb["owner"]) == (service, f"{service}_owner")
        (plugin,) = cluster["spec"]["plugins"]
        store = of(objects, "ObjectStore")[plugin["parameters"]["barmanObjectName"]]
        path = store["spec"]["configuration"]["destinationPath"]
        assert path == f"s3://crossroads-{name}-{cloud}/{service}"
        backup = of(objects, "ScheduledBackup")[f"{service}-nightly"]
        assert backup["spec"]["cluster"]["name"] == f"{service}-database"


@needs_kubectl
@pytest.mark.parametrize("name", ["acceptance", "production"])
def test_what_was_acknowledged_is_in_two_zones(name: str) -> None:
    for cluster in of(environment(name, "community"), "Cluster").values():
        spec = cluster["spec"]
        assert spec["instances"] >= 3
        assert spec["postgresql"]["synchronous"] == {
            "method": "any",
            "number": 1,
            "dataDurability": "required",
            "failoverQuorum": True,
        }
        affinity = spec["affinity"]
        assert affinity["podAntiAffinityType"] == "required"
        assert affinity["topologyKey"] == "topology.kubernetes.io/zone"


@needs_kubectl
@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_each_service_that_outsiders_call_has_a_route_that_does_not_terminate(
    name: str, cloud: str
) -> None:
    objects = environment(name, cloud)
    routes = of(objects, "TLSRoute")
    assert set(routes) == {each for each in services(cloud) if PLACEMENT[each]["gateway"]}
    for service, route in routes.items():
        assert route["spec"]["hostnames"] == [f"{service}.crossroads.internal"]
        ((backend,),) = [rule["backendRefs"] for rule in route["spec"]["rules"]]
        assert backend == {"name": service, "port": 8443}
    gateway = of(objects, "Gateway")["crossroads"]["spec"]
    listeners = {each["name"]: each for each in gateway["listeners"]}
    assert listeners["services"]["tls"] == {"mode": "Passthrough"}
    in_clear = {each for each in services(cloud) if PLACEMENT[each]["http"]}
    assert set(of(objects, "HTTPRoute")) == (in_clear if cloud == "public" else set())


@needs_kubectl
def test_a_restored_database_comes_from_the_backups_and_archives_elsewhere() -> None:
    objects = with_component("production", "community", "restore")
    for each in objects:
        check(each)
    spec = of(objects, "Cluster")["logging-database"]["spec"]
    (origin,) = spec["externalClusters"]
    assert set(spec["bootstrap"]) == {"recovery"}
    assert spec["bootstrap"]["recovery"]["source"] == origin["name"]
    assert origin["plugin"]["parameters"]["serverName"] == "logging-database"
    assert spec["plugins"][0]["parameters"]["serverName"] != "logging-database"
    others = of(environment("production", "community"), "Cluster")
    untouched = of(objects, "Cluster")
    assert {name for name in others if untouched[name] != others[name]} == {"logging-database"}
