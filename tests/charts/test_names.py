"""Every pod that needs names gets them, whatever turns them into addresses in this cluster."""

from typing import Any

import helm_python as helm
import pytest

from tests.support.charts import Network, Object, Rendered, rendered

NODE_LOCAL = {"cidrs": ["169.254.20.10/32", "fd00::a/128"]}
OPENSHIFT = {
    "namespace": "openshift-dns",
    "pods": {"k8s-app": "", "dns.operator.openshift.io/daemonset-dns": "default"},
    "port": 5353,
}
KUBE_DNS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}


def cluster(chart: str, dns: dict[str, Any]) -> Rendered:
    """What production renders where names are answered so."""
    return rendered(chart, "production-values.yaml", **{"global": {"dns": dns}})


def rules(render: Rendered) -> dict[str, Object]:
    """The rule for names of each pod, by the pod; a witness needs none."""
    network = Network(render)
    return {
        pod.name: rule
        for pod in render.pods()
        for spec in network.selecting(pod, "Egress")
        for rule in spec.get("egress") or ()
        if any(port.get("protocol") == "UDP" for port in rule["ports"])
    }


@pytest.mark.parametrize("chart", ["community", "public"])
@pytest.mark.parametrize(
    ("dns", "peers", "port"),
    [
        ({}, [KUBE_DNS], 53),
        (NODE_LOCAL, [KUBE_DNS, *({"ipBlock": {"cidr": e}} for e in NODE_LOCAL["cidrs"])], 53),
        (
            OPENSHIFT,
            [
                {
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}
                    },
                    "podSelector": {
                        "matchLabels": {"dns.operator.openshift.io/daemonset-dns": "default"}
                    },
                }
            ],
            5353,
        ),
    ],
    ids=["kube-dns", "NodeLocal DNSCache", "OpenShift"],
)
def test_every_pod_asks_for_names_where_they_are_answered(
    chart: str, dns: dict[str, Any], peers: list[Object], port: int
) -> None:
    render = cluster(chart, dns)
    found = rules(render)
    assert found.keys() == {pod.name for pod in render.pods()}
    for name, rule in found.items():
        assert rule["to"] == peers, name
        assert rule["ports"] == [
            {"protocol": "UDP", "port": port},
            {"protocol": "TCP", "port": port},
        ]


@pytest.mark.parametrize(
    ("dns", "said"),
    [
        ({"port": 443}, "port"),
        ({"cidrs": ["0.0.0.0/0"]}, "cidrs"),
        ({"cidrs": ["10.0.0.0/8"]}, "cidrs"),
        ({"cidrs": ["::/0"]}, "cidrs"),
        ({"cidrs": ["fd00::/12"]}, "cidrs"),
    ],
)
def test_the_way_to_names_is_no_way_to_anything_else(dns: dict[str, Any], said: str) -> None:
    with pytest.raises(helm.HelmError, match=f"global/dns/{said}"):
        cluster("public", dns)
