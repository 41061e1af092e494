"""Network policies: is every pod under one in both directions, and does anything enforce them?"""

from collections.abc import Iterator

from services.cli.cluster.model import (
    Area,
    Finding,
    Json,
    State,
    labels_of,
    name_of,
    ours,
    running,
    selects,
)

ENFORCERS = (
    *("antrea", "aws-node", "azure-npm", "calico", "canal", "cilium", "kube-network-policies"),
    *("kube-ovn", "kube-router", "netd", "ovnkube", "weave"),
)
"""Parts of the names of daemon sets that are known to enforce network policies."""
DIRECTIONS = ("Ingress", "Egress")


def policies(state: State) -> Iterator[Finding]:
    """Whether they are there for each of our pods, and in force."""
    if state.policies is None:
        return
    for pod in running(ours(state.pods)):
        yield from _uncovered(pod, state.policies)
    for policy in state.policies:
        yield from _open(policy)
    for pod_name, port in state.reached or ():
        yield Finding(
            Area.POLICIES,
            f"pod {pod_name}, port {port}",
            "takes a connection from here, which no policy allows: policies are not in force",
            "unless this is a node (it may always), install a network plug-in that enforces them",
        )
    if state.daemon_sets is not None and not _enforced(state.daemon_sets):
        yield Finding(
            Area.POLICIES,
            "cluster",
            "no daemon set is known to enforce network policies: they may be no more than text",
            "install a network plug-in that does (Calico, Cilium …), or see for yourself: run this "
            "with --connect in a pod of another namespace",
        )


def _uncovered(pod: Json, policies: list[Json]) -> Iterator[Finding]:
    """A pod that no policy selects may be reached by everybody, or reach everybody."""
    covered = {
        direction
        for policy in policies
        if selects(policy["spec"].get("podSelector") or {}, labels_of(pod))
        for direction in _directions(policy)
    }
    for direction in DIRECTIONS:
        if direction not in covered:
            yield Finding(
                Area.POLICIES,
                f"pod {name_of(pod)}",
                f"no policy for its {direction.lower()}: all of it is allowed",
                "install the chart of its service again: each brings its policy",
            )


def _directions(policy: Json) -> list[str]:
    """As the API server fills in policyTypes."""
    spec = policy["spec"]
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _open(policy: Json) -> Iterator[Finding]:
    """A rule without peers, or for every address, is no rule."""
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for rule in policy["spec"].get(direction) or ():
            # DNS, the API server and the object store are no pods: a rule for a port is one.
            everybody = any(
                (peer.get("ipBlock") or {}).get("cidr") in ("0.0.0.0/0", "::/0")
                for peer in rule.get(peers) or ()
            )
            if everybody or not (rule.get(peers) or rule.get("ports")):
                yield Finding(
                    Area.POLICIES,
                    f"network policy {name_of(policy)}",
                    f"allows {direction} {'from' if peers == 'from' else 'to'} everywhere",
                    "name the addresses in the chart's values (outside: cidrs); if the chart did "
                    "not do it, find who did (managedFields) and apply the chart again",
                )


def _enforced(daemon_sets: list[Json]) -> bool:
    return any(
        part in name_of(each) and each["status"].get("numberReady", 0) > 0
        for each in daemon_sets
        for part in ENFORCERS
    )
