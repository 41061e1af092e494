"""Who may look for an exchange, on logging as its process wires it; registry may be away."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from crossroads.logging.v1 import logging_service_pb2 as api
from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from crossroads.options.v1 import options_pb2 as options
from crossroads.registry.v1 import registry_service_pb2, registry_service_pb2_grpc
from services.logging.__main__ import start
from services.logging.config import Config
from services.proof.record import canonical_json
from services.runtime.errors import CrossroadsError, Reason
from tests.support.neighbours import TestRuntime
from tests.support.network import Network
from tests.support.network_rows import person
from tests.support.pki import Leaf
from tests.support.platform import Postgres

EXCHANGE = bytes(range(16))


class Logging(Network):
    """Logging, with registry and identity beside it."""

    async def start(self) -> None:
        """On an empty log."""
        config = Config(runtime=self.process("logging"))
        self.runtime = TestRuntime(
            database=await self.database("logging"),
            safe=self.safe,
            config=config.runtime,
            package="services.logging",
        )
        await self.runtime.open()
        self.stack.push_async_callback(self.runtime.close)
        await start(config, self.runtime)
        self.peers["logging"] = await self.runtime.server.start()
        self.stack.push_async_callback(self.runtime.server.stop, 0)

    async def start_registry(self) -> None:
        """Where it was before."""
        await self.serve(
            "registry",
            registry_service_pb2_grpc.add_RegistryServiceServicer_to_server,
            self.owners,
            registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
        )

    async def find(self, who: Leaf) -> list[int]:
        """The kinds of entries that somebody finds of the exchange."""
        channel: Any = await self.channel(who, "logging")
        stub: Any = LoggingServiceStub(channel)
        found = await stub.FindExchange(api.FindExchangeRequest(exchange_id=EXCHANGE))
        return [entry.kind for entry in found.entries]

    async def reason(self, who: Leaf) -> Reason | None:
        """Why somebody is refused, None for who is not."""
        try:
            await self.find(who)
        except CrossroadsError as error:
            return error.reason
        return None


@pytest.fixture
async def logging(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Logging]:
    """Started while registry is away."""
    network = Logging({"": postgres}, tmp_path)
    async with network.stack:
        await network.start_owners()
        await network.owners.publish(
            "directory",
            person("anna", options.ROLE_AUDITOR),
            person("agnes", options.ROLE_AGENT),
        )
        await network.services["registry"].stop(0)
        await network.start()
        yield network
        assert network.runtime.deaths == []


async def append(network: Logging) -> None:
    """A genesis, without which the log takes nothing else, and a refusal."""
    channel: Any = await network.channel(network.pki.service("registry"), "logging")
    stub: Any = LoggingServiceStub(channel)
    empty = canonical_json({})
    for kind, exchange_id in ((api.KIND_GENESIS, bytes(16)), (api.KIND_REFUSAL, EXCHANGE)):
        entry = api.Entry(
            exchange_id=exchange_id,
            kind=kind,
            attempt=1,
            nonce=bytes(8),
            party=empty,
            subject=empty,
            audit=empty,
        )
        await stub.Append(api.AppendRequest(entries=[entry]))


async def test_log_starts_and_serves_services_while_registry_is_away(logging: Logging) -> None:
    await append(logging)
    contact = logging.pki.service("contact")
    assert await logging.find(contact) == [api.KIND_REFUSAL]
    refused = await logging.reason(logging.pki.person("anna"))
    assert refused in {Reason.LEASE_EXPIRED, Reason.UNAVAILABLE}


async def test_once_registry_is_there_an_auditor_finds_and_nobody_else(logging: Logging) -> None:
    await append(logging)
    await logging.start_registry()
    anna = logging.pki.person("anna")
    await logging.until(lambda: bool(roles(logging)))
    assert await logging.find(anna) == [api.KIND_REFUSAL]
    for other in (
        logging.pki.person("agnes"),
        logging.pki.person("nobody"),
        logging.pki.institution("capac", "payments"),
        logging.pki.service("authorization"),
    ):
        assert await logging.reason(other) is Reason.CALLER_NOT_ALLOWED


def roles(network: Logging) -> frozenset[int]:
    directory = network.runtime.server.directory
    assert directory is not None
    return frozenset(directory.roles("anna"))
