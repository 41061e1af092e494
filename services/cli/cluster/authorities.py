"""Whom Vault believes to be a database: the copy of each authority, held against what there is.

Vault's PostgreSQL engine reads the copies from a config map (charts/README.md). With another
authority than the database's it makes no more logins, and what runs ends when its login does.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from services.cli.cluster.certificates import ends_of, expirations
from services.cli.cluster.model import Area, Finding, Json, State, name_of

CONFIG_MAP = "database-authorities"
RUNBOOK = "infra/runbooks/keys.md, Databases' authorities"


def authorities(state: State) -> Iterator[Finding]:
    """Each database's authority: brought by a person, and the one that Vault has."""
    for database in state.databases or ():
        yield from _own(database)
    if not state.databases or state.vault_config_maps is None:
        return
    held = next((each for each in state.vault_config_maps if name_of(each) == CONFIG_MAP), None)
    if held is None:
        yield Finding(
            Area.CERTIFICATES,
            f"config map {CONFIG_MAP} in {state.vault_namespace}",
            "is missing: Vault makes no login to any database",
            "make it (infra/runbooks/install.md), or name Vault's namespace (--vault-namespace)",
        )
        return
    for database in state.databases:
        yield from _copy(database, held.get("data") or {})


def _own(database: Json) -> Iterator[Finding]:
    if not (database["spec"].get("certificates") or {}).get("serverCASecret"):
        yield Finding(
            Area.CERTIFICATES,
            f"database {name_of(database)}",
            "has an authority that its operator made: it ends after 90 days, and Vault's copy too",
            f"apply infra/databases, with the secret {name_of(database)}-ca of install.md",
        )


def _copy(database: Json, copies: Mapping[str, str]) -> Iterator[Finding]:
    """By the instant at which they end: the secret itself holds a key, and is not read."""
    certificates = database["status"].get("certificates") or {}
    shown = expirations(database).get(certificates.get("serverCASecret", ""))
    if shown is None:
        return  # it is being made, and says so elsewhere
    file = f"{name_of(database).removesuffix('-database')}.crt"
    ends = ends_of(copies.get(file, ""))
    if shown not in ends:
        yield Finding(
            Area.CERTIFICATES,
            f"config map {CONFIG_MAP}, {file}",
            f"is not the authority of {name_of(database)}, which ends {shown:%Y-%m-%d}: "
            f"{_has(ends)}; Vault makes no more logins to it",
            f"copy ca.crt of the secret {certificates['serverCASecret']} there ({RUNBOOK})",
        )


def _has(ends: list[datetime]) -> str:
    if not ends:
        return "it has none"
    return f"its own ends {', '.join(f'{each:%Y-%m-%d}' for each in ends)}"
