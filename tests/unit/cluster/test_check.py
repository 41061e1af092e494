"""Each thing that can be wrong with a cluster is found, said once, and comes with what to do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.cli.cluster.check import CHECKS
from services.cli.cluster.model import ZONE, Area, Finding, Json, selects
from services.cli.cluster.replication import unmeasured
from tests.support.kubernetes_world import (
    WITNESSES,
    World,
    authority_end,
    certificate,
    metrics,
    note,
    policy_text,
    stated,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def findings(world: World) -> list[Finding]:
    """What all checks say."""
    return [finding for look in CHECKS for finding in look(world.state())]


def test_nothing_is_said_of_a_cluster_that_is_well() -> None:
    assert findings(World.healthy(NOW)) == []


def _kubelet(world: World) -> None:
    world.nodes[0]["status"]["nodeInfo"]["kubeletVersion"] = "v1.32.9"


def _newer_kubelet(world: World) -> None:
    world.nodes[0]["status"]["nodeInfo"]["kubeletVersion"] = "v1.37.0"


def _images(world: World) -> None:
    world.pods[0]["spec"]["containers"][0]["image"] = "crossroads:0.2.0"


def _no_zone(world: World) -> None:
    del world.nodes[0]["metadata"]["labels"][ZONE]
    for pod in world.pods:
        if pod["spec"]["nodeName"] == "node-a":
            pod["spec"]["nodeName"] = "node-b"
    world.pods = [pod for pod in world.pods if not pod["metadata"]["name"].endswith("-a")]


def _not_ready(world: World) -> None:
    world.nodes[0]["status"]["conditions"][0]["status"] = "Unknown"


def _two_zones(world: World) -> None:
    world.pods[0]["spec"]["nodeName"] = "node-b"


def _fewer(world: World) -> None:
    world.workloads[0]["status"]["readyReplicas"] = 2


def _no_budget(world: World) -> None:
    world.budgets.pop()


def _nobody(world: World) -> None:
    for each in (world.workloads, world.pods):
        each.clear()


def _ingress_only(world: World) -> None:
    world.policies[0]["spec"]["policyTypes"] = ["Ingress"]


def _everybody(world: World) -> None:
    peer = {"ipBlock": {"cidr": "0.0.0.0/0"}}
    world.policies[0]["spec"]["egress"].append({"to": [peer], "ports": [{"port": 443}]})


def _empty_rule(world: World) -> None:
    world.policies[0]["spec"]["ingress"] = [{}]


def _no_plugin(world: World) -> None:
    world.daemon_sets[0]["metadata"]["name"] = "flannel"


def _plugin_down(world: World) -> None:
    world.daemon_sets[0]["status"]["numberReady"] = 0


def _old_authority(world: World) -> None:
    world.config_maps[0]["data"]["ca.crt"] = certificate(NOW + timedelta(days=12))


def _ended_authority(world: World) -> None:
    world.config_maps[0]["data"]["ca.crt"] += certificate(NOW - timedelta(days=1))


def _database_certificate(world: World) -> None:
    expirations = world.databases[0]["status"]["certificates"]["expirations"]
    expirations["registry-database-server"] = stated(NOW + timedelta(days=2))


def _copies(world: World) -> dict[str, str]:
    """Vault's copies of the databases' authorities."""
    data: dict[str, str] = world.vault_config_maps[1]["data"]
    return data


def _operators_authority(world: World) -> None:
    del world.databases[0]["spec"]["certificates"]


def _another_authority(world: World) -> None:
    _copies(world)["registry.crt"] = certificate(NOW + timedelta(days=3000))


def _no_copy(world: World) -> None:
    del _copies(world)["registry.crt"]


def _no_copies(world: World) -> None:
    world.vault_config_maps.pop()


def _old_vault_authority(world: World) -> None:
    world.vault_config_maps[0]["data"]["ca.crt"] = certificate(NOW + timedelta(days=5))


def _status(**changes: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.databases[0]["status"].update(changes)

    return change


def _lag(world: World) -> None:
    world.metrics["registry-database-3"] = metrics(lag=12.5)


def _lonely(world: World) -> None:
    world.metrics["registry-database-1"] = metrics(standbys=1)


def _shown(pem: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.shown["openbao-active.vault.svc:8200"] = pem

    return change


def _timeline(world: World) -> None:
    world.databases[0]["status"]["instancesReportedState"]["registry-database-3"]["timeLineID"] = 0


def _asynchronous(world: World) -> None:
    del world.databases[0]["spec"]["postgresql"]["synchronous"]


def _preferred(world: World) -> None:
    synchronous = world.databases[0]["spec"]["postgresql"]["synchronous"]
    synchronous["dataDurability"] = "preferred"


def _archiving(world: World) -> None:
    world.databases[0]["status"]["conditions"][0]["status"] = "False"


def _backup_failed(world: World) -> None:
    world.databases[0]["status"]["conditions"][1]["status"] = "False"


def _old_backup(world: World) -> None:
    window = world.stores[0]["status"]["serverRecoveryWindow"]["registry-database"]
    window["lastSuccessfulBackupTime"] = f"{NOW - timedelta(hours=50):%Y-%m-%dT%H:%M:%SZ}"


def _no_backup(world: World) -> None:
    world.stores[0].pop("status")


def _no_witnesses(world: World) -> None:
    world.config_maps.pop()


def _no_quorum(world: World) -> None:
    world.config_maps[1]["data"]["witness_policy"] = policy_text(quorum="none")


def _bad_policy(world: World) -> None:
    world.config_maps[1]["data"]["witness_policy"] = "quorum nobody\n"


def _stale(world: World) -> None:
    world.note = note(NOW - timedelta(minutes=20), WITNESSES)


def _forged(world: World) -> None:
    world.note = world.note.replace("\n2\n", "\n3\n", 1)


CASES: list[tuple[Callable[[World], None], Area, str]] = [
    (_kubelet, Area.VERSIONS, "kubelet 1.32 with API server 1.36"),
    (_newer_kubelet, Area.VERSIONS, "kubelet 1.37 with API server 1.36"),
    (_images, Area.VERSIONS, "2 images run beside each other"),
    (_no_zone, Area.PLACEMENT, f"has no label {ZONE}"),
    (_not_ready, Area.PLACEMENT, "is not ready"),
    (_two_zones, Area.PLACEMENT, "3 pods in 2 of 3 zones"),
    (_fewer, Area.PLACEMENT, "2 of 3 pods are ready"),
    (_no_budget, Area.PLACEMENT, "has no disruption budget"),
    (_nobody, Area.PLACEMENT, "has no service of Crossroads"),
    (_everybody, Area.POLICIES, "allows egress to everywhere"),
    (_empty_rule, Area.POLICIES, "allows ingress from everywhere"),
    (_no_plugin, Area.POLICIES, "no daemon set is known to enforce"),
    (_plugin_down, Area.POLICIES, "no daemon set is known to enforce"),
    (_old_authority, Area.CERTIFICATES, "ends in 12 days"),
    (_ended_authority, Area.CERTIFICATES, "ended 2029-12-31"),
    (_database_certificate, Area.CERTIFICATES, "ends in 2 days"),
    (_operators_authority, Area.CERTIFICATES, "that its operator made: it ends after 90 days"),
    (_another_authority, Area.CERTIFICATES, "its own ends 2038-03-20; Vault makes no more logins"),
    (_no_copy, Area.CERTIFICATES, "it has none; Vault makes no more logins"),
    (_no_copies, Area.CERTIFICATES, "is missing: Vault makes no login"),
    (_old_vault_authority, Area.CERTIFICATES, "ends in 5 days"),
    (_status(readyInstances=2), Area.DATABASES, "2 of 3 instances are ready"),
    (_status(phase="Failing over"), Area.DATABASES, "is not healthy: Failing over"),
    (_status(targetPrimary="x"), Area.DATABASES, "changes its primary"),
    (_lag, Area.DATABASES, "registry-database-3 is 12 s behind"),
    (_lonely, Area.DATABASES, "1 of 2 standbys follow registry-database-1"),
    (_shown(certificate(NOW + timedelta(days=9))), Area.CERTIFICATES, "ends in 9 days"),
    (_shown(certificate(NOW - timedelta(days=9))), Area.CERTIFICATES, "ended 2029-12-23"),
    (_shown(""), Area.CERTIFICATES, "shows no certificate"),
    (_timeline, Area.DATABASES, "instances follow 2 timelines"),
    (_asynchronous, Area.DATABASES, "replicates asynchronously"),
    (_preferred, Area.DATABASES, "answers before a second disk has it"),
    (_archiving, Area.DATABASES, "does not archive its WAL: as told"),
    (_backup_failed, Area.DATABASES, "the last backup failed: as told"),
    (_old_backup, Area.DATABASES, "is 50 h old"),
    (_no_backup, Area.DATABASES, "holds no backup"),
    (_no_witnesses, Area.WITNESSES, "is missing"),
    (_no_quorum, Area.WITNESSES, "asks for no witness"),
    (_bad_policy, Area.WITNESSES, "policy"),
    (_stale, Area.WITNESSES, "was cosigned 20 minutes ago"),
    (_forged, Area.WITNESSES, "does not verify"),
]


@pytest.mark.parametrize(("spoil", "area", "text"), CASES, ids=[text for *_, text in CASES])
def test_what_is_wrong_is_said_once_with_what_to_do(
    spoil: Callable[[World], None], area: Area, text: str
) -> None:
    world = World.healthy(NOW)
    spoil(world)
    (found,) = findings(world)
    assert found.area is area
    assert text in found.text
    assert found.todo


def test_an_authority_that_ends_is_said_of_the_database_and_of_what_vault_holds() -> None:
    world, soon = World.healthy(NOW), NOW + timedelta(days=20)
    expirations = world.databases[0]["status"]["certificates"]["expirations"]
    expirations["registry-database-ca"] = stated(soon)
    _copies(world)["registry.crt"] = certificate(soon)
    copy, own = findings(world)
    assert copy.subject == "config map database-authorities in vault, registry.crt"
    assert own.subject == "database registry-database, secret registry-database-ca"
    assert "certify it again" in own.todo


def test_instances_that_say_nothing_are_not_called_well() -> None:
    world = World.healthy(NOW)
    assert unmeasured(world.state()) == []
    world.metrics["logging-database-2"] = ""
    del world.metrics["registry-database-1"]
    assert findings(world) == []
    assert unmeasured(world.state()) == ["logging-database-2", "registry-database-1"]


def test_a_database_without_standbys_has_none_that_could_be_behind() -> None:
    world = World.healthy(NOW)
    world.databases[0]["spec"]["instances"] = 1
    world.databases[0]["status"]["readyInstances"] = 1
    world.metrics["registry-database-1"] = metrics(standbys=0)
    assert findings(world) == []


def test_while_an_authority_is_replaced_vault_may_hold_both() -> None:
    world, new = World.healthy(NOW), NOW + timedelta(days=3700)
    _copies(world)["registry.crt"] = certificate(new) + certificate(authority_end(NOW))
    assert findings(world) == []
    expirations = world.databases[0]["status"]["certificates"]["expirations"]
    expirations["registry-database-ca"] = stated(new)
    assert findings(world) == []


def test_of_a_database_that_is_being_made_no_authority_is_expected() -> None:
    world = World.healthy(NOW)
    world.databases[0]["status"].pop("certificates")
    assert findings(world) == []


def test_a_pod_without_a_policy_is_open_in_both_directions() -> None:
    world = World.healthy(NOW)
    world.policies.pop(0)
    open_pods = {each.subject for each in findings(world)}
    assert open_pods == {"pod registry-a", "pod registry-b", "pod registry-c"}
    assert len(findings(world)) == 6
    world = World.healthy(NOW)
    _ingress_only(world)
    assert {each.text for each in findings(world)} == {
        "no policy for its egress: all of it is allowed"
    }


def test_a_witness_that_is_missing_is_named_beside_the_quorum() -> None:
    world = World.healthy(NOW)
    world.note = note(NOW, WITNESSES[:1])
    quorum, missing = findings(world)
    assert "not cosigned by a quorum" in quorum.text
    assert missing.subject == f"witness {WITNESSES[1]}"
    assert "https://press.test" in missing.todo


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_a_selector_selects_as_the_api_says(selector: Json | None, *, selected: bool) -> None:
    assert selects(selector, {"a": "1"}) is selected
