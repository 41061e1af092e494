"""Databases, by what CloudNativePG says of each: replicas, their lag, backups."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.cli.cluster.model import Area, Finding, Json, State, name_of

BACKUP = timedelta(hours=26)
"""One each night, and two hours for it to end."""
HEALTHY = "Cluster in healthy state"


def databases(state: State) -> Iterator[Finding]:
    """Every cluster of PostgreSQL in the namespace."""
    if state.databases is None:
        return
    if not state.databases:
        yield Finding(
            Area.DATABASES,
            state.namespace,
            "has no database",
            "apply infra/environments/…, or name the namespace of the databases",
        )
    for database in state.databases:
        for text, todo in (*_replicas(database), *_archive(database)):
            yield Finding(Area.DATABASES, name_of(database), text, todo)
    for store in state.stores or ():
        for text, todo in _backups(store, state):
            yield Finding(Area.DATABASES, name_of(store), text, todo)


def _replicas(database: Json) -> Iterator[tuple[str, str]]:
    """Instances that are not ready, behind, or of another timeline."""
    spec, status = database["spec"], database["status"]
    name = name_of(database)
    wanted, ready = int(spec.get("instances", 1)), int(status.get("readyInstances", 0))
    if ready < wanted:
        yield (
            f"{ready} of {wanted} instances are ready",
            f"kubectl cnpg status {name}: an instance that stays behind is made anew with "
            f"kubectl cnpg destroy {name} N",
        )
    if status.get("phase") != HEALTHY:
        reason = status.get("phaseReason") or status.get("phase") or "says nothing of itself"
        yield f"is not healthy: {reason}", f"kubectl cnpg status {name}"
    if status.get("currentPrimary") != status.get("targetPrimary"):
        yield (
            f"changes its primary, from {status.get('currentPrimary')} to "
            f"{status.get('targetPrimary')}",
            "wait for a minute; if it goes on, see kubectl cnpg status and infra/runbooks",
        )
    timelines = {
        each.get("timeLineID") for each in (status.get("instancesReportedState") or {}).values()
    }
    if len(timelines) > 1:
        yield (
            f"instances follow {len(timelines)} timelines: some lag behind a failover",
            f"make the one with the smaller timeline anew: kubectl cnpg destroy {name} N",
        )
    synchronous = spec.get("postgresql", {}).get("synchronous") or {}
    if wanted > 1 and synchronous.get("dataDurability", "required") != "required":
        yield (
            "answers before a second disk has it (dataDurability: preferred)",
            "apply infra/databases: what was acknowledged must outlive a zone",
        )
    if wanted > 1 and not synchronous:
        yield (
            "replicates asynchronously: a failover may lose what was acknowledged",
            "apply infra/databases, which has synchronous replication",
        )


def _archive(database: Json) -> Iterator[tuple[str, str]]:
    """The WAL archive, and how the last backup went."""
    status = database["status"]
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    archiving = conditions.get("ContinuousArchiving")
    if archiving is None or archiving["status"] != "True":
        why = (archiving or {}).get("message") or "it says nothing about it"
        yield (
            f"does not archive its WAL: {why}",
            "see that the object store answers and takes the credentials, before the volume fills",
        )
    backup = conditions.get("LastBackupSucceeded")
    if backup is not None and backup["status"] != "True":
        yield (
            f"the last backup failed: {backup.get('message', '')}",
            "kubectl get backups: read its error, then kubectl cnpg backup",
        )


def _backups(store: Json, state: State) -> Iterator[tuple[str, str]]:
    """What a backups' store holds of each server, by the Barman Cloud plug-in."""
    todo = "kubectl get scheduledbackups,backups: see why, then kubectl cnpg backup"
    windows = store.get("status", {}).get("serverRecoveryWindow") or {}
    if not windows:
        yield "holds no backup", todo
    for server, window in sorted(windows.items()):
        made = window.get("lastSuccessfulBackupTime")
        if not made:
            yield f"holds no good backup of {server}", todo
            continue
        age = state.now - datetime.fromisoformat(made)
        if age > BACKUP:
            hours = int(age.total_seconds() // 3600)
            yield f"the last backup of {server} is {hours} h old", todo
