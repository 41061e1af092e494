"""Databases keep to themselves what they are asked, and are large enough for the charts."""

import tomllib

import pytest
import yaml

from services.cli.platform.postgres import SETTINGS
from services.logging.retention import Retention
from tests.infra.test_sizing import amount
from tests.support.charts import CHARTS, production
from tests.support.manifests import CLOUDS, EVERY, environment, needs_kubectl, of
from tools.sizing import FIGURES, connected

pytestmark = needs_kubectl
ROOM = 40
"""Connections for replication, the operator, Vault, migrations and those who look."""


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_statement_and_no_value_of_one_is_logged(cloud: str) -> None:
    wanted = {name for name in SETTINGS if name.startswith("log_") and name != "log_checkpoints"}
    assert len(wanted) >= 3
    for cluster in of(environment("production", cloud), "Cluster").values():
        parameters = cluster["spec"]["postgresql"]["parameters"]
        assert {name: parameters.get(name) for name in wanted} == {
            name: SETTINGS[name] for name in wanted
        }
        assert "log_statement" not in parameters
        assert "log_min_duration_statement" not in parameters


@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_the_wal_that_is_kept_is_less_than_what_is_allowed(name: str, cloud: str) -> None:
    # CloudNativePG refuses a cluster otherwise: `min_wal_size` should be smaller (its webhook).
    gigabytes = {"MB": 1 / 1024, "GB": 1}
    for service, cluster in of(environment(name, cloud), "Cluster").items():
        given = cluster["spec"]["postgresql"]["parameters"]
        kept, allowed = (
            int(size[:-2]) * gigabytes[size[-2:]]
            for size in (given.get("min_wal_size", "80MB"), given.get("max_wal_size", "1GB"))
        )
        volume = cluster["spec"]["walStorage"]["size"]
        assert volume.endswith("Gi")
        assert kept < allowed < int(volume[:-2]), service


def connections(cloud: str) -> dict[str, int]:
    """Of each service with a database: what all pods of two versions may open in production."""
    render = production(cloud)
    scalers = {each["metadata"]["name"]: each for each in render.of("HorizontalPodAutoscaler")}
    values = yaml.safe_load((CHARTS / "service" / "values.yaml").read_text())
    each_pod = values["database"]["connections"]
    found = {}
    for workload in render.of("Deployment", "StatefulSet"):
        service = workload["metadata"]["name"]
        scaler = scalers.get(service)
        most = scaler["spec"]["maxReplicas"] if scaler else workload["spec"]["replicas"]
        most += max(1, most // 4)  # pods of the next version beside them
        found[service] = most * each_pod
    return found


@pytest.mark.parametrize("cloud", CLOUDS)
def test_all_pods_that_the_charts_may_start_find_a_connection(cloud: str) -> None:
    opened = connections(cloud)
    for name, cluster in of(environment("production", cloud), "Cluster").items():
        service = name.removesuffix("-database")
        parameters = cluster["spec"]["postgresql"]["parameters"]
        assert int(parameters["max_connections"]) >= opened[service] + ROOM, service


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_database_has_the_memory_that_its_connections_take(cloud: str) -> None:
    opened = connections(cloud)
    figures = tomllib.loads(FIGURES.read_text())
    for name, cluster in of(environment("production", cloud), "Cluster").items():
        wanted = connected(figures, opened[name.removesuffix("-database")])
        for given in cluster["spec"]["resources"].values():
            assert amount(given["memory"]) >= wanted, name


@pytest.mark.parametrize("cloud", CLOUDS)
def test_snapshots_of_vault_end_when_the_log_says_that_they_have(cloud: str) -> None:
    job = of(environment("production", cloud), "CronJob")["openbao-snapshots"]
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each.get("value") for each in container["env"]}
    assert given["S3_EXPIRE_DAYS"] == str(Retention().snapshot_days)
