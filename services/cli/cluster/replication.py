"""How far standbys are behind, by what each instance of a database measures of itself.

CloudNativePG's custom resource says who is ready, not how far behind; its instances say it on port
9187, which the API server reaches for us unless a network policy keeps it away too.
"""

import re
from collections.abc import Iterator, Mapping

from services.cli.cluster.model import Area, Finding, Json, State, name_of

PORT = 9187
LAG_SECONDS = 10.0
"""As the alert ReplicationLag (infra/observability/alerts/stores.yaml)."""
_GAUGE = re.compile(r"^cnpg_pg_replication_(\w+)(?:\{[^}]*\})? ([-+.\deE]+)$", re.MULTILINE)


def instances(databases: list[Json] | None) -> list[str]:
    """The pods of all databases that have standbys."""
    return sorted(pod for each in databases or () for pod in _instances(each))


def replication(state: State) -> Iterator[Finding]:
    """Each standby that is far behind, and each primary that too few follow."""
    for database in state.databases or ():
        for pod in _instances(database):
            measured = _gauges(state.metrics.get(pod, ""))
            for text, todo in _instance(database, pod, measured):
                yield Finding(Area.DATABASES, name_of(database), text, todo)


def unmeasured(state: State) -> list[str]:
    """The pods whose standing nobody told."""
    return [
        pod
        for pod in instances(state.databases)
        if "lag" not in _gauges(state.metrics.get(pod, ""))
    ]


def _instances(database: Json) -> list[str]:
    alone = int(database["spec"].get("instances", 1)) < 2
    return [] if alone else list(database["status"].get("instancesReportedState") or {})


def _instance(database: Json, pod: str, measured: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    name = name_of(database)
    standbys = int(database["spec"]["instances"]) - 1
    if measured.get("in_recovery") == 0 and measured.get("streaming_replicas", standbys) < standbys:
        yield (
            f"{int(measured['streaming_replicas'])} of {standbys} standbys follow {pod}; "
            "with none every commit waits",
            f"kubectl cnpg status {name}: see why the others do not, before the next one stops",
        )
    lag = measured.get("lag", 0.0)
    if measured.get("in_recovery") == 1 and lag > LAG_SECONDS:
        yield (
            f"{pod} is {lag:.0f} s behind its primary",
            f"see whether its disk or its network is full; one that stays behind is made anew with "
            f"kubectl cnpg destroy {name} {pod.rpartition('-')[2]}",
        )


def _gauges(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in _GAUGE.findall(text)}
