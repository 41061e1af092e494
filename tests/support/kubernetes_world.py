"""A cluster that Crossroads runs on, as the API objects that are looked at: all well, three zones.

Contract: `World` makes them anew each time; a test changes what it is about. `note` is a checkpoint
that the log signed and both witnesses cosigned at `now`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.cli.cluster.model import ZONE, State
from services.proof.note import COSIGNATURE, VerifierKey, format_note, parse
from tests.support.witnesses import SignedTree, cosignature, key_of

Json = dict[str, Any]
NAMESPACE, VAULT = "crossroads", "vault"
DATABASES = ("registry", "logging")
ZONES = ("a", "b", "c")
WITNESSES = ("audit", "press")


@dataclass
class World:
    """The objects by sort, each whole, with its status."""

    now: datetime
    nodes: list[Json] = field(default_factory=list)
    workloads: list[Json] = field(default_factory=list)
    pods: list[Json] = field(default_factory=list)
    budgets: list[Json] = field(default_factory=list)
    policies: list[Json] = field(default_factory=list)
    config_maps: list[Json] = field(default_factory=list)
    vault_config_maps: list[Json] = field(default_factory=list)
    daemon_sets: list[Json] = field(default_factory=list)
    databases: list[Json] = field(default_factory=list)
    stores: list[Json] = field(default_factory=list)
    note: str = ""
    metrics: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)

    @classmethod
    def healthy(cls, now: datetime) -> "World":
        """A cluster that nothing is wrong with."""
        world = cls(now)
        world.nodes = [_node(zone) for zone in ZONES]
        for kind, name in (("Deployment", "registry"), ("StatefulSet", "logging")):
            world.workloads.append(_workload(kind, name))
            world.pods += [_pod(name, zone) for zone in ZONES]
            world.budgets.append(_budget(name))
            world.policies.append(_policy(name))
            world.databases.append(_database(name, now))
            world.stores.append(_store(name, now))
        world.config_maps = [
            _config_map("vault-ca", {"ca.crt": certificate(now + timedelta(days=300))}),
            _config_map("logging-witness-policy", {"witness_policy": policy_text()}),
        ]
        copies = {f"{name}.crt": certificate(authority_end(now)) for name in DATABASES}
        world.vault_config_maps = [
            _config_map("vault-ca", {"ca.crt": certificate(now + timedelta(days=300))}, VAULT),
            _config_map("database-authorities", copies, VAULT),
        ]
        world.daemon_sets = [_daemon_set("calico-node")]
        world.note = note(now, WITNESSES)
        for name in DATABASES:
            world.metrics[f"{name}-database-1"] = metrics(standbys=2)
            world.metrics |= {f"{name}-database-{number}": metrics(lag=0.2) for number in (2, 3)}
        return world

    def state(self) -> State:
        """What the check would read."""
        return State(
            now=self.now,
            namespace=NAMESPACE,
            version={"gitVersion": "v1.36.2"},
            nodes=self.nodes,
            workloads=self.workloads,
            pods=self.pods,
            budgets=self.budgets,
            policies=self.policies,
            config_maps=self.config_maps,
            vault_namespace=VAULT,
            vault_config_maps=self.vault_config_maps,
            daemon_sets=self.daemon_sets,
            databases=self.databases,
            stores=self.stores,
            note=self.note,
            metrics=self.metrics,
            shown=self.shown,
        )

    def objects(self) -> Iterator[Json]:
        """All of them, in an order in which they can be made."""
        yield from (*self.nodes, *self.config_maps, *self.vault_config_maps, *self.daemon_sets)
        yield from self.workloads
        yield from (*self.pods, *self.budgets, *self.policies, *self.databases, *self.stores)


def policy_text(*, quorum: str = "both") -> str:
    """A policy (C2SP tlog-policy) of one log and two witnesses."""
    lines = [f"log {SignedTree([b'']).verifier.text()}"]
    lines += [f"witness {name} {_witness(name).text()} https://{name}.test" for name in WITNESSES]
    return "\n".join([*lines, f"group both all {' '.join(WITNESSES)}", f"quorum {quorum}", ""])


def note(at: datetime, witnesses: tuple[str, ...]) -> str:
    """A checkpoint that these witnesses cosigned at that time."""
    signed = parse(SignedTree([b"one", b"two"]).note())
    more = [
        cosignature(key_of(name), f"{name}.test", signed.text, int(at.timestamp()))
        for name in witnesses
    ]
    return format_note(signed.text, [*signed.signatures, *more])


def certificate(end: datetime) -> str:
    """The PEM of an authority that ends then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=365))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def metrics(*, standbys: int | None = None, lag: float = 0.0) -> str:
    """What an instance says of itself on port 9187: a primary with standbys, or a standby."""
    gauges = {"in_recovery": int(standbys is None), "lag": lag, "streaming_replicas": standbys or 0}
    return "".join(
        f"# TYPE cnpg_pg_replication_{name} gauge\ncnpg_pg_replication_{name} {value}\n"
        for name, value in gauges.items()
    )


