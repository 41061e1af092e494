"""Processes of one home: known by id and start time, so that a reused id is never signalled.

Contract: `record` writes `<name>.pid` beside the process's start time; `find` gives the process
back only while it is that very process; `end` asks it to stop and insists at the deadline; `buried`
waits until its parent has taken notice of its end.
"""

import json
import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.cli.platform.home import write

START_TIME_FIELD = 22  # proc_pid_stat(5): starttime, in clock ticks since boot


@dataclass(frozen=True)
class Process:
    """A process as it was started: its id, and when, in clock ticks since boot."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        return _stat(self.pid) == (self.started, True)


def identify(pid: int) -> Process | None:
    """The process that has this id now."""
    started, alive = _stat(pid)
    return Process(pid, started) if alive else None


def record(file: Path, pid: int) -> None:
    """Remember a process that was just started."""
    process = identify(pid)
    if process is not None:
        content = {"pid": process.pid, "started": process.started, "boot": _boot()}
        write(file, json.dumps(content))


def find(file: Path) -> Process | None:
    """The process that `record` remembered, if it still runs."""
    try:
        content = json.loads(file.read_text())
        process = Process(int(content["pid"]), int(content["started"]))
    except (OSError, ValueError, KeyError):
        return None
    return process if content.get("boot") == _boot() and process.alive else None


def buried(file: Path, *, seconds: float) -> bool:
    """Whether nothing is left of the process that `record` remembered, at most `seconds` from now.

    A zombie counts as left: whoever looks with kill(pid, 0), as PostgreSQL does before it takes
    over a lock file, takes it for alive until its parent (init, when that died too) has reaped it.
    """
    try:
        content = json.loads(file.read_text())
        pid, started = int(content["pid"]), int(content["started"])
    except (OSError, ValueError, KeyError):
        return True
    deadline = time.monotonic() + seconds
    while content.get("boot") == _boot() and _stat(pid)[0] == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # the end of a zombie can't be waited for by anybody but its parent
    return True


def end(process: Process, *, seconds: float, how: signal.Signals = signal.SIGTERM) -> bool:
    """Stop a process, by SIGKILL when it still runs after `seconds`. False when it had to be."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    # The descriptor holds on to one process: once that is found to be ours, no reuse of its id
    # can lead the signals astray.
    with suppress(ProcessLookupError), os.fdopen(descriptor, "rb", buffering=0):
        if not process.alive:
            return True
        signal.pidfd_send_signal(descriptor, how)
        if _gone(descriptor, process, seconds):
            return True
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        _gone(descriptor, process, 5)
        return False
    return True


def _gone(descriptor: int, process: Process, seconds: float) -> bool:
    """Whether the process ends in time. A pidfd becomes readable when its process has ended."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while process.alive:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        poll.poll(left * 1000)
    return True


def _stat(pid: int) -> tuple[int, bool]:
    """Start time and whether it runs, of whatever has this id."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0, False
    # The name, in brackets, may hold blanks and brackets: count from its end.
    fields = text.rpartition(")")[2].split()
    return int(fields[START_TIME_FIELD - 3]), fields[0] not in "ZX"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
