"""`crossroads cluster check`: reads what a cluster says of itself, and finds what is wrong.

Contract: `check` reads and changes nothing. What the login may not read is a finding itself, with
the right that is missing; of what could not be read nothing else is said. Raises PlatformError.
"""

import dataclasses
import socket
import ssl
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.error import URLError

from services.cli.cluster.api import Api, Resource
from services.cli.cluster.authorities import authorities
from services.cli.cluster.certificates import certificates
from services.cli.cluster.databases import databases
from services.cli.cluster.model import Area, Finding, Json, State, name_of, ours, running
from services.cli.cluster.placement import placement, versions
from services.cli.cluster.policies import policies
from services.cli.cluster.witnesses import witnesses
from services.cli.platform.home import PlatformError

VAULT = "vault"
CHECKS = (versions, placement, certificates, authorities, policies, databases, witnesses)
NOTE_SECONDS, NOTE_BYTES = 10.0, 1 << 16
CONNECT_SECONDS = 3.0


def check(
    api: Api,
    *,
    namespace: str,
    now: datetime,
    vault_namespace: str = VAULT,
    log_url: str = "",
    connect: bool = False,
) -> list[Finding]:
    """Everything that is wrong. `log_url`: where the log's checkpoint is shown (…/log).

    `connect`: try the pods' ports from here, where no policy should let anybody.
    """
    found, read = _read(api, namespace, vault_namespace)
    state = State(
        now=now,
        namespace=namespace,
        vault_namespace=vault_namespace,
        version=api.version(),
        note=_note(log_url) if log_url else "",
        reached=_reached(read["pods"] or ()) if connect else None,
        **read,
    )
    for look in CHECKS:
        found += look(state)
    return found


def as_document(found: list[Finding], api: Api, namespace: str) -> Json:
    """For --json."""
    return {
        "cluster": api.address,
        "namespace": namespace,
        "findings": [dataclasses.asdict(each) for each in found],
    }


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


def _reached(pods: Iterable[Json]) -> list[tuple[str, int]]:
    """The ports of our pods that take a connection; one that a policy forbids says nothing."""
    targets = [
        (name_of(pod), str(pod["status"]["podIP"]), int(port["containerPort"]))
        for pod in running(ours(pods))
        if pod["status"].get("podIP")
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    ]

    def takes(target: tuple[str, str, int]) -> bool:
        _, address, port = target
        try:
            with socket.create_connection((address, port), timeout=CONNECT_SECONDS):
                return True
        except OSError:
            return False

    with ThreadPoolExecutor(max_workers=32) as pool:
        answers = pool.map(takes, targets)
        found = zip(targets, answers, strict=True)
        return [(name, port) for (name, _, port), taken in found if taken]


def _note(url: str) -> str:
    """The newest checkpoint, from where everybody gets it. Raises PlatformError."""
    address = f"{url.rstrip('/')}/checkpoint"
    if not address.startswith(("https://", "http://")):
        raise PlatformError(f"{url}: give the address of the log, https://…/log")
    context: Any = ssl.create_default_context() if address.startswith("https") else None
    try:
        with urllib.request.urlopen(  # noqa: S310 - checked above
            address, timeout=NOTE_SECONDS, context=context
        ) as response:
            return str(response.read(NOTE_BYTES).decode())
    except (URLError, OSError, UnicodeDecodeError) as error:
        raise PlatformError(f"{address}: {error}") from None
