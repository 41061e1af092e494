"""The databases of infra/ where CloudNativePG runs: taken as declared, and one of them fails over.

The operator's images and its object store are the cluster's business: POSTGRES_OPERAND_IMAGE is a
PostgreSQL 18 for the operator ("" leaves the declared one), DATABASE_STORAGE_CLASS names what gives
volumes ("" is the default class). Backups are left out: no object store is asked for.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.cluster.authority import Authority
from tests.cluster.kubectl import apply, got, kubectl, missing
from tests.cluster.objects import secret
from tests.support.manifests import EVERY, Object, environment, of, rendered

NAMESPACE, NAME = "crossroads-databases", "logging-database"
KIND = "clusters.postgresql.cnpg.io"
IMAGE = os.environ.get("POSTGRES_OPERAND_IMAGE", "")
STORAGE = os.environ.get("DATABASE_STORAGE_CLASS", "")
WRITES = 1000


pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("cluster"),
]


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """One like that in infra/clouds, gone at the end; skipped where no operator runs."""
    found = got("default", "deployments", "-A", "-l", "app.kubernetes.io/name=cloudnative-pg")
    if not any(each["status"].get("availableReplicas") for each in found):
        pytest.skip("no CloudNativePG operator runs in the cluster")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    about = {"name": NAMESPACE, "labels": labels}
    apply("default", [{"apiVersion": "v1", "kind": "Namespace", "metadata": about}])
    yield NAMESPACE
    kubectl("delete", "namespace", NAMESPACE, "--wait")


@pytest.mark.parametrize(("name", "cloud"), EVERY)
def test_the_operator_takes_what_is_declared(name: str, cloud: str, namespace: str) -> None:
    kinds = ("Cluster", "ScheduledBackup")
    objects = [each for kind in kinds for each in of(environment(name, cloud), kind).values()]
    assert objects
    listed = {"apiVersion": "v1", "kind": "List", "items": [placed(each) for each in objects]}
    options = ("--server-side", "--dry-run=server", "-n", namespace, "-f", "-")
    kubectl("apply", *options, given=json.dumps(listed))


def test_a_database_fails_over_and_the_old_primary_follows(namespace: str) -> None:
    authority = Authority(NAME)
    files = {"ca.crt": authority.certificate, "ca.key": authority.private}
    around = (*rendered("databases/access"), *rendered("databases/roles"))
    own = small(rendered("databases/logging"))
    apply(namespace, [secret(f"{NAME}-ca", files), *around, *own])
    first = healthy(seconds=600)
    asked(first, "CREATE TABLE written (n bigint PRIMARY KEY)")
    # Its own login, made by the operator after the file of roles: without CONNECT no metric comes.
    for database in ("logging", "postgres"):
        asked(first, "SELECT 1", "--username=cnpg_metrics_exporter", database=database)
    acknowledged = written_until_deleted(first)
    assert 0 < len(acknowledged) < WRITES
    assert healthy(seconds=300, other_than=first) != first
    kept = set(asked(healthy(seconds=10), "SELECT n FROM written").split())
    assert acknowledged <= kept


def placed(each: Object) -> dict[str, Any]:
    """The object, in the trial's namespace."""
    about = {**each["metadata"], "namespace": NAMESPACE}
    return {**each, "metadata": about}


def small(objects: Sequence[Object]) -> list[Object]:
    """The database and its policy, without its archive, on as many nodes as there are."""
    (cluster,) = of(tuple(objects), "Cluster").values()
    spec = {key: value for key, value in cluster["spec"].items() if key != "plugins"}
    spec["affinity"] = {**spec["affinity"], "podAntiAffinityType": "preferred"}
    volumes = {"size": "5Gi"} | ({"storageClass": STORAGE} if STORAGE else {})
    spec |= {"storage": volumes, "walStorage": volumes}
    spec |= {"imageName": IMAGE} if IMAGE else {}
    policies = of(tuple(objects), "NetworkPolicy").values()
    return [*policies, {**cluster, "spec": spec}]


def healthy(seconds: float, other_than: str = "") -> str:
    """The primary, once all three instances are there and it is another than this one."""
    until = time.monotonic() + seconds
    while True:
        (cluster,) = got(NAMESPACE, f"{KIND}/{NAME}")
        status = cluster.get("status", {})
        primary = str(status.get("currentPrimary", ""))
        whole = status.get("readyInstances") == cluster["spec"]["instances"]
        if whole and primary not in {"", other_than} and primary == status.get("targetPrimary"):
            return primary
        assert time.monotonic() < until, status
        time.sleep(1)


def asked(pod: str, query: str, *options: str, database: str = "logging") -> str:
    """What psql prints, in that pod."""
    inside = ("psql", "-qAtv", "ON_ERROR_STOP=1", *options, "-c", query, database)
    return kubectl("exec", "-n", NAMESPACE, pod, "-c", "postgres", "--", *inside)


def written_until_deleted(pod: str) -> set[str]:
    """Numbers whose commits were answered before this pod, deleted meanwhile, ended."""
    inside = ("psql", "-qAt", "logging")
    writer = subprocess.Popen(
        ["kubectl", "exec", "-i", "-n", NAMESPACE, pod, "-c", "postgres", "--", *inside],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    rows = (f"INSERT INTO written VALUES ({n}) RETURNING n, pg_sleep(0.02);" for n in range(WRITES))
    writer.stdin.write("\n".join(rows) + "\n")
    writer.stdin.flush()
    answered = [writer.stdout.readline() for _ in range(50)]
    kubectl("delete", "pod", "-n", NAMESPACE, pod, "--grace-period=0", "--force")
    answered += writer.communicate(timeout=60)[0].splitlines()
    return {each.strip().partition("|")[0] for each in answered if "|" in each}
