"""The network policies let through what somebody calls, and nothing else.

Who calls whom stands in the table below, for a reader; that it is what the code does and the protos
admit, the first tests show. The others ask the rendered policies, pair by pair.
"""

import itertools
import re

import pytest

from services.runtime.callers import BORDER
from tests.support.charts import Network, Pod, Rendered, production, small
from tools.placed import SERVICES
from tools.placement import admitted

CALLS = {
    "authorization": {"logging", "registry"},
    "contact": {"logging", "registry"},
    "identity": {"logging", "registry"},
    "logging": {"identity", "registry"},
    "publisher": {"authorization", "logging", "registry"},
    "registry": {"logging"},
    "routing": {"authorization", "identity", "logging", "registry"},
}
READS = {("publisher", "logging")}
GATEWAY = Pod("gateway", "ingress", {"app": "gateway"})
STRANGER = Pod("stranger", "elsewhere", {"app.kubernetes.io/part-of": "crossroads"})
PROMETHEUS = Pod("prometheus", "observability", {"app.kubernetes.io/name": "prometheus"})


def servers(render: Rendered) -> dict[str, Pod]:
    """The pods that serve, by service."""
    return {pod.name: pod for pod in render.pods() if pod.component == "server"}


def test_the_table_is_what_the_code_does() -> None:
    for name, calls in CALLS.items():
        code = "\n".join(file.read_text() for file in (SERVICES / name).rglob("*.py"))
        opened = set(re.findall(r'runtime\.channel\("(\w+)"\)', code))
        for names in re.findall(r"runtime\.channel\(name\) for name in \(([^)]*)\)", code):
            opened |= set(re.findall(r'"(\w+)"', names))
        assert opened == calls, name


def test_the_protos_admit_every_caller_of_the_table() -> None:
    rules = admitted()
    for name, calls in CALLS.items():
        for other in calls:
            assert rules[other].admits(name), f"{name} calls {other}"
    assert not any(rules[other].admits("publication") for other in rules)


@pytest.mark.parametrize("chart", ["community", "public"])
def test_every_pod_is_denied_what_no_policy_names(chart: str) -> None:
    network = Network(production(chart))
    for pod in production(chart).pods():
        assert network.selecting(pod, "Ingress")
        assert network.selecting(pod, "Egress")
        for port in pod.ports:
            assert not network.enters(STRANGER, pod, port), (pod.name, port)


def test_exactly_the_callers_of_a_service_reach_it() -> None:
    network, pods = Network(production("community")), servers(production("community"))
    for source, target in itertools.permutations(pods.values(), 2):
        wanted = {
            "grpc": target.name in CALLS[source.name],
            "http": (source.name, target.name) in READS,
        }
        for port in target.ports:
            leaves = network.leaves(source, target, port)
            enters = network.enters(source, target, port)
            assert leaves == enters == wanted.get(port, False), (source.name, target.name, port)


def test_jobs_and_tests_reach_no_service_but_the_one_under_test() -> None:
    render = production("community")
    network, pods = Network(render), servers(render)
    for pod in render.pods():
        if pod.component != "server":
            for target in pods.values():
                for port in target.ports:
                    reaches = network.leaves(pod, target, port) and network.enters(
                        pod, target, port
                    )
                    wanted = (pod.component, target.name, port) in {
                        ("test", "routing", "grpc"),
                        ("test", "logging", "grpc"),
                    }
                    assert reaches == wanted, (pod.name, target.name, port)


@pytest.mark.parametrize("chart", ["community", "public"])
def test_each_class_of_callers_from_outside_comes_through_the_gateway(chart: str) -> None:
    rules, render = admitted(), production(chart)
    for name, pod in servers(render).items():
        rule = rules.get(name)
        # Of the services only publisher comes from another cloud.
        outside = rule is not None and (rule.institutions or rule.persons or name in BORDER)
        if "grpc" in pod.ports:
            assert Network(render).enters(GATEWAY, pod, "grpc") == outside, name
        if "http" in pod.ports:
            assert Network(render).enters(GATEWAY, pod, "http") == (chart == "public"), name


@pytest.mark.parametrize("chart", ["community", "public"])
@pytest.mark.parametrize("size", [small, production])
def test_every_open_port_is_used_by_somebody(chart: str, size: object) -> None:
    render: Rendered = size(chart)  # type: ignore[operator]
    network, everybody = Network(render), [*production(chart).pods(), GATEWAY, PROMETHEUS]
    for name, pod in servers(render).items():
        probed = {
            probe.get("grpc", {}).get("port")
            for kind, probe in pod.spec["containers"][0].items()
            if kind.endswith("Probe")
        }
        for port, number in pod.ports.items():
            # The kubelet asks for health: no policy keeps a node from its own pods.
            used = any(network.enters(each, pod, port) for each in everybody)
            assert used != (port == "health" and probed == {number}), (name, port)


@pytest.mark.parametrize("chart", ["community", "public"])
def test_every_port_that_a_policy_names_is_open(chart: str) -> None:
    render = production(chart)
    for pod in render.pods():
        for spec in Network(render).selecting(pod, "Ingress"):
            named = {port["port"] for rule in spec.get("ingress") or () for port in rule["ports"]}
            assert named <= pod.ports.keys(), pod.name


def test_only_those_with_business_outside_may_leave_the_cluster() -> None:
    network, pods = Network(production("community")), servers(production("community"))
    reached = {name: network.addresses(pod) for name, pod in pods.items()}
    assert {name: found for name, found in reached.items() if found} == {
        "logging": {"203.0.113.0/28"},  # witnesses
        "publisher": {"203.0.113.16/32"},  # publication
        "routing": {"198.51.100.0/24"},  # institutions
    }


def test_the_public_cloud_can_ask_nobody_back() -> None:
    for size in (small, production):
        render = size("public")
        network, pods = Network(render), servers(render)
        community = servers(production("community"))
        for pod in render.pods():
            assert network.addresses(pod) == set()
            for target in (*pods.values(), *community.values(), GATEWAY):
                assert not any(network.leaves(pod, target, port) for port in target.ports)


def test_metrics_are_for_monitoring_alone() -> None:
    render = production("community")
    for name, pod in servers(render).items():
        assert Network(render).enters(PROMETHEUS, pod, "metrics"), name
        assert not Network(render).enters(PROMETHEUS, pod, "health"), name
    assert all("metrics" not in pod.ports for pod in small("community").pods())


@pytest.mark.parametrize("chart", ["community", "public"])
def test_a_service_leads_to_every_pod_that_serves_it_and_to_no_other(chart: str) -> None:
    render = production(chart)
    found = render.of("Service")
    assert found
    for each in found:
        spec, name = each["spec"], each["metadata"]["name"].removesuffix("-metrics")
        # Without an address of its own: a client that keeps a connection must see every pod.
        assert spec["clusterIP"] == "None"
        chosen = [p for p in render.pods() if spec["selector"].items() <= p.labels.items()]
        assert [pod.name for pod in chosen] == [name]
        for port in spec["ports"]:
            assert chosen[0].ports[port["targetPort"]] == port["port"]


@pytest.mark.parametrize("chart", ["community", "public"])
def test_no_service_says_that_a_port_with_tls_is_plaintext(chart: str) -> None:
    said = {
        (port["name"], port.get("appProtocol"))
        for each in production(chart).of("Service")
        for port in each["spec"]["ports"]
    }
    # Kubernetes' and the meshes' "grpc" is HTTP/2 in the clear; ours is TLS to the service itself.
    assert said - {("metrics", None)} == {("grpc", None), ("http", "http")}
