"""Routing with its neighbours, in the test's process: mTLS, PostgreSQL, log, tables, a source.

Contract: `running(postgres)` starts everything in the current event loop within a few seconds.
Authorization, identity and registry are stood in for by servers that own real watched tables and
nothing else; the log is the real one, its Transit in memory. CAPAC asks, the ONSS answers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.authorization.v1 import authorization_service_pb2_grpc as authorization_grpc
from crossroads.identity.v1 import identity_service_pb2 as identity
from crossroads.identity.v1 import identity_service_pb2_grpc as identity_grpc
from crossroads.logging.v1 import logging_service_pb2 as logging
from crossroads.logging.v1 import logging_service_pb2_grpc as logging_grpc
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1 import registry_service_pb2_grpc as registry_grpc
from crossroads.routing.v1 import reference_directory_service_pb2 as directory_api
from crossroads.routing.v1 import reference_directory_service_pb2_grpc as directory_grpc
from crossroads.routing.v1 import routing_service_pb2_grpc as routing_grpc
from services.institution.source import SourceServer
from services.logging.servicer import LoggingServicer
from services.logging.store import LogStore
from services.routing.__main__ import start as start_routing
from services.routing.config import Config
from services.runtime.certificates import Certificates
from services.runtime.channel import Channel
from services.runtime.clock import SystemClock
from services.runtime.config import CertificateConfig, RuntimeConfig, TrustConfig
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.migrations import migrate
from services.runtime.postgres import Database
from services.runtime.server import Server
from services.runtime.watch.migrations import WATCH_MIGRATION
from services.runtime.watch.owner import Table
from services.runtime.watch.rows import Change
from services.runtime.wiring import Runtime
from tests.support import exchange_schemas as schemas
from tests.support.logs import ORIGIN, Log, Safe
from tests.support.network_rows import (
    SERVICE,
    application,
    grant,
    institution,
    replacement,
    service,
)
from tests.support.pki import Leaf, Pki
from tests.support.platform import Postgres
from tests.support.watching import Gate

KNOWN = "85073003328"
STRANGER = "42012205181"
REPLACED = "98472899765"
EVERYBODY = frozenset({KNOWN, "17073003384"})
Answer: Any = schemas.message_class("Answer")
Handler = Callable[..., Awaitable[Any]]


class Issued:
    """Gives one certificate of the test's authority."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf

    async def issue(self) -> tuple[bytes, bytes, datetime]:
        return self._leaf.key_pem, self._leaf.chain_pem, self._leaf.not_after


class TestRuntime(Runtime):
    """The machinery of a process, with a database and a Vault of the test's."""

    __test__ = False

    def __init__(self, *, database: Database, **options: Any) -> None:
        super().__init__(on_death=self._died, **options)
        self._given = database
        self._safe = Safe()
        self.deaths: list[BaseException] = []

    def _died(self, error: BaseException) -> None:
        self.deaths.append(error)

    async def database(self) -> Database:
        await migrate(self._given, self.package)
        return self._given

    @property
    def vault(self) -> Any:
        return self._safe


