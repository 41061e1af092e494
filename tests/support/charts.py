"""The charts, rendered by Helm's own library, as objects that a test can ask.

Contract: `rendered(chart, *files, **values)` renders once for the same arguments; values are laid
over those of the files as Helm does. `Network` says what the network policies of a render let
through, by the rules of the Kubernetes API: what any that selects a pod allows.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

CHARTS = Path(__file__).resolve().parents[2] / "charts"
NAMESPACES = {"community": "crossroads", "public": "crossroads-public"}
Object = Mapping[str, Any]


class Rendered:
    """The objects of one render."""

    def __init__(self, namespace: str, objects: Sequence[Object]) -> None:
        self.namespace = namespace
        self.objects = objects

    def of(self, *kinds: str) -> list[Object]:
        """All of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """The only one of that kind and name."""
        (found,) = [each for each in self.of(kind) if each["metadata"]["name"] == name]
        return found

    def pods(self) -> "list[Pod]":
        """A pod of each workload, job and test."""
        return list(_pods(self))


def rendered(chart: str, *files: str, **values: Any) -> Rendered:
    """`chart` with the values of `files` (below its ci/) and those given."""
    merged: dict[str, Any] = {}
    for file in files:
        merged = _over(merged, yaml.safe_load((CHARTS / chart / "ci" / file).read_text()))
    return _rendered(chart, json.dumps(_over(merged, values), sort_keys=True))


@cache
def _rendered(chart: str, values: str) -> Rendered:
    given = json.loads(values)
    # The chart of one service is of the cloud that its values name.
    cloud = given.get("global", {}).get("cloud", "community")
    namespace = NAMESPACES[chart if chart in NAMESPACES else cloud]
    with helm.Chart.load(CHARTS / chart) as loaded:
        texts = loaded.render(given, name="crossroads", namespace=namespace)
    manifests = [text for name, text in sorted(texts.items()) if name.endswith(".yaml")]
    objects = [each for text in manifests for each in yaml.safe_load_all(text) if each]
    return Rendered(namespace, objects)


def small(chart: str) -> Rendered:
    """As on one node."""
    return rendered(chart, "small-values.yaml")


def production(chart: str) -> Rendered:
    """As on three zones."""
    return rendered(chart, "production-values.yaml")


@dataclass(frozen=True)
class Pod:
    """What policies see of a pod, and what is in it."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ports(self) -> dict[str, int]:
        """The ports that its containers name."""
        return {
            port["name"]: port["containerPort"]
            for container in self.spec.get("containers", ())
            for port in container.get("ports", ())
        }

    @property
    def component(self) -> str:
        """server, migrate or test."""
        return self.labels.get("app.kubernetes.io/component", "")


def _pods(render: Rendered) -> Iterator[Pod]:
    for each in render.of("Deployment", "StatefulSet", "Job", "Pod"):
        template = each if each["kind"] == "Pod" else each["spec"]["template"]
        name, labels = each["metadata"]["name"], template["metadata"]["labels"]
        yield Pod(name, render.namespace, labels, template["spec"])


class Network:
    """What the network policies of a render let through, and those of others beside it."""

    def __init__(self, render: Rendered, beside: Iterable[Object] = ()) -> None:
        """`beside`: objects that name their namespace."""
        self._policies = [(render.namespace, each["spec"]) for each in render.of("NetworkPolicy")]
        self._policies += [
            (each["metadata"]["namespace"], each["spec"])
            for each in beside
            if each["kind"] == "NetworkPolicy"
        ]

    def selecting(self, pod: Pod, direction: str) -> list[Object]:
        """The policies that govern a pod in one direction ("Ingress", "Egress")."""
        return [
            spec
            for namespace, spec in self._policies
            if pod.namespace == namespace
            and direction in spec["policyTypes"]
            and _selects(spec["podSelector"], pod.labels)
        ]

    def leaves(self, source: Pod, target: Pod, port: str) -> bool:
        """Whether `source` may connect to that named port of `target`."""
        return self._passes(source, target, "Egress", "to", target, port)

    def enters(self, source: Pod, target: Pod, port: str) -> bool:
        """Whether `target` may be connected to at that port by `source`."""
        return self._passes(target, source, "Ingress", "from", target, port)

    def addresses(self, pod: Pod) -> set[str]:
        """The address ranges that a pod may connect to."""
        rules = [rule for spec in self.selecting(pod, "Egress") for rule in spec.get("egress", ())]
        peers = [peer for rule in rules for peer in rule.get("to", ())]
        return {peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer}

    def _passes(
        self, governed: Pod, other: Pod, direction: str, side: str, target: Pod, port: str
    ) -> bool:
        policies = self.selecting(governed, direction)
        if not policies:
            return True
        return any(
            # A peer without a namespace is of the policy's own, which is that of who it governs.
            any(_is_peer(peer, other, governed.namespace) for peer in rule.get(side, ()))
            and any(_is_port(each, target, port) for each in rule.get("ports", ()))
            for policy in policies
            for rule in policy.get(direction.lower()) or ()
        )


def _is_peer(peer: Object, pod: Pod, namespace: str) -> bool:
    if "ipBlock" in peer:
        return False  # no pod of ours has an address that a policy names
    here = {"kubernetes.io/metadata.name": pod.namespace}
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], here):
            return False
    elif pod.namespace != namespace:
        return False
    return _selects(peer.get("podSelector", {}), pod.labels)


def _is_port(rule: Object, target: Pod, port: str) -> bool:
    return rule["port"] in (port, target.ports[port]) and rule.get("protocol", "TCP") == "TCP"


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """A label selector; of the operators only those that we use: In, Exists."""
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] in ("In", "Exists")
        value = labels.get(each["key"])
        if value is None or value not in each.get("values", [value]):
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def _over(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _over(below, value) if both else value  # type: ignore[arg-type]
    return merged


def names(objects: Iterable[Object]) -> list[str]:
    """ "Kind/name" of each."""
    return [f"{each['kind']}/{each['metadata']['name']}" for each in objects]