def authority_end(now: datetime) -> datetime:
    """When the authority of each database ends."""
    return (now + timedelta(days=3650)).astimezone(UTC).replace(microsecond=0)


def stated(end: datetime) -> str:
    """An instant as CloudNativePG writes it."""
    return f"{end:%Y-%m-%d %H:%M:%S} +0000 UTC"


def _witness(name: str) -> VerifierKey:
    return VerifierKey(f"{name}.test", key_of(name).public_key().public_bytes_raw(), COSIGNATURE)


def labels(name: str) -> dict[str, str]:
    """Those that the charts give a service's pods."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "crossroads",
        "app.kubernetes.io/component": "server",
    }


def _meta(name: str, namespace: str = NAMESPACE, **more: Any) -> Json:
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def _node(zone: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": _meta(f"node-{zone}", "", labels={ZONE: f"zone-{zone}"}),
        "status": {
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "KubeletReady",
                    "message": "",
                    "lastHeartbeatTime": "2026-01-01T00:00:00Z",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }
            ],
            "nodeInfo": {
                "kubeletVersion": "v1.36.2",
                **dict.fromkeys(
                    (
                        *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion"),
                        *("kubeProxyVersion", "machineID", "operatingSystem", "osImage"),
                        "systemUUID",
                    ),
                    "test",
                ),
            },
        },
    }


def _spec() -> Json:
    return {"containers": [{"name": "server", "image": "crossroads:0.1.0"}]}


def _workload(kind: str, name: str) -> Json:
    spec: Json = {
        "replicas": 3,
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "template": {"metadata": {"labels": labels(name)}, "spec": _spec()},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": _meta(name, labels=labels(name)),
        "spec": spec,
        "status": {"replicas": 3, "readyReplicas": 3},
    }


def _pod(name: str, zone: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _meta(f"{name}-{zone}", labels=labels(name)),
        "spec": {**_spec(), "nodeName": f"node-{zone}"},
        "status": {"phase": "Running"},
    }


def _budget(name: str) -> Json:
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _meta(name),
        "spec": {"maxUnavailable": 1, "selector": selector},
    }


def instance(name: str, address: str) -> Json:
    """The pod of a database's instance, at that address."""
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    spec = {"containers": [{"name": "postgres", "image": "postgresql:18"}], "nodeName": "node-a"}
    meta = _meta(name, labels={"cnpg.io/cluster": name.rpartition("-")[0]})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def _policy(name: str) -> Json:
    peer = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "routing"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(name),
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [peer], "ports": [{"port": 8443}]}],
            "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
        },
    }


def _config_map(name: str, data: dict[str, str], namespace: str = NAMESPACE) -> Json:
    metadata = _meta(name, namespace)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _daemon_set(name: str) -> Json:
    selector = {"k8s-app": name}
    template = {"metadata": {"labels": selector}, "spec": _spec()}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _meta(name, "kube-system"),
        "spec": {"selector": {"matchLabels": selector}, "template": template},
        "status": {
            "currentNumberScheduled": 3,
            "desiredNumberScheduled": 3,
            "numberMisscheduled": 0,
            "numberReady": 3,
        },
    }


def _database(name: str, now: datetime) -> Json:
    """Fields as in CloudNativePG 1.30's custom resource."""
    end = (now + timedelta(days=60)).astimezone(UTC)
    first, authority = f"{name}-database-1", f"{name}-database-ca"
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": _meta(f"{name}-database"),
        "spec": {
            "instances": 3,
            "storage": {"size": "10Gi"},
            "certificates": {"serverCASecret": authority, "clientCASecret": authority},
            "postgresql": {
                "synchronous": {"method": "any", "number": 1, "dataDurability": "required"}
            },
        },
        "status": {
            "readyInstances": 3,
            "phase": "Cluster in healthy state",
            "currentPrimary": first,
            "targetPrimary": first,
            "instancesReportedState": {
                f"{name}-database-{number}": {"isPrimary": number == 1, "timeLineID": 1}
                for number in (1, 2, 3)
            },
            "certificates": {
                "serverCASecret": authority,
                "expirations": {
                    authority: stated(authority_end(now)),
                    f"{name}-database-server": stated(end),
                },
            },
            "conditions": [
                _condition("ContinuousArchiving", "True"),
                _condition("LastBackupSucceeded", "True"),
            ],
        },
    }


def _condition(kind: str, status: str) -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": "Test",
        "message": "as told",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def _store(name: str, now: datetime) -> Json:
    """Fields as in the Barman Cloud plug-in's custom resource."""
    made = f"{now - timedelta(hours=8):%Y-%m-%dT%H:%M:%SZ}"
    window = {"firstRecoverabilityPoint": made, "lastSuccessfulBackupTime": made}
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": _meta(f"{name}-backups"),
        "spec": {"configuration": {"destinationPath": f"s3://backups/{name}"}},
        "status": {"serverRecoveryWindow": {f"{name}-database": window}},
    }
