"""What the supervisor says of itself and its processes, in `run/status.json`.

Contract: written whole by the supervisor at each change, read by anybody. A status whose supervisor
no longer runs says nothing about the present: `read` then gives STOPPED.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from services.cli.platform import processes
from services.cli.platform.home import Home, write


class State(StrEnum):
    """Of a process, or of the whole."""

    STOPPED = "stopped"
    STARTING = "starting"
    SERVING = "serving"
    NOT_SERVING = "not serving"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"


@dataclass(frozen=True)
class ProcessStatus:
    """One process: how often it was started again, and since when (epoch) it is in its state."""

    state: State
    pid: int = 0
    restarts: int = 0
    since: float = 0.0
    address: str = ""


@dataclass(frozen=True)
class Status:
    """The whole: SERVING when every process of plan `revision` is. `message` says what failed."""

    state: State
    message: str = ""
    revision: int = 0
    processes: Mapping[str, ProcessStatus] = field(default_factory=dict)


def supervisor(home: Home) -> processes.Process | None:
    """The supervisor of this home, if it runs."""
    return processes.find(home.pid_file("supervisor"))


def read(home: Home) -> Status:
    """The status of this home's platform now."""
    try:
        content = json.loads(_file(home).read_text())
    except (OSError, ValueError):
        content = {"state": State.STARTING, "processes": {}}
    if supervisor(home) is None and content["state"] != State.FAILED:
        return Status(State.STOPPED)
    found = {
        name: ProcessStatus(**each | {"state": State(each["state"])})
        for name, each in content.pop("processes").items()
    }
    return Status(**content | {"state": State(content["state"]), "processes": found})


def save(home: Home, status: Status) -> None:
    """Tell everybody."""
    write(_file(home), json.dumps(asdict(status), indent=2))


def forget(home: Home) -> None:
    """Remove what an earlier supervisor said."""
    _file(home).unlink(missing_ok=True)


def _file(home: Home) -> Path:
    return home.run / "status.json"
