"""Logs as processes: `python -m services.logging`, more than one on one database, and load on them.

Contract: `Instance` is one process, which a test kills, stops and continues. `Load` appends from
many callers to whichever instance serves, repeats until it is answered, and remembers every
acknowledgement. `Wire` stands between an instance and PostgreSQL's socket, and can be cut: nothing
passes any more, and neither side is told.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from crossroads.logging.v1 import logging_service_pb2 as api
from crossroads.logging.v1 import logging_service_pb2_grpc as api_grpc
from services.cli.platform.configuration import toml
from services.logging.model import EntryId
from services.proof.record import Kind, canonical_json
from services.runtime.certificates import Certificates
from services.runtime.channel import Channel
from services.runtime.config import DatabaseConfig
from services.runtime.errors import CrossroadsError
from services.runtime.vault import Vault
from tests.support.logs import SUBJECT
from tests.support.platform import OpenBao

SOCKET = ".s.PGSQL.5432"


class Instance:
    """One process of the log of `origin`. `folder` is its own; the copy of the checkpoint is the
    one file in its folder `copy`.
    """

    def __init__(
        self,
        *,
        openbao: OpenBao,
        origin: str,
        folder: Path,
        database: DatabaseConfig,
        port: int = 0,
    ) -> None:
        self.copy = folder / "copy" / "checkpoint"
        self.copy.parent.mkdir(parents=True)
        self.config = folder / "logging.toml"
        self.output = folder / "output"
        # An address of its own instead of a port, so that it is known before anything serves.
        self.health = f"127.{'.'.join(str(1 + secrets.randbelow(250)) for _ in range(3))}:18081"
        self._published = folder / "run" / "logging.json"
        self._process: asyncio.subprocess.Process | None = None
        # Nobody answers there: this log is used by services only, whom no directory lists.
        peers = dict.fromkeys(("registry", "identity"), "127.0.0.1:9")
        runtime = {
            "name": "logging",
            "run_dir": str(folder / "run"),
            "listen": f"127.0.0.1:{port}",
            "health_listen": self.health,
            "drain_seconds": 0.0,
            "vault": asdict(openbao.config("logging")),
            "trust": asdict(openbao.trust()),
            "database": asdict(database),
            "peers": peers,
        }
        log = {"origin": origin, "checkpoint_file": str(self.copy)}
        self.config.write_text(toml({**log, "runtime": cast("Any", runtime)}))

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def address(self) -> str:
        """Where it serves; "" while it does not."""
        return self._told("address")

    async def healthy(self, part: str = "") -> bool:
        """What its health says of a part; it serves."""
        async with grpc.aio.insecure_channel(self._told("health")) as channel:
            stub: Any = cast("Any", health_pb2_grpc.HealthStub)(channel)
            said = await stub.Check(health_pb2.HealthCheckRequest(service=part), timeout=5.0)
        return bool(said.status == health_pb2.HealthCheckResponse.SERVING)

    def _told(self, what: str) -> str:
        try:
            told = json.loads(self._published.read_text())
        except (OSError, ValueError):
            return ""
        return str(told[what]) if self.runs and told["pid"] == self.pid else ""

    async def start(self, *, stopped: bool = False) -> None:
        """Start the process; it serves, or stands by, some time later.

        `stopped`: before its first instruction, until SIGCONT.
        """
        wrapper = ("sh", "-c", 'kill -STOP $$; exec "$@"', "sh") if stopped else ()
        with self.output.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *wrapper,
                sys.executable,
                *("-m", "services.logging", "--config", str(self.config)),
                stdout=output,
                stderr=output,
                stdin=asyncio.subprocess.DEVNULL,
            )

    async def serving(self, seconds: float = 20.0) -> float:
        """Wait until it serves; how many seconds that took."""
        began = time.monotonic()
        await until(lambda: self.address, seconds, self.said)
        return time.monotonic() - began

    @property
    def stands_by(self) -> bool:
        """Whether this process waits for the log."""
        return self.runs and not self.address and "standing by" in self.log()

    def signal(self, number: int) -> None:
        """Send a signal, if the process runs."""
        if self.runs:
            os.kill(self.pid, number)

    async def ended(self, seconds: float = 10.0) -> int:
        """Wait for its end; its exit code (negative: the signal)."""
        assert self._process is not None
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def end(self) -> None:
        """Kill it, stopped or not."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    def said(self) -> str:
        """The last of what it logged."""
        return self.log()[-3000:]

    def log(self) -> str:
        """All that this process logged so far."""
        return self.output.read_text() if self.output.exists() else ""


