"""The two ways to the same source that the bench compares: Crossroads, and a bare proxy."""

import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, cast

import grpc.aio

from crossroads.institution.v1 import source_service_pb2
from crossroads.institution.v1.source_service_pb2_grpc import SourceServiceStub
from crossroads.routing.v1 import routing_service_pb2
from crossroads.routing.v1.routing_service_pb2_grpc import RoutingServiceStub
from crossroads.sector.employment.v1.employment_pb2 import EmploymentPeriodsQuestion
from services.cli.bench.cpu import family_seconds, own_seconds
from services.cli.bench.load import Round, drive, percentile
from services.cli.demo import ASKER, PURPOSE, SERVICE
from services.cli.demo.sources import endpoint, port_name
from services.cli.platform import ports, status
from services.cli.platform.enrolment import DOMAIN, service_names
from services.cli.platform.home import Home, write_secret
from services.runtime.issuing import key_and_request
from services.runtime.vaultsession import Session

SOURCE = "onss/dmfa"
QUESTION = EmploymentPeriodsQuestion(from_quarter="2026/1").SerializeToString()
"""The last three quarters of the population: an answer of some hundred octets."""
ENDS = ("caller", "sources")
"""How the processes at both ends are named."""
TIMEOUT = 20.0
RESTING = 0.35
"""Seconds of processor time in a second that all processes together take when nobody asks."""


@dataclass
class Way:
    """One way to the source: how it is called, and whose processor time it takes."""

    name: str
    call: Callable[[], Awaitable[object]]
    processes: Callable[[], dict[str, int]]
    rounds: dict[int, list[Round]] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    async def run(self, concurrency: int, seconds: float) -> None:
        """One round; at 64 the processor time is counted."""
        pids = self.processes()
        before = {name: seconds_used(name, pid) for name, pid in pids.items()}
        done = await drive(self.call, concurrency=concurrency, seconds=seconds)
        self.rounds.setdefault(concurrency, []).append(done)
        if concurrency > 1:
            for name, pid in pids.items():
                used = seconds_used(name, pid) - before[name]
                self.cpu[name] = self.cpu.get(name, 0.0) + used

    def per_second(self, concurrency: int) -> float:
        """Calls answered per second: the median of the rounds."""
        return statistics.median(each.per_second for each in self.rounds[concurrency])

    def milliseconds(self, concurrency: int, share: float) -> float:
        """The quantile of all calls."""
        every = [one for each in self.rounds[concurrency] for one in each.durations]
        return percentile(every, share) * 1000

    def cpu_per_call(self) -> dict[str, float]:
        """Milliseconds of processor time for each call, by process."""
        calls = sum(len(each.durations) for count, each in self._many() if count > 1)
        return {name: used * 1000 / calls for name, used in self.cpu.items()}

    def _many(self) -> list[tuple[int, Round]]:
        return [(count, each) for count, rounds in self.rounds.items() for each in rounds]


def seconds_used(name: str, pid: int) -> float:
    """Processor time so far; PostgreSQL has a process for each connection."""
    return family_seconds(pid) if name == "postgres" else own_seconds(pid)


async def whole(home: Home, subjects: list[str], stack: AsyncExitStack) -> Way:
    """(b): Crossroads, as an institution calls it."""
    folder = home.institutions / ASKER.replace("/", ".")
    trust = (home.authorities / "services.pem").read_bytes()
    key, chain = (folder / "key.pem").read_bytes(), (folder / "cert.pem").read_bytes()
    port = ports.known(home)["routing"]
    channel = open_channel(port, f"routing.{DOMAIN}", trust, key, chain)
    stack.push_async_callback(channel.close)
    stub = cast("Any", RoutingServiceStub)(channel)
    asked, number = cycle(subjects), iter(range(1 << 60))

    async def call() -> object:
        request = routing_service_pb2.ExchangeRequest(
            request_id=f"bench-{next(number)}",
            service=SERVICE,
            version=1,
            subject=next(asked),
            purpose=PURPOSE,
            question=QUESTION,
        )
        return await stub.Exchange(request, timeout=TIMEOUT)

    return Way("Crossroads", call, lambda: _processes(home))


