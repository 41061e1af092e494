"""What `crossroads cluster check` says of the charts themselves, were they installed: nothing."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from services.cli.cluster.model import Finding, State
from services.cli.cluster.placement import placement, versions
from services.cli.cluster.policies import policies
from tests.support.charts import Rendered, production
from tests.support.kubernetes_world import ZONES, World


def installed(render: Rendered) -> State:
    """The production charts on three zones: three pods of each service, all ready."""
    world = World.healthy(datetime.now(UTC))
    world.workloads, world.pods = [], []
    for each in render.of("Deployment", "StatefulSet"):
        workload: dict[str, Any] = copy.deepcopy(dict(each))
        workload["spec"]["replicas"] = len(ZONES)
        workload["status"] = {"readyReplicas": len(ZONES)}
        world.workloads.append(workload)
        for zone in ZONES:
            pod = copy.deepcopy(workload["spec"]["template"])
            pod["metadata"]["name"] = f"{workload['metadata']['name']}-{zone}"
            pod["spec"]["nodeName"] = f"node-{zone}"
            pod["status"] = {"phase": "Running"}
            world.pods.append(pod)
    world.budgets = [dict(each) for each in render.of("PodDisruptionBudget")]
    world.policies = [dict(each) for each in render.of("NetworkPolicy")]
    return world.state()


@pytest.mark.parametrize("chart", ["community", "public"])
def test_nothing_is_said_of_the_charts_as_they_are(chart: str) -> None:
    state = installed(production(chart))
    assert state.workloads
    found: list[Finding] = [
        finding for look in (versions, placement, policies) for finding in look(state)
    ]
    assert found == []
