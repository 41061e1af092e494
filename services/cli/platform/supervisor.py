"""The process that keeps a platform running: PostgreSQL, OpenBao, the services, the demo's sources.

Contract: `python -m services.cli.platform.supervisor HOME` starts what the home's plan names, tells
its state in run/status.json, keeps everything running until SIGTERM, then stops services first and
servers last. SIGHUP: read the plan again and start what is new in it. A second supervisor of the
same home ends at once.
"""

import asyncio
import fcntl
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from services.cli.otlp import OtlpReceiver
from services.cli.platform import openbao, plan, ports, processes, status
from services.cli.platform.bootstrap import Bootstrap
from services.cli.platform.configuration import service_config
from services.cli.platform.home import DATABASES, SERVICES, Home, PlatformError, write
from services.cli.platform.issuing import CertificateKeeper
from services.cli.platform.keeper import Keeper, Start, spawn
from services.cli.platform.openbao import OpenBaoServer
from services.cli.platform.plan import ProcessSpec
from services.cli.platform.postgres import PostgresServer
from services.cli.platform.status import State, Status
from services.cli.platform.sweeping import END_SECONDS, sweep

OWN_PORTS = (
    "openbao",
    "openbao-cluster",
    "otlp",
    "logging-tiles",
    *SERVICES,
    *(f"{name}-health" for name in SERVICES),
)

_logger = logging.getLogger(__name__)


