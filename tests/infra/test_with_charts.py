"""The charts and infra/ fit: what one connects to the other has, under that name, and lets in."""

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.charts import Network, Pod, Rendered, production
from tests.support.manifests import CLOUDS, environment, needs_kubectl, of
from tools.placement import table

pytestmark = [needs_kubectl, pytest.mark.parametrize("cloud", CLOUDS)]
NAMESPACE = {"community": "crossroads", "public": "crossroads-public"}


def configuration(render: Rendered, pod: Pod) -> Mapping[str, Any]:
    """What the service of a pod is told."""
    text = render.one("ConfigMap", pod.name)["data"]["config.toml"]
    found: Mapping[str, Any] = tomllib.loads(text).get("runtime", {})
    return found


def running(cloud: str) -> list[tuple[Pod, Mapping[str, Any]]]:
    """The pods that need something of infra/, and their configurations."""
    render = production(cloud)
    pods = [pod for pod in render.pods() if pod.component in ("server", "migrate")]
    found = [(pod, configuration(render, pod)) for pod in pods]
    return [(pod, runtime) for pod, runtime in found if runtime]


def of_infra(name: str, namespace: str, port: int, **labels: str) -> Pod:
    """A pod of infra/, with one port."""
    named = {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}
    ports = [{"name": "p", "containerPort": port}]
    return Pod(name, namespace, named, {"containers": [{"ports": ports}]})


def database(name: str, namespace: str) -> Pod:
    """A pod of a service's database."""
    return of_infra(name, namespace, 5432, cnpg_io__cluster=f"{name}-database")


def reaches(network: Network, source: Pod, target: Pod) -> bool:
    """Whether the one may connect to the other, as both see it."""
    leaves, enters = network.leaves(source, target, "p"), network.enters(source, target, "p")
    assert leaves <= enters, (source.name, target.name)
    return leaves


def test_a_service_reaches_its_own_database_and_no_other(cloud: str) -> None:
    objects, namespace = environment("production", cloud), NAMESPACE[cloud]
    network = Network(production(cloud), objects)
    names = [name.removesuffix("-database") for name in of(objects, "Cluster")]
    assert names
    for pod, runtime in running(cloud):
        reached = {each for each in names if reaches(network, pod, database(each, namespace))}
        assert reached == ({runtime["name"]} if "database" in runtime else set()), pod.name


def test_every_service_reaches_vault_and_the_collector(cloud: str) -> None:
    objects = environment("production", cloud)
    network = Network(production(cloud), objects)
    labels = of(objects, "StatefulSet")["openbao"]["spec"]["template"]["metadata"]["labels"]
    vault = Pod("openbao", "vault", labels, of_infra("", "", 8200).spec)
    labels = of(objects, "Deployment")["otel-collector"]["spec"]["template"]["metadata"]["labels"]
    collector = Pod("otel-collector", "observability", labels, of_infra("", "", 4317).spec)
    for pod, runtime in running(cloud):
        assert reaches(network, pod, vault)
        assert reaches(network, pod, collector) == (pod.component == "server"), pod.name
        assert runtime["telemetry"]["sample_ratio"] == 1


def test_every_name_that_a_configuration_holds_is_one_that_there_is(cloud: str) -> None:
    objects = environment("production", cloud)
    services = {
        f"{name}.{each['metadata']['namespace']}.svc:{port['port']}"
        for name, each in of(objects, "Service").items()
        for port in each["spec"]["ports"]
    }
    for _, runtime in running(cloud):
        assert runtime["vault"]["address"].removeprefix("https://") in services
        assert runtime["telemetry"]["otlp_endpoint"] in services
        if "database" in runtime:
            told = runtime["database"]
            # One of the names that the operator puts into the server's certificate.
            name = told["host"].removesuffix(f"-rw.{NAMESPACE[cloud]}.svc")
            cluster = of(objects, "Cluster")[name]
            assert cluster["metadata"]["namespace"] == NAMESPACE[cloud]
            made = cluster["spec"]["bootstrap"]["initdb"]
            assert (told["name"], told["owner"]) == (made["database"], made["owner"])


def test_the_gateway_leads_to_what_takes_callers_from_outside(cloud: str) -> None:
    objects, render = environment("production", cloud), production(cloud)
    led = set()
    for kind, port in (("TLSRoute", 8443), ("HTTPRoute", 8080)):
        for route in of(objects, kind).values():
            (rule,) = route["spec"]["rules"]
            for backend in rule.get("backendRefs", ()):
                assert backend["port"] == port
                led.add((backend["name"], "grpc" if port == 8443 else "http"))
    here = {pod.name for pod in render.pods() if pod.component == "server"} | {"witness"}
    rules = {name: rule for name, rule in table().items() if name in here}
    wanted = {(name, "grpc") for name, rule in rules.items() if rule["gateway"]}
    if cloud == "public":
        wanted |= {(name, "http") for name, rule in rules.items() if rule["http"]}
    assert led == wanted
