"""A watched table served over real gRPC, and subscribers to it.

The stream is authorization's WatchGrants, for want of a method that belongs to no service. Run as
a module (`python -m tests.support.watching HOST:PORT`) this is a subscriber in a process of its
own that prints a line for each decision that its lease permits.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from crossroads.authorization.v1 import authorization_service_pb2 as pb
from crossroads.authorization.v1 import authorization_service_pb2_grpc as pb_grpc
from services.runtime.clock import SystemClock
from services.runtime.watch.owner import Table
from services.runtime.watch.replica import Replica, watching


class Gate:
    """What the owner sends passes here, and waits while it is shut."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.passed = self.waiting = 0

    def shut(self) -> None:
        """Nothing passes from now on."""
        self._open.clear()

    def open(self) -> None:
        """Everything passes again."""
        self._open.set()

    async def passing(self) -> None:
        """Wait here with what is to be sent."""
        self.waiting += 1
        await self._open.wait()
        self.waiting -= 1
        self.passed += 1


class _Servicer(pb_grpc.AuthorizationServiceServicer):
    def __init__(self, table: Table, gate: Gate) -> None:
        self._table = table
        self._gate = gate

    async def WatchGrants(
        self, request_iterator: AsyncIterator[pb.WatchGrantsRequest], context: Any
    ) -> AsyncIterator[pb.WatchGrantsResponse]:
        async for response in self._table.respond(
            request_iterator, pb.WatchGrantsResponse, subscriber="service/routing"
        ):
            await self._gate.passing()
            yield response


@asynccontextmanager
async def served(
    table: Table, gate: Gate | None = None, address: str = "127.0.0.1:0"
) -> AsyncIterator[str]:
    """A server for `table`; gives its address."""
    server = grpc.aio.server()
    servicer = _Servicer(table, gate or Gate())  # type: ignore[abstract]
    pb_grpc.add_AuthorizationServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def subscribed(
    target: str, decode: Callable[[str, bytes], Any] = lambda _, value: value, **options: Any
) -> AsyncIterator[Replica[Any]]:
    """A running replica of what is served at `target`; it may not be ready yet."""
    patience = [
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 200),
    ]
    async with grpc.aio.insecure_channel(target, options=patience) as channel:
        stub = pb_grpc.AuthorizationServiceStub(channel)
        replica = Replica(
            name="grants",
            connect=watching(stub.WatchGrants, pb.WatchGrantsRequest),
            decode=decode,
            clock=SystemClock(),
            **options,
        )
        task = asyncio.create_task(replica.run())
        try:
            yield replica
        finally:
            task.cancel()
            await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def free_address() -> str:
    """Where a server can be started, and again after it has ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Wait for that; TimeoutError if it does not come."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - many things are waited for
            await asyncio.sleep(0.005)


async def decide(target: str) -> None:
    """Decide as often as possible, and say on what."""
    async with subscribed(target) as replica:
        while True:
            if replica.lease_holds():
                print(replica.version, replica.get("grant") is not None, flush=True)  # noqa: T201
            await asyncio.sleep(0.002)


if __name__ == "__main__":
    asyncio.run(decide(sys.argv[1]))
