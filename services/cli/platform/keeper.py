"""Keeps one process running: starts it, watches its health, starts it again when it dies.

Contract: `keep` never returns; cancelled, it leaves the process to whoever cancels (`end` stops
it). A process that dies is started again at once, then after growing delays while it keeps dying.
"""

import asyncio
import logging
import os
import subprocess
import time
from collections.abc import Awaitable, Callable

import grpc
from grpc_health.v1 import health_pb2

from services.cli.platform import processes
from services.cli.platform.home import Home, PlatformError
from services.cli.platform.status import ProcessStatus, State

FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS = 0.1, 10.0, 30.0
POLL_STARTING, POLL_SERVING, CHECK_SECONDS = 0.1, 1.0, 1.0
CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.enable_http_proxy", 0),
]
Start = Callable[[], Awaitable["subprocess.Popen[bytes]"]]

_logger = logging.getLogger(__name__)


class Keeper:
    """One process. `start` starts it; without a `health` address it counts as SERVING then."""

    def __init__(
        self, *, home: Home, name: str, start: Start, changed: Callable[[], None], health: str = ""
    ) -> None:
        self._home = home
        self._name = name
        self._start = start
        self._changed = changed
        self._health = health
        self.status = ProcessStatus(State.STARTING, since=time.time())
        self.serving = asyncio.Event()

    async def keep(self) -> None:
        """Start, watch, start again."""
        delay = FIRST_DELAY
        while True:
            began = time.monotonic()
            try:
                process = await self._start()
            except (PlatformError, OSError) as error:
                _logger.error("%s: %s", self._name, error)  # noqa: TRY400 - says what to do
            else:
                code = await self._watch(process)
                _logger.error("%s ended with %s", self._name, code)
            if time.monotonic() - began > STEADY_SECONDS:
                delay = FIRST_DELAY
            self._mark(State.RESTARTING, restarted=True)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def end(self, seconds: float) -> None:
        """Stop the process (SIGTERM, SIGKILL after `seconds`)."""
        file = self._home.pid_file(self._name)
        process = processes.find(file)
        if process is not None:
            await asyncio.to_thread(processes.end, process, seconds=seconds)
        file.unlink(missing_ok=True)

    async def _watch(self, process: "subprocess.Popen[bytes]") -> int:
        """Follow the health of a process until it has ended; its exit code."""
        self._mark(State.STARTING if self._health else State.SERVING, pid=process.pid)
        follow = asyncio.create_task(self._follow()) if self._health else None
        try:
            return await exited(process)
        finally:
            if follow is not None:
                follow.cancel()
                await asyncio.gather(follow, return_exceptions=True)

    async def _follow(self) -> None:
        """Ask for the health again and again."""
        async with grpc.aio.insecure_channel(self._health, options=CHANNEL_OPTIONS) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            while True:
                try:
                    answer = await check(health_pb2.HealthCheckRequest(), timeout=CHECK_SECONDS)
                    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
                except grpc.RpcError:
                    serving = False
                if serving:
                    self._mark(State.SERVING)
                elif self.status.state is State.SERVING:
                    self._mark(State.NOT_SERVING)
                await asyncio.sleep(POLL_SERVING if serving else POLL_STARTING)

    def _mark(self, state: State, *, pid: int | None = None, restarted: bool = False) -> None:
        """A new state, told to the supervisor only when it is one."""
        before = self.status
        if state is before.state and pid is None and not restarted:
            return
        self.status = ProcessStatus(
            state=state,
            pid=before.pid if pid is None else pid,
            restarts=before.restarts + restarted,
            since=time.time(),
            address=before.address,
        )
        (self.serving.set if state is State.SERVING else self.serving.clear)()
        self._changed()


def spawn(home: Home, name: str, argv: list[str]) -> "subprocess.Popen[bytes]":
    """Start a process whose output goes to logs/<name>.log, and remember it."""
    environment = {key: value for key, value in os.environ.items() if key in PASSED_ON}
    with (home.logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    processes.record(home.pid_file(name), process.pid)
    return process


PASSED_ON = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
)
"""What a process gets of our environment. Nothing secret comes that way, and no proxy."""


async def exited(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end of a child without a thread: a pidfd becomes readable then."""
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(process.pid)
    ended = loop.create_future()

    def wake() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, wake)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()
