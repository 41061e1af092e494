"""One platform on this machine, as commands see it: up, down, status.

Contract: `up` leaves a supervisor running in the background and returns when every process serves;
called again it adds what is new and returns at once. `down` ends this home's processes and no
others. Both raise PlatformError with what to do.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from services.cli.platform import plan, processes, status
from services.cli.platform.home import Home, PlatformError
from services.cli.platform.plan import ProcessSpec
from services.cli.platform.status import State, Status
from services.cli.platform.sweeping import sweep

UP_SECONDS, DOWN_SECONDS, POLL_SECONDS = 120.0, 60.0, 0.05
Progress = Callable[[Status], None]


class Platform:
    """The platform of one home."""

    @staticmethod
    async def up(
        home: Home,
        *,
        processes: Sequence[ProcessSpec] = (),
        applications: Sequence[tuple[str, str]] = (),
        persons: Sequence[str] = (),
        progress: Progress = lambda _: None,
        seconds: float = UP_SECONDS,
    ) -> Status:
        """Start the platform, or add to the one that runs; wait until everything serves.

        `processes` come beside the services, from now on at each start. For `applications`
        (institution, application) and `persons` key and certificate are kept in the home.
        `progress` is told each new status.
        """
        home.make()
        before = plan.load(home)
        wanted = before.with_more(tuple(processes), tuple(applications), tuple(persons))
        if wanted is not before:
            plan.save(home, wanted)
        running = status.supervisor(home)
        child = None
        if running is None:
            status.forget(home)
            child = _start_supervisor(home)
        elif wanted is not before:
            os.kill(running.pid, signal.SIGHUP)
        return await _wait(home, wanted.revision, child, progress, seconds)

    @staticmethod
    async def down(home: Home) -> bool:
        """Stop everything that this home runs; False when nothing ran."""
        running = status.supervisor(home)
        if running is not None:
            await asyncio.to_thread(processes.end, running, seconds=DOWN_SECONDS)
        left = await asyncio.to_thread(sweep, home) if home.run.exists() else False
        return running is not None or left

    @staticmethod
    async def status(home: Home) -> Status:
        """What runs now."""
        return status.read(home)


def require_running(home: Home) -> None:
    """Raise PlatformError, with what starts it, unless this home's platform runs.

    A home that was never `up`, and yet has addresses, leads to what somebody else started.
    """
    led = home.ports.exists() and not plan.kept(home)
    if status.supervisor(home) is None and not led:
        raise PlatformError(
            f"no platform runs in {home.path}; start it with `crossroads up --demo`, or name "
            "another directory by CROSSROADS_HOME"
        )


def _start_supervisor(home: Home) -> "subprocess.Popen[bytes]":
    """A process of its own session: it outlives this command and its terminal."""
    with (home.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "services.cli.platform.supervisor", str(home.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


async def _wait(
    home: Home,
    revision: int,
    child: "subprocess.Popen[bytes] | None",
    progress: Progress,
    seconds: float,
) -> Status:
    """Until everything of `revision` serves. Raises PlatformError when it can't, or in time."""
    deadline = time.monotonic() + seconds
    told: Status | None = None
    while time.monotonic() < deadline:
        ended = child is not None and child.poll() is not None
        now = status.read(home)
        if now != told:
            progress(now)
            told = now
        if now.state is State.FAILED:
            if child is not None:
                await asyncio.to_thread(child.wait)  # it has said why, and ends
            raise PlatformError(now.message)
        if now.state is State.SERVING and now.revision >= revision:
            if child is not None:
                child.returncode = 0  # it goes on without us: no warning that it still runs
            return now
        if ended and status.supervisor(home) is None:
            raise PlatformError(f"the supervisor ended; see {home.logs / 'supervisor.log'}")
        await asyncio.sleep(POLL_SECONDS)
    names = [] if told is None else told.processes.items()
    late = [name for name, each in names if each.state is not State.SERVING]
    raise PlatformError(
        f"not serving after {seconds:.0f} s: {', '.join(late) or 'the servers'}; see {home.logs}"
    )
