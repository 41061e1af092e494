"""System calls that fail, in processes that run: faults put in by strace.

Contract: while `failing` lasts, each thread of the processes sees its `when`-th such call fail
once, those that it starts meanwhile too. Where strace is missing or may not trace, the test is
skipped with the reason.
"""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.log_processes import until

ATTACH_SECONDS = 10.0


class Fault(NamedTuple):
    """A call and the error that it gives: Fault("fsync", "EIO"). `paths`: only on these files."""

    call: str
    error: str
    when: int = 1
    paths: Sequence[str] = ()


class Injected:
    """What strace noted."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    @property
    def count(self) -> int:
        """How many calls were made to fail."""
        try:
            return self._notes.read_text(errors="replace").count("(INJECTED)")
        except FileNotFoundError:  # not attached yet
            return 0


def require_strace() -> None:
    """Skip the test where no fault can be put in."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace (apt-get install strace)")
    tried = subprocess.run(
        ["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")


@asynccontextmanager
async def failing(fault: Fault, pids: Iterable[int], notes: Path) -> AsyncIterator[Injected]:
    """Let it fail in these processes, which go on untraced afterwards. `notes`: a file to write."""
    wanted = [*pids]
    inject = f"inject={fault.call}:error={fault.error}:when={fault.when}"
    command = ["strace", "-f", "-qq", "-o", str(notes), "-e", f"trace={fault.call}", "-e", inject]
    command += [f"--trace-path={path}" for path in fault.paths]
    command += [f"--attach={pid}" for pid in wanted]
    strace = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    assert strace.stderr is not None
    try:
        await until(
            lambda: all(_is_traced(pid) for pid in wanted), ATTACH_SECONDS, lambda: f"{command}"
        )
        yield Injected(notes)
    finally:
        if strace.returncode is None:
            strace.send_signal(signal.SIGINT)
        await strace.communicate()


def _is_traced(pid: int) -> bool:
    """Whether every thread is; a process that is gone needs no more."""
    try:
        threads = [*Path(f"/proc/{pid}/task").iterdir()]
        return all("TracerPid:\t0\n" not in (each / "status").read_text() for each in threads)
    except (FileNotFoundError, ProcessLookupError):
        return True
