"""`crossroads cluster check`: reads what a cluster says of itself, and finds what is wrong.

Contract: `check` reads and changes nothing. What the login may not read is a finding itself, with
the right that is missing; of what could not be read nothing else is said. Raises PlatformError.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from services.cli.cluster.api import Api, Resource
from services.cli.cluster.authorities import authorities
from services.cli.cluster.certificates import certificates
from services.cli.cluster.databases import databases
from services.cli.cluster.model import Area, Finding, Json, Outcome, State
from services.cli.cluster.placement import placement, versions
from services.cli.cluster.policies import policies
from services.cli.cluster.probes import address_of, newest_note, reached, shown
from services.cli.cluster.replication import PORT, instances, replication, unmeasured
from services.cli.cluster.witnesses import witnesses

VAULT = "vault"
CHECKS = (
    *(versions, placement, certificates, authorities, policies),
    *(databases, replication, witnesses),
)
DATABASES_AT_ONCE = 8


@dataclasses.dataclass(frozen=True)
class Look:
    """Where to look beside the API.

    `log_url`: where the log's checkpoint is shown (…/log). `tls`: addresses (host:port) whose
    certificates are looked at; that of `log_url` is as well. `connect`: try the pods' ports from
    here, where no policy should let anybody.
    """

    log_url: str = ""
    tls: Sequence[str] = ()
    connect: bool = False


def check(
    api: Api,
    *,
    namespace: str,
    now: datetime,
    vault_namespace: str = VAULT,
    look: Look = Look(),
) -> Outcome:
    """Everything that is wrong, and what was not looked at."""
    found, read = _read(api, namespace, vault_namespace)
    addresses = dict.fromkeys([*look.tls, *filter(None, [address_of(look.log_url)])])
    state = State(
        now=now,
        namespace=namespace,
        vault_namespace=vault_namespace,
        version=api.version(),
        metrics=_metrics(api, namespace, read["databases"]),
        shown={address: shown(address) for address in addresses},
        note=newest_note(look.log_url) if look.log_url else "",
        reached=reached(read["pods"] or ()) if look.connect else None,
        **read,
    )
    for each in CHECKS:
        found += each(state)
    return Outcome(found, _unseen(state, look))


def as_document(outcome: Outcome, api: Api, namespace: str) -> Json:
    """For --json."""
    return {
        "cluster": api.address,
        "namespace": namespace,
        "findings": [dataclasses.asdict(each) for each in outcome.found],
        "not_looked_at": outcome.unseen,
    }


def _metrics(api: Api, namespace: str, databases: list[Json] | None) -> dict[str, str]:
    """What each instance says of itself, where this login may ask and the API server gets there."""
    pods = instances(databases)
    if not pods or not api.may("get", Resource("", "v1", "pods/proxy", namespace)):
        return {}
    with ThreadPoolExecutor(max_workers=DATABASES_AT_ONCE) as pool:
        texts = pool.map(lambda pod: api.proxied(namespace, pod, PORT, "/metrics"), pods)
        return dict(zip(pods, texts, strict=True))


def _unseen(state: State, look: Look) -> list[str]:
    """What nobody looked at, and what would let it be."""
    found = []
    if not look.log_url:
        found.append("the log's checkpoint, and the certificate that everybody sees (--log-url)")
    if not look.tls:
        found.append("OpenBao's certificate (--tls openbao-active.vault.svc:8200)")
    if pods := unmeasured(state):
        found.append(
            f"how far standbys are behind ({', '.join(pods)}: needs the right to get pods/proxy, "
            f"and the API server a way to port {PORT})"
        )
    return found


def _resources(namespace: str, vault: str) -> Mapping[str, tuple[Resource, ...]]:
    """What is read, by the field of State that it goes to."""
    apps, here = "apps", namespace
    return {
        "nodes": (Resource("", "v1", "nodes"),),
        "workloads": (
            Resource(apps, "v1", "deployments", here),
            Resource(apps, "v1", "statefulsets", here),
        ),
        "pods": (Resource("", "v1", "pods", here),),
        "budgets": (Resource("policy", "v1", "poddisruptionbudgets", here),),
        "policies": (Resource("networking.k8s.io", "v1", "networkpolicies", here),),
        "config_maps": (Resource("", "v1", "configmaps", here),),
        "vault_config_maps": (Resource("", "v1", "configmaps", vault),),
        # All namespaces: where a network plug-in lives is its own business.
        "daemon_sets": (Resource(apps, "v1", "daemonsets"),),
        "databases": (Resource("postgresql.cnpg.io", "v1", "clusters", here),),
        "stores": (Resource("barmancloud.cnpg.io", "v1", "objectstores", here),),
    }


def _read(
    api: Api, namespace: str, vault: str
) -> tuple[list[Finding], dict[str, list[Json] | None]]:
    """What may be read, and a finding for what may not."""
    found: list[Finding] = []
    read: dict[str, list[Json] | None] = {}
    for field, resources in _resources(namespace, vault).items():
        items: list[Json] | None = []
        for resource in resources:
            part = _items(api, resource, found)
            items = None if part is None or items is None else items + part
        read[field] = items
    return found, read


def _items(api: Api, resource: Resource, found: list[Finding]) -> list[Json] | None:
    if not api.may("list", resource):
        verb = f"kubectl create role crossroads-check --verb=list --resource={resource.plural}"
        cluster = "" if resource.namespace else "cluster"
        found.append(
            Finding(
                Area.RIGHTS,
                str(resource),
                "this login may not list them: nothing is said about them",
                f"{verb.replace('role ', f'{cluster}role ', 1)}, and bind it to whom this is",
            )
        )
        return None
    items = api.items(resource)
    if items is None:
        found.append(
            Finding(
                Area.VERSIONS,
                str(resource),
                "the cluster does not know this sort of objects",
                f"install the operator of {resource.group} (infra/README.md)",
            )
        )
        return None
    # A list says what its items are; the items do not.
    kind = {"deployments": "Deployment", "statefulsets": "StatefulSet"}.get(resource.plural)
    return [{**each, "kind": kind} for each in items] if kind else items