async def bare(home: Home, subjects: list[str], stack: AsyncExitStack) -> Way:
    """(a): a bare proxy that stands where routing stands, with a certificate of that name."""
    key, chain = await asyncio.to_thread(certificate_of_routing, home)
    services = (home.authorities / "services.pem").read_text()
    institutions = (home.authorities / "institutions.pem").read_text()
    config = home.secrets / "bench" / "proxy.json"
    content = {
        "key": key.decode(),
        "chain": chain.decode(),
        "caller_ca": services,
        "source_ca": institutions,
        "target": endpoint(SOURCE, ports.known(home)),
        "name": f"{port_name(SOURCE)}.{DOMAIN}",
    }
    write_secret(config, json.dumps(content))
    port, pid = await _start_proxy(str(config), stack)
    channel = open_channel(port, f"routing.{DOMAIN}", services.encode(), key, chain)
    stack.push_async_callback(channel.close)
    stub = cast("Any", SourceServiceStub)(channel)
    asked = cycle(subjects)

    async def call() -> object:
        request = source_service_pb2.AnswerRequest(
            exchange_id=bytes(16),
            service=SERVICE,
            version=1,
            subject=next(asked),
            question=QUESTION,
        )
        return await stub.Answer(request, timeout=TIMEOUT)

    return Way("bare proxy", call, lambda: {"proxy": pid} | _ends(home))


async def settled(home: Home, seconds: float = 60.0) -> None:
    """Wait until the platform rests: what its enrolment left to do is not an exchange's cost."""
    deadline, before = time.monotonic() + seconds, math.inf
    while time.monotonic() < deadline:
        used = sum(seconds_used(name, pid) for name, pid in _processes(home).items())
        if before < math.inf and used - before < RESTING:
            return
        before = used
        await asyncio.sleep(1.0)


def _processes(home: Home) -> dict[str, int]:
    """Everything that runs for an exchange, by name."""
    known = status.read(home).processes
    return {name: each.pid for name, each in known.items()} | _ends(home)


def _ends(home: Home) -> dict[str, int]:
    """Who asks and who answers: the same in both ways."""
    known = status.read(home).processes
    ends = {name: each.pid for name, each in known.items() if name.startswith(ENDS[1])}
    return {ENDS[0]: os.getpid()} | ends


async def _start_proxy(config: str, stack: AsyncExitStack) -> tuple[int, int]:
    """Start the proxy; its port and its process id."""
    module = "services.cli.bench.proxy"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, config, stdout=subprocess.PIPE
    )

    async def end() -> None:
        process.terminate()
        await process.wait()

    stack.push_async_callback(end)
    assert process.stdout is not None
    return int(await process.stdout.readline()), process.pid


def certificate_of_routing(home: Home) -> tuple[bytes, bytes]:
    """A certificate of the name "routing", by routing's own login: the source takes no other."""
    uri, dns = service_names("routing")
    address = f"https://{ports.LOOPBACK}:{ports.known(home)['openbao']}"
    session = Session(address=address, ca_file=str(home.vault_ca))
    try:
        folder = home.secrets / "routing"
        session.login((folder / "role_id").read_text(), (folder / "secret_id").read_text())
        key, request = key_and_request(dns)
        body = {"csr": request.decode(), "common_name": dns, "alt_names": dns, "uri_sans": uri}
        data = session.request("POST", "pki-services/sign/routing", body)["data"]
    finally:
        session.close()
    return key, f"{data['certificate'].strip()}\n{data['issuing_ca'].strip()}\n".encode()


def open_channel(port: int, name: str, trust: bytes, key: bytes, chain: bytes) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(
        f"{ports.LOOPBACK}:{port}",
        grpc.ssl_channel_credentials(trust, key, chain),
        options=[("grpc.ssl_target_name_override", name)],
    )
