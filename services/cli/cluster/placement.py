"""Versions, and where things run: would the loss of a node or a zone be noticed?"""

import re
from collections.abc import Iterator

from services.cli.cluster.model import (
    ZONE,
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

OLDEST = (1, 30)
"""kubeVersion of the charts."""
NEWEST = (1, 37)
"""The newest version whose schemas tests/charts validates against."""
SKEW = 3
"""How many minor versions a kubelet may be older than the API server (version skew policy)."""


def versions(state: State) -> Iterator[Finding]:
    """The API server's, the kubelets', and our own images'."""
    server = _minor(str(state.version.get("gitVersion", "")))
    if server and server < OLDEST:
        yield Finding(
            Area.VERSIONS,
            "API server",
            f"{_text(server)} is older than the charts need",
            f"upgrade the cluster to {_text(OLDEST)} or later, one minor version at a time",
        )
    if server > NEWEST:
        yield Finding(
            Area.VERSIONS,
            "API server",
            f"{_text(server)} is newer than what the charts were validated against",
            f"take a release of Crossroads that knows {_text(server)} before you rely on it",
        )
    for node in state.nodes or ():
        kubelet = _minor(node["status"].get("nodeInfo", {}).get("kubeletVersion", ""))
        if kubelet and server and not server[1] - SKEW <= kubelet[1] <= server[1]:
            yield Finding(
                Area.VERSIONS,
                f"node {name_of(node)}",
                f"kubelet {_text(kubelet)} with API server {_text(server)}",
                f"drain it and upgrade its kubelet: at most {SKEW} minor versions older",
            )
    yield from _images(state)


def _images(state: State) -> Iterator[Finding]:
    """Two versions beside each other are an upgrade, and an upgrade ends."""
    images = {
        container["image"]
        for pod in running(ours(state.pods))
        for container in pod["spec"]["containers"]
    }
    if len(images) > 1:
        yield Finding(
            Area.VERSIONS,
            state.namespace,
            f"{len(images)} images run beside each other: {', '.join(sorted(images))}",
            "finish the upgrade, or take it back with helm rollback; N and N+1 may meet, no others",
        )


def placement(state: State) -> Iterator[Finding]:
    """Nodes, and for each workload how many are ready, in how many zones, and what protects it."""
    zones = {name_of(node): labels_of(node).get(ZONE, "") for node in state.nodes or ()}
    for node in state.nodes or ():
        yield from _node(node)
    if state.workloads is not None and not any(ours(state.workloads)):
        yield Finding(
            Area.PLACEMENT,
            f"namespace {state.namespace}",
            "has no service of Crossroads",
            "name the chart's namespace (--namespace), or install the chart",
        )
    for workload in ours(state.workloads):
        yield from _workload(workload, state, zones)


def _node(node: Json) -> Iterator[Finding]:
    subject = f"node {name_of(node)}"
    if not labels_of(node).get(ZONE):
        yield Finding(
            Area.PLACEMENT,
            subject,
            f"has no label {ZONE}: nothing can be spread over zones by it",
            f"label it: kubectl label node {name_of(node)} {ZONE}=…",
        )
    conditions = node["status"].get("conditions") or []
    if not any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
        yield Finding(
            Area.PLACEMENT,
            subject,
            "is not ready",
            f"look at kubectl describe node {name_of(node)}; drain it, and repair or replace it",
        )


def _workload(workload: Json, state: State, zones: dict[str, str]) -> Iterator[Finding]:
    subject = f"{workload.get('kind', 'workload').lower()} {name_of(workload)}"
    wanted = int(workload["spec"].get("replicas", 1))
    ready = int(workload["status"].get("readyReplicas", 0))
    if ready < wanted:
        yield Finding(
            Area.PLACEMENT,
            subject,
            f"{ready} of {wanted} pods are ready",
            f"look at kubectl -n {state.namespace} describe {subject.replace(' ', '/')} "
            "and at the log of a pod that is not",
        )
    if wanted < 2:
        return
    pods = [
        pod
        for pod in running(state.pods)
        if selects(workload["spec"]["selector"], labels_of(pod)) and pod["spec"].get("nodeName")
    ]
    used = {zones.get(pod["spec"]["nodeName"], "") for pod in pods} - {""}
    there = len(set(zones.values()) - {""})
    if state.nodes is not None and pods and len(used) < min(len(pods), there):
        yield Finding(
            Area.PLACEMENT,
            subject,
            f"{len(pods)} pods in {len(used)} of {there} zones ({', '.join(sorted(used))})",
            f"see that each zone has room, then kubectl -n {state.namespace} rollout restart "
            f"{subject.replace(' ', '/')}",
        )
    if state.budgets is not None and not any(
        selects(each["spec"].get("selector"), _template(workload)) for each in state.budgets
    ):
        yield Finding(
            Area.PLACEMENT,
            subject,
            "has no disruption budget: a drain may end all its pods at once",
            "install the chart with its disruption budget (charts/service)",
        )


def _template(workload: Json) -> dict[str, str]:
    return workload["spec"]["template"]["metadata"].get("labels") or {}


def _minor(version: str) -> tuple[int, ...]:
    """(1, 36) of "v1.36.2"; () when it is no version."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else ()


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(each) for each in version)
