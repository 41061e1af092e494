"""Every service that acts, on one log that a test can let refuse.

Contract: `doing(postgres, folder)` starts registry, authorization, identity, routing and logging's
evidence, each with its own tables; who may call them stands in tables of the network's. `deed` does
something with the log refusing (it must be refused, and nothing changed) and then with it taking
entries (it must be done, and an entry must say so).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from crossroads.identity.v1 import identity_service_pb2_grpc as identity_grpc
from crossroads.logging.v1 import evidence_service_pb2 as evidence
from crossroads.logging.v1 import evidence_service_pb2_grpc as evidence_grpc
from crossroads.registry.v1 import registry_service_pb2_grpc as registry_grpc
from crossroads.routing.v1 import reference_directory_service_pb2_grpc as directory_grpc
from services.logging.store import LogStore
from services.registry.__main__ import start as start_registry
from services.registry.config import Config
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Database
from services.runtime.server import Server
from tests.support.authority import Authority, register
from tests.support.evidence import PrivateLog
from tests.support.key_store import BCSS, RN
from tests.support.logs import ORIGIN
from tests.support.neighbours import TestRuntime
from tests.support.network_rows import application, institution
from tests.support.platform import Postgres
from tests.support.registers import RegisterNetwork

INDEXES = ("term_entry", "term_index")
"""What logging makes of entries after the fact; no act."""


class Doers(Authority, RegisterNetwork):  # type: ignore[misc] # `current` is asked of neither
    """Everybody who acts."""

    log: PrivateLog
    registry_at: str
    evidence_at: str

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.done: dict[str, str] = {}
        """What was done by `deed`, and what the log calls it."""
        self.databases: dict[str, Database] = {}

    async def database(self, owner: str, package: str | None = None) -> Database:
        """As in every network, and remembered."""
        self.databases[owner] = made = await super().database(owner, package)
        return made

    async def start_registry(self) -> None:
        """The real one; callers of the other services are judged by the network's tables."""
        config = Config(runtime=self.process("registry"))
        runtime = TestRuntime(
            database=await self.database("registry"),
            safe=self.safe,
            config=config.runtime,
            package="services.registry",
        )
        await runtime.open()
        self.stack.push_async_callback(runtime.close)
        await start_registry(config, runtime)
        self.registry_at = await runtime.server.start()
        self.stack.push_async_callback(runtime.server.stop, 0)

    async def start_evidence(self) -> None:
        """Logging's EvidenceService, beside the door of all others."""
        server = Server(
            certificates=self.certificates(self.pki.service("logging")), issuers=self.pki.issuers
        )
        directory: Any = self.identity.server.directory  # of the network's table
        server.directory = directory
        server.add(
            evidence_grpc.add_EvidenceServiceServicer_to_server,
            self.log.side.servicer(directory),
            evidence.DESCRIPTOR.services_by_name["EvidenceService"],
        )
        self.evidence_at = await server.start()
        self.stack.push_async_callback(server.stop, 0)

    async def registrar(self, name: str) -> Any:
        """A stub of registry for a person, or for the command of the genesis."""
        leaf = self.pki.service(name) if name == "genesis" else self.pki.person(name)
        channel: Any = await self.channel(leaf, "registry", at=self.registry_at)
        return registry_grpc.RegistryServiceStub(channel)

    async def auditor(self, name: str) -> Any:
        """A stub of logging's evidence for a person."""
        channel: Any = await self.channel(self.pki.person(name), "logging", at=self.evidence_at)
        return evidence_grpc.EvidenceServiceStub(channel)

    async def declarer(self, name: str) -> Any:
        """A stub of the reference directory for an institution's application."""
        channel: Any = await self.channel(self.pki.institution(*name.split("/")), "routing")
        return directory_grpc.ReferenceDirectoryServiceStub(channel)

    async def registerer(self, name: str) -> Any:
        """A stub of identity for an institution's application."""
        channel: Any = await self.channel(self.pki.institution(*name.split("/")), "identity")
        return identity_grpc.IdentityServiceStub(channel)

    async def deed(self, what: str, act: str, do: Callable[[], Awaitable[Any]]) -> Any:
        """Do it without the log, then with it; what it gave. `what`: "Service.Method"."""
        before = await self.everything()
        self.log.checkpoints.copied = False  # one of the reasons for which the log refuses
        try:
            with pytest.raises(CrossroadsError) as refused:
                await do()
        finally:
            self.log.checkpoints.copied = True
        assert refused.value.reason is Reason.LOG_UNAVAILABLE, f"{what}: {refused.value}"
        assert refused.value.retryable, what
        assert await self.everything() == before, f"{what}: changed something without the log"
        size = self.log.sequencer.size
        given = await do()
        records = await self.log.evidence.records(range(size, self.log.sequencer.size))
        assert act in [each.act for each in records], f"{what}: the log has {records}"
        self.done[what] = act
        return given

    async def everything(self) -> dict[str, list[str]]:
        """All rows of all services, and the names of the keys of months."""
        rows = {"keys": sorted(each for each in self.safe.data_keys if "hold" not in each)}
        for owner, database in self.databases.items():
            async with database.connection() as conn:
                names = await conn.execute(
                    "SELECT table_name FROM information_schema.tables"
                    " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
                )
                for (name,) in await names.fetchall():
                    if name not in INDEXES:
                        # A hold or deferral that no entry says is not in force.
                        only = " WHERE index >= 0" if name in ("hold", "deferral") else ""
                        found = await conn.execute(f"SELECT t::text FROM {name} t{only}".encode())
                        rows[f"{owner}.{name}"] = sorted(row[0] for row in await found.fetchall())
        return rows


@asynccontextmanager
async def doing(postgres: Postgres, folder: Path) -> AsyncIterator[Doers]:
    """All of them, on a log without an entry."""
    network = Doers({"": postgres}, folder)
    async with network.stack:
        await network.start_owners()
        network.logging_database = await network.database("logging", "services.logging")
        store = await LogStore.open(network.logging_database, ORIGIN)
        network.log = PrivateLog(store, safe=network.safe)
        await network.stack.enter_async_context(network.log.running())
        await network.start_logging()
        await register(network)
        await network.owners.publish(
            "directory",
            *(institution(name.partition("/")[0]) for name in (RN, BCSS)),
            *(application(*name.split("/")) for name in (RN, BCSS)),
        )
        await network.start_registry()
        await network.start_routing()
        await network.start_identity()
        await network.start_authorization()
        await network.start_evidence()
        yield network
        await network.stop_routing()
        assert [*network.identity.deaths, *network.authority.deaths] == []