class Owners(
    authorization_grpc.AuthorizationServiceServicer,
    registry_grpc.RegistryServiceServicer,
    identity_grpc.IdentityServiceServicer,
):
    """The watched tables of authorization, registry and identity. A shut `gate` says nothing."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.gate = Gate()
        self.known = set(EVERYBODY)
        self.tables = {
            name: Table(name=name, database=database, clock=SystemClock())
            for name in ("grants", "catalogue", "directory", "replacements")
        }

    async def publish(self, name: str, *rows: tuple[str, Any]) -> int:
        """Put rows (a message, or None to take one away) into a table; its version."""
        changes = [
            Change(key, None if row is None else row.SerializeToString()) for key, row in rows
        ]
        async with self.database.transaction() as conn:
            version = await self.tables[name].publish(conn, *changes)
        await self.tables[name].refresh()
        return version.version

    async def WatchGrants(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = authorization.WatchGrantsResponse
        async for each in self.tables["grants"].respond(requests, response):
            await self.gate.passing()
            yield each

    async def WatchDirectory(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = registry.WatchDirectoryResponse
        async for each in self.tables["directory"].respond(requests, response):
            yield each

    async def WatchCatalogue(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = registry.WatchCatalogueResponse
        async for each in self.tables["catalogue"].respond(requests, response):
            yield each

    async def WatchReplacements(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = identity.WatchReplacementsResponse
        async for each in self.tables["replacements"].respond(requests, response):
            yield each

    async def ResolveKeys(self, request: Any, context: Any) -> Any:
        keys = [
            identity.ResolvedKey(known=each in self.known, current_niss=each)
            for each in request.niss
        ]
        return identity.ResolveKeysResponse(keys=keys)


class Network:
    """Everything that `running` started."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self.postgres = postgres
        self.folder = folder
        self.pki = Pki()
        self.stack = AsyncExitStack()
        self.owners: Owners
        self.log: Log
        self.runtime: TestRuntime
        self.logging: Server
        self.logging_database: Database
        self.peers: dict[str, str] = {}
        self.routing_database = ""
        self.handler: Handler = self.employment
        self.questions = 0

    async def employment(self, question: Any, subject: str, start: str, until: str) -> Any:
        """What the ONSS says, unless a test replaces `handler`."""
        answer = {
            "person": {"insured": True, "language": "fr"},
            "employments": [
                {"employer": "0314595348", "start": "2020-01-01", "wage": {"amount": 3000}}
            ],
        }
        return json_format.ParseDict(answer, Answer())

    async def database(self, package: str | None) -> tuple[Database, str]:
        """A database of this network's own."""
        config, login = self.postgres.create()

        async def credentials() -> Any:
            return login

        database = await Database.open(config, credentials, SystemClock())
        self.stack.callback(self.postgres.drop, config.name)
        self.stack.push_async_callback(database.close)
        if package is not None:
            await migrate(database, package)
        return database, config.name

    def certificates(self, leaf: Leaf) -> Certificates:
        return Certificates(issuer=Issued(leaf))

    async def serve(self, name: str, adder: Any, servicer: Any, descriptor: Any) -> Server:
        """A service of the platform; its address goes to `peers`."""
        server = Server(
            certificates=self.certificates(self.pki.service(name)),
            issuers=self.pki.issuers,
            listen=self.peers.get(name, "127.0.0.1:0"),
        )
        server.add(adder, servicer, descriptor)
        self.peers[name] = await server.start()
        self.stack.push_async_callback(server.stop, 0)
        return server

    async def start_owners(self) -> None:
        database, _ = await self.database(None)
        async with database.transaction() as conn:
            await conn.execute(WATCH_MIGRATION)
        self.owners = owners = Owners(database)  # type: ignore[abstract] # the rest is not called
        for table in owners.tables.values():
            await table.load()
        for name, module, grpc_module in (
            ("Authorization", authorization, authorization_grpc),
            ("Registry", registry, registry_grpc),
            ("Identity", identity, identity_grpc),
        ):
            adder = getattr(grpc_module, f"add_{name}ServiceServicer_to_server")
            descriptor = module.DESCRIPTOR.services_by_name[f"{name}Service"]
            await self.serve(name.lower(), adder, owners, descriptor)

    async def start_logging(self) -> None:
        """Serve the log, where it was served before if it was."""
        self.logging = await self.serve(
            "logging",
            logging_grpc.add_LoggingServiceServicer_to_server,
            LoggingServicer(sequencer=self.log.sequencer, proofs=self.log.proofs),
            logging.DESCRIPTOR.services_by_name["LoggingService"],
        )

    async def start_source(self, institution: str, application: str) -> str:
        async def handle(*arguments: Any) -> Any:
            self.questions += 1
            return await self.handler(*arguments)

        server = SourceServer(
            certificates=self.certificates(self.pki.institution(institution, application)),
            platform=self.pki.intermediates["service"].pem,
        )
        server.serve(SERVICE, 1, schemas.message_class("Question"), handle)
        self.stack.push_async_callback(server.stop, 0)
        return await server.start()

    async def start_routing(self) -> None:
        database, self.routing_database = await self.database(None)
        files = {}
        leaf = self.pki.service("routing")
        for name, pem in (("key", leaf.key_pem), ("chain", leaf.chain_pem)):
            (self.folder / f"{name}.pem").write_bytes(pem)
            files[f"{name}_file"] = str(self.folder / f"{name}.pem")
        for kind, pem in self.pki.issuers.items():
            (self.folder / f"{kind}s.pem").write_bytes(pem)
        config = Config(
            runtime=RuntimeConfig(
                name="routing",
                certificate=CertificateConfig(**files),
                trust=TrustConfig(
                    **{f"{kind}s": str(self.folder / f"{kind}s.pem") for kind in self.pki.issuers}
                ),
                peers=dict(self.peers),
            )
        )
        self.runtime = TestRuntime(
            database=database, config=config.runtime, package="services.routing"
        )
        await self.runtime.vault.create_key(config.question_key)
        await self.runtime.open()
        self.stack.push_async_callback(self.runtime.close)
        await start_routing(config, self.runtime)
        self.peers["routing"] = await self.runtime.server.start()
        self.stack.push_async_callback(self.runtime.server.stop, 0)

    async def channel(self, leaf: Leaf, service: str = "routing") -> Channel:
        """A channel to a service for whoever holds that certificate."""
        certificates = self.certificates(leaf)
        await certificates.start()
        channel = Channel(
            target=self.peers[service],
            name=service,
            certificates=certificates,
            trust=self.pki.intermediates["service"].pem,
        )
        self.stack.push_async_callback(channel.close)
        return channel

    async def caller(self, institution: str = "capac", application: str = "payments") -> Any:
        """A stub of routing for an institution's application."""
        channel: Any = await self.channel(self.pki.institution(institution, application))
        return routing_grpc.RoutingServiceStub(channel)

    async def integrate(self, subject: str = KNOWN) -> None:
        """CAPAC and the ONSS declare that they have a file on this person, since 2015."""
        for name, own, capacity in (("capac", "payments", "18/1"), ("onss", "dmfa", "12/10")):
            channel: Any = await self.channel(self.pki.institution(name, own))
            stub: Any = directory_grpc.ReferenceDirectoryServiceStub(channel)
            declared = directory_api.Integration(subject=subject, capacity=capacity)
            setattr(declared, "from", "2015-01-01")
            request = directory_api.DeclareIntegrationsRequest(integrations=[declared])
            await stub.DeclareIntegrations(request)

    async def entries(self, exchange_id: bytes) -> list[tuple[int, int]]:
        """(kind, attempt) of what the log has of an exchange, in order."""
        try:
            found = await self.log.proofs.exchange(exchange_id)
        except CrossroadsError as error:
            assert error.reason is Reason.NOT_FOUND  # noqa: PT017 - any other is a fault
            return []
        return [(each.id.kind, each.id.attempt) for each in found]

    async def logged(self) -> list[int]:
        """The kind of every entry of the log, in order."""
        async with self.logging_database.connection() as conn:
            rows = await conn.execute("SELECT kind FROM entry ORDER BY index")
            return [kind for (kind,) in await rows.fetchall()]

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until that is so."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - many things are waited for
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(postgres: Postgres, folder: Path) -> AsyncIterator[Network]:
    """The network, with CAPAC, the ONSS, one service, one grant; nobody is integrated yet."""
    network = Network(postgres, folder)
    async with network.stack:
        await network.start_owners()
        network.logging_database, _ = await network.database("services.logging")
        store = await LogStore.open(network.logging_database, ORIGIN)
        network.log = await network.stack.enter_async_context(Log(store).running(key=True))
        await network.start_logging()
        address = await network.start_source("onss", "dmfa")
        owners = network.owners
        await owners.publish(
            "directory",
            institution("capac", "18/1", managed_by="onem"),
            institution("onem", "18/1", "18/2"),
            institution("onss", "12/10"),
            application("capac", "payments"),
            application("onem", "benefits"),
            application("onss", "dmfa", address),
        )
        await owners.publish("catalogue", service())
        await owners.publish("grants", grant())
        await owners.publish("replacements", replacement(REPLACED, KNOWN))
        await network.start_routing()
        yield network
        assert network.runtime.deaths == []