class Supervisor:
    """Everything that one home runs."""

    def __init__(self, *, home: Home) -> None:
        self._home = home
        self._plan = plan.load(home)
        self._ports: dict[str, int] = {}
        self._state = State.STARTING
        self._keepers: dict[str, Keeper] = {}
        self._specs: dict[str, ProcessSpec] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._certificates: CertificateKeeper | None = None
        self._certified = asyncio.Event()
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self) -> None:
        """Start, keep, stop. Raises PlatformError when the servers can't be started."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        await asyncio.to_thread(sweep, self._home)
        self._ports = ports.claim(self._home, [*OWN_PORTS, *sorted(self._plan.ports())])
        self._tell()
        receiver = OtlpReceiver()
        try:
            await receiver.start(f"{ports.LOOPBACK}:{self._ports['otlp']}")
            await self._until_stopped(self._start())
            while not self._stop.is_set():
                self._follow_plan()
                await self._until_stopped(self._reload.wait())
                self._reload.clear()
        finally:
            self._state = State.STOPPING
            self._tell()
            await self._end()
            await receiver.stop()

    async def _until_stopped(self, work: Coroutine[Any, Any, object]) -> None:
        """`work`, or as much of it as there is time for before the order to stop."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        done, waiting = await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        if task in done:
            task.result()

    async def _start(self) -> None:
        """The two servers at the same time, then what Vault needs, then our services' turn."""
        postgres = PostgresServer(home=self._home)
        vault = OpenBaoServer(
            home=self._home,
            port=self._ports["openbao"],
            cluster_port=self._ports["openbao-cluster"],
        )

        def start_database() -> bool:
            postgres.start()
            return postgres.provision(DATABASES)

        # Both to their end, even when one fails: what still starts could not be stopped.
        database, vaulted = await asyncio.gather(
            asyncio.to_thread(start_database),
            asyncio.to_thread(vault.start),
            return_exceptions=True,
        )
        for outcome in (database, vaulted):
            if isinstance(outcome, BaseException):
                raise outcome
        fresh = database is True
        bootstrap = Bootstrap(home=self._home, openbao=vault, postgres=postgres)
        await asyncio.to_thread(bootstrap.apply, fresh_databases=fresh)
        self._certificates = CertificateKeeper(home=self._home, address=vault.address)
        for name, server in (("postgres", postgres), ("openbao", vault)):
            assert server.process is not None
            self._keep(name, _first(server.process, server.start))
        self._task("certificates", self._keep_certificates())

    def _follow_plan(self) -> None:
        """Start what the plan has and we have not; start anew what changed in it."""
        before, self._plan = self._plan, plan.load(self._home)
        if self._plan.revision != before.revision:
            self._state = State.STARTING
        self._ports = ports.add(self._home, sorted(self._plan.ports()))
        if self._certificates is not None:
            self._certified.clear()
            self._certificates.want(self._plan.applications, self._plan.persons)
        for name, spec in self._plan.specs.items():
            if self._specs.get(name) != spec:
                self._specs[name] = spec
                self._keep(
                    name,
                    partial(self._spawn, spec),
                    plan.fill(spec.health, self._home, self._ports),
                )
        self._tell()

    def _keep(self, name: str, start: Start, health: str = "") -> None:
        before = self._keepers.get(name)
        keeper = Keeper(home=self._home, name=name, start=start, changed=self._tell, health=health)
        self._keepers[name] = keeper

        async def keep() -> None:
            if before is not None:
                await before.end(END_SECONDS)
            await keeper.keep()

        self._task(name, keep())

    def _task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background; its failure, which nothing should cause, stops everything."""
        before = self._tasks.get(name)
        if before is not None:
            before.cancel()
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._died)
        self._tasks[name] = task

    def _died(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            _logger.error("a task of the supervisor failed", exc_info=task.exception())
            self._stop.set()

    async def _spawn(self, spec: ProcessSpec) -> "subprocess.Popen[bytes]":
        """Start a process of the plan when those that it needs are there."""
        for name in spec.depends_on:
            await self._keepers[name].serving.wait()
        if spec.name in SERVICES:
            config = service_config(self._home, spec.name, self._ports)
        else:
            await self._certified.wait()  # a source has its certificate from us
            config = plan.fill(spec.config, self._home, self._ports)
        if config:
            write(self._home.config / f"{spec.name}.toml", config)
        argv = [plan.fill(each, self._home, self._ports) for each in spec.argv]
        return spawn(self._home, spec.name, argv)

    async def _keep_certificates(self) -> None:
        assert self._certificates is not None
        await self._certificates.keep(self._certified)

    def _tell(self) -> None:
        """Write the state of the whole: STARTING until everything of this revision has served."""
        known = {name: keeper.status for name, keeper in self._keepers.items()}
        if self._state is not State.STOPPING:
            complete = {"postgres", "openbao", *self._plan.specs} <= set(known)
            serving = all(each.state is State.SERVING for each in known.values())
            if complete and serving:
                self._state = State.SERVING
            elif self._state is State.SERVING:
                self._state = State.NOT_SERVING
        status.save(self._home, Status(self._state, "", self._plan.revision, known))

    async def _end(self) -> None:
        """Services first, all at once, then the servers that they use."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await asyncio.gather(*(self._keepers[name].end(END_SECONDS) for name in self._specs))
        await asyncio.to_thread(openbao.stop, self._home)
        await asyncio.to_thread(PostgresServer(home=self._home).stop)


def _first(
    process: "subprocess.Popen[bytes]", start: Callable[[], "subprocess.Popen[bytes]"]
) -> Start:
    """A start that hands over the server that already runs, and later really starts it."""
    running = [process]

    async def begin() -> "subprocess.Popen[bytes]":
        return running.pop() if running else await asyncio.to_thread(start)

    return begin


def main() -> int:
    """Run the supervisor of the home in argv; 1 when it could not start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home = Home.find(sys.argv[1])
    home.make()
    with (home.run / "supervisor.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _logger.error("another supervisor runs in %s", home.path)  # noqa: TRY400
            return 1
        processes.record(home.pid_file("supervisor"), os.getpid())
        status.forget(home)
        try:
            asyncio.run(Supervisor(home=home).run())
        except PlatformError as error:
            status.save(home, Status(State.FAILED, str(error)))
            _logger.error("%s", error)  # noqa: TRY400 - says what to do
            return 1
        finally:
            with suppress(FileNotFoundError):
                home.pid_file("supervisor").unlink()
        status.forget(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
