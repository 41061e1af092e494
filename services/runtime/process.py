"""A service as a process: from its configuration to its end.

Contract: `run(Config, start)` is the whole of a service's main. `Config` is a frozen dataclass with
a field `runtime: RuntimeConfig`; `start(config, runtime)` wires the service and returns; then the
server listens. SIGTERM drains: health says NOT_SERVING, a pause for balancers, calls under way get
their grace, telemetry is flushed; what hangs in all that is cut off by SIGALRM. A background task
that dies ends the process with the reason.
Where `Config` is `Placed`, the configuration must say where each service is that this one calls,
and no other can be called.

Exit codes: 0 stopped as told, 70 failed (the last log line says why), 78 configuration refused.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import math
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from services.runtime import logs
from services.runtime.config import ConfigError, Placed, RuntimeConfig, load
from services.runtime.health import HealthServer
from services.runtime.server import Server
from services.runtime.tasks import TaskDiedError
from services.runtime.wiring import Runtime

__all__ = ["Runtime", "run"]

ENDING_SECONDS = 10
"""How long the end may take beyond the pause and the grace: then SIGALRM is the end."""

EXIT_FAILED = 70
EXIT_CONFIG = 78

_logger = logging.getLogger(__name__)


class Configured(Protocol):
    """The configuration of a service."""

    @property
    def runtime(self) -> RuntimeConfig:
        """What every process needs."""
        ...


C = TypeVar("C", bound=Configured)
Start = Callable[[C, Runtime], Awaitable[None]]


def run(config_class: type[C], start: Start[C]) -> None:
    """Be the service, until told to stop; ends the process."""
    arguments = _parser(config_class).parse_args()
    try:
        config = load(config_class, Path(arguments.config))
        _check_calls(config_class, config.runtime)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201 - for who wrote the file
        sys.exit(EXIT_CONFIG)
    if arguments.check_config:
        print(f"{arguments.config}: good")  # noqa: T201
        sys.exit(0)
    logs.install(service=config.runtime.name, level=config.runtime.log_level)
    package = config_class.__module__.rpartition(".")[0]
    task = _migrate(config, package) if arguments.migrate else _live(config, start, package)
    sys.exit(_ran(task))


def _ran(task: Coroutine[Any, Any, int]) -> int:
    """What `task` gives, on the event loop of the house."""
    import uvloop  # noqa: PLC0415 - not for --check-config

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(task)
    logging.shutdown()
    return code


def calls_of(config_class: type[Any]) -> tuple[str, ...] | None:
    """The services that a service calls; None where its configuration does not say."""
    return config_class.calls if issubclass(config_class, Placed) else None


def _check_calls(config_class: type[Any], config: RuntimeConfig) -> None:
    missing = [name for name in calls_of(config_class) or () if name not in config.peers]
    if missing:
        raise ConfigError(
            [f"runtime.peers.{each}: missing; give its host:port" for each in missing]
        )


def _parser(config_class: type[Any]) -> argparse.ArgumentParser:
    module = config_class.__module__.rpartition(".")[0]
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--config", required=True, metavar="FILE", help="TOML")
    parser.add_argument("--check-config", action="store_true", help="say what is wrong, and end")
    parser.add_argument("--migrate", action="store_true", help="bring the database up, and end")
    return parser


async def _migrate(config: Configured, package: str) -> int:
    """Apply the migrations that the database has not, without serving; the exit code."""
    runtime = Runtime(config=config.runtime, package=package, on_death=_logger.critical)
    try:
        await runtime.open_vault()
        await runtime.database()
    except Exception:
        _logger.critical("could not migrate; ending", exc_info=True)
        return EXIT_FAILED
    finally:
        await runtime.close()
    _logger.info("migrated")
    return 0


async def _live(config: C, start: Start[C], package: str) -> int:
    """Start, serve, drain; the exit code."""
    told, died = asyncio.Event(), asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, told.set)

    def on_death(error: TaskDiedError) -> None:
        if not died.done():
            died.set_result(error)

    runtime = Runtime(
        config=config.runtime, package=package, on_death=on_death, calls=calls_of(type(config))
    )
    health = HealthServer(health=runtime.health, listen=config.runtime.health_listen)
    serving = asyncio.create_task(_serve(config, start, runtime, health))
    code = 0
    try:
        await asyncio.wait(
            {serving, died, stop := asyncio.create_task(told.wait())},
            return_when=asyncio.FIRST_COMPLETED,
        )
        if serving.done() and serving.exception() is None:
            await asyncio.wait({died, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        code = _outcome(serving, died)
    finally:
        await _drain(runtime, health, serving, pause=code == 0)
    _logger.info("stopped", extra={"exit_code": code})
    return code


def _outcome(serving: "asyncio.Task[None]", died: "asyncio.Future[TaskDiedError]") -> int:
    """The exit code, and the line that says why."""
    if died.done():
        error = died.result()
        _logger.critical("%s; ending", error, exc_info=error.__cause__)
        return EXIT_FAILED
    if serving.done() and (failure := serving.exception()) is not None:
        _logger.critical("could not start; ending", exc_info=failure)
        return EXIT_FAILED
    return 0


async def _serve(config: C, start: Start[C], runtime: Runtime, health: HealthServer) -> None:
    """Open what the service needs, wire it, listen, say so."""
    health_address = await health.start()
    await runtime.open()
    await start(config, runtime)
    # A process of sources has servers of its own, each with its own certificate.
    address = await runtime.server.start() if runtime.server.serves else ""
    # What start-up made stays: the collector need not look through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    runtime.health.serving = True
    _publish(config.runtime, address, health_address)
    _logger.info("serving", extra={"address": address, "health": health_address})


async def _drain(
    runtime: Runtime, health: HealthServer, serving: "asyncio.Task[None]", *, pause: bool
) -> None:
    """Stop in the order that loses no call."""
    # A process that was told to end, or has failed, must not stay because one part of it hangs.
    signal.alarm(
        ENDING_SECONDS + math.ceil(runtime.config.drain_seconds + runtime.config.grace_seconds)
    )
    was_serving, runtime.health.serving = runtime.health.serving, False
    with contextlib.suppress(OSError):
        _published(runtime.config).unlink(missing_ok=True)
    if not serving.done():
        serving.cancel()
        await asyncio.wait({serving})
    if was_serving and pause:
        _logger.info("draining")
        await asyncio.sleep(runtime.config.drain_seconds)
    server: Server | None = runtime.opened_server
    if server is not None:
        await server.stop(runtime.config.grace_seconds if pause else 0.5)
    await runtime.close()
    await health.stop()


def _published(config: RuntimeConfig) -> Path:
    return Path(config.run_dir or os.devnull) / f"{config.name}.json"


def _publish(config: RuntimeConfig, address: str, health: str) -> None:
    """Write where this process answers, in one step: a reader sees all of it or nothing."""
    if not config.run_dir:
        return
    path = _published(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    content = {
        "name": config.name,
        "pid": os.getpid(),
        "address": address,
        "health": health,
        "started_at": started,
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content) + "\n", "utf-8")
    temporary.replace(path)
