"""What `crossroads cluster check` looks at, and what it says.

Contract: `State` is what was read, as the API gives it; checks are pure functions of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
ZONE = "topology.kubernetes.io/zone"
PART_OF = ("app.kubernetes.io/part-of", "crossroads")


class Area(StrEnum):
    """What a finding is about."""

    VERSIONS = "versions"
    RIGHTS = "rights"
    PLACEMENT = "placement"
    CERTIFICATES = "certificates"
    POLICIES = "network policies"
    DATABASES = "databases"
    WITNESSES = "log witnesses"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: of what, what, and what to do."""

    area: Area
    subject: str
    text: str
    todo: str


@dataclass(frozen=True)
class Outcome:
    """What is wrong, and what nobody looked at."""

    found: list[Finding]
    unseen: list[str]


@dataclass(frozen=True)
class State:
    """What was read, by sort. None: it could not be read, and nothing is said about it.

    `vault_config_maps` are those in `vault_namespace`. `metrics` is what pods of databases say of
    themselves, as text, by pod. `note` is the newest checkpoint that everybody can get. `shown` is
    the certificate (PEM) that is shown at an address, "" where none is, by host:port. `reached` are
    the pods and ports that took a connection from where the command runs; None: it was not tried.
    """

    now: datetime
    namespace: str
    version: Json = field(default_factory=dict)
    nodes: list[Json] | None = None
    workloads: list[Json] | None = None
    pods: list[Json] | None = None
    budgets: list[Json] | None = None
    policies: list[Json] | None = None
    config_maps: list[Json] | None = None
    vault_namespace: str = "vault"
    vault_config_maps: list[Json] | None = None
    daemon_sets: list[Json] | None = None
    databases: list[Json] | None = None
    stores: list[Json] | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    shown: Mapping[str, str] = field(default_factory=dict)
    reached: list[tuple[str, int]] | None = None


def name_of(thing: Json) -> str:
    """metadata.name."""
    return str(thing["metadata"]["name"])


def labels_of(thing: Json) -> Mapping[str, str]:
    """metadata.labels."""
    return thing["metadata"].get("labels") or {}


def ours(things: Iterable[Json] | None) -> Iterator[Json]:
    """Those that the charts made."""
    key, value = PART_OF
    return (each for each in things or () if labels_of(each).get(key) == value)


def running(pods: Iterable[Json] | None) -> Iterator[Json]:
    """Pods that have not ended."""
    return (each for each in pods or () if each["status"].get("phase") in ("Pending", "Running"))


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects (an empty one selects all, none selects nothing)."""
    if selector is None:
        return False
    plain = all(
        labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()
    )
    return plain and all(_matches(each, labels) for each in selector.get("matchExpressions") or ())


def _matches(expression: Json, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None