async def until(true: Callable[[], object], seconds: float, why: Callable[[], str]) -> None:
    """Wait, at most so long, until something holds; `why` explains when it does not."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s\n{why()}"
        await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Acknowledged:
    """What a caller was told: from then on it holds for ever."""

    id: EntryId
    index: int
    leaf_hash: bytes


class Load:
    """Callers that append to whichever of the instances serves."""

    def __init__(self, *, instances: list[Instance], certificates: Certificates, trust: bytes):
        self._instances = instances
        self._certificates = certificates
        self._trust = trust
        self._channels: dict[str, Channel] = {}
        self.acknowledged: list[Acknowledged] = []
        self.refused = 0

    @asynccontextmanager
    async def running(self, callers: int = 8) -> AsyncIterator["Load"]:
        """Load for as long as the context lasts; at its end every entry is acknowledged."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._call(stop))
            try:
                yield self
            finally:
                stop.set()

    async def more(self, count: int, seconds: float = 20.0) -> float:
        """Wait for `count` further acknowledgements; how many seconds that took."""
        began, goal = time.monotonic(), len(self.acknowledged) + count
        await until(
            lambda: len(self.acknowledged) >= goal,
            seconds,
            lambda: "\n".join(each.said() for each in self._instances),
        )
        return time.monotonic() - began

    async def append(self, entry: api.Entry, address: str) -> api.Acknowledgement:
        """One entry to one instance, once. Raises CrossroadsError."""
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = Channel(
                target=address, name="logging", certificates=self._certificates, trust=self._trust
            )
        stub = cast("Any", api_grpc.LoggingServiceStub)(channel)
        request = api.AppendRequest(entries=[entry])
        (done,) = (await stub.Append(request, timeout=1.0)).acknowledgements
        return cast("api.Acknowledgement", done)

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            await channel.close()

    async def _call(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            entry = new_entry()
            done = await self._insist(entry)
            assert done.outcome == api.OUTCOME_APPENDED
            entry_id = EntryId(entry.exchange_id, entry.kind, entry.attempt)
            self.acknowledged.append(Acknowledged(entry_id, done.index, done.leaf_hash))

    async def _insist(self, entry: api.Entry) -> api.Acknowledgement:
        """The same entry, with its nonce, until it is acknowledged."""
        while True:
            for instance in self._instances:
                if address := instance.address:
                    try:
                        return await self.append(entry, address)
                    except CrossroadsError:
                        self.refused += 1
            await asyncio.sleep(0.02)


def new_entry() -> api.Entry:
    """A refusal of a new exchange."""
    exchange_id = os.urandom(16)
    return api.Entry(
        exchange_id=exchange_id,
        kind=api.KIND_REFUSAL,
        attempt=1,
        nonce=os.urandom(8),
        party=canonical_json({"exchange_id": exchange_id.hex(), "kind": int(Kind.REFUSAL)}),
        subject=canonical_json({"subject": SUBJECT}),
        audit=canonical_json({"versions": [1, 2]}),
        subject_key=SUBJECT,
    )


class VaultIssued:
    """A service's certificate from the real PKI."""

    def __init__(self, *, vault: Vault, service: str) -> None:
        self._vault = vault
        self._service = service

    async def issue(self) -> tuple[bytes, bytes, datetime]:
        """Key, chain, end."""
        issued = await self._vault.issue_certificate(
            "pki-services",
            self._service,
            uri=f"spiffe://crossroads/service/{self._service}",
            dns=f"{self._service}.crossroads.internal",
        )
        return issued.key_pem, issued.chain_pem, issued.not_after


class Wire:
    """Between an instance and the database: a socket of its own, which can be cut and mended."""

    def __init__(self, *, folder: Path, database: DatabaseConfig) -> None:
        self._behind = Path(database.host) / SOCKET
        self._folder = folder
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.database = replace(database, host=str(folder))

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Wire"]:
        """Hand on what comes."""
        self._folder.mkdir()
        server = await asyncio.start_unix_server(self._connect, self._folder / SOCKET)
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """From now on nothing passes; no side is told."""
        self._flowing.clear()

    def mend(self) -> None:
        """Go on, with what waited on the way."""
        self._flowing.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        back, forth = await asyncio.open_unix_connection(self._behind)
        ways = [
            asyncio.create_task(self._pass(reader, forth)),
            asyncio.create_task(self._pass(back, writer)),
        ]
        try:
            await asyncio.wait(ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._tasks.discard(task)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while octets := await source.read(65536):
                await self._flowing.wait()
                sink.write(octets)
                await sink.drain()
        await self._flowing.wait()
        sink.close()
        with suppress(ConnectionError):
            await sink.wait_closed()
