"""Routing with its neighbours, in the test's process: mTLS, PostgreSQL, log, tables, a source.

Contract: `running(postgres)` starts everything in the current event loop within a second or two.
Authorization, identity and registry are stood in for by servers that own real watched tables and
nothing else; the log is the real one, its Transit in memory. CAPAC asks, the ONSS answers: what a
test puts into `handlers` for an institution answers in its place.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
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
from services.routing.__main__ import wire
from services.routing.config import Config
from services.routing.peers import replicas_of
from services.routing.replicas import Replicas
from services.runtime.certificates import Certificates
from services.runtime.channel import Channel
from services.runtime.clock import SystemClock
from services.runtime.config import CertificateConfig, RuntimeConfig, TrustConfig
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.migrations import migrate
from services.runtime.postgres import Database
from services.runtime.server import Server
from services.runtime.watch.migrations import WATCH_MIGRATION
from tests.support import exchange_schemas as schemas
from tests.support.logs import ORIGIN, Log, Safe
from tests.support.neighbours import Issued, Owners, TestRuntime
from tests.support.network_rows import (
    OTHER_SERVICE,
    SERVICE,
    application,
    grant,
    institution,
    replacement,
    service,
)
from tests.support.pki import Leaf, Pki
from tests.support.platform import Postgres

KNOWN = "85073003328"
STRANGER = "42012205181"
REPLACED = "98472899765"
CAPAC, ONSS = "capac/payments", "onss/dmfa"
CAPACITIES = {"capac": "18/1", "onss": "12/10", "onem": "18/2", "fund-a": "7/1", "fund-b": "7/1"}
"""In which capacity each of them integrates persons, in these tests."""
Answer: Any = schemas.message_class("Answer")
Handler = Callable[..., Awaitable[Any]]


class Network:
    """Everything that `running` started."""

    def __init__(self, servers: Mapping[str, Postgres], folder: Path) -> None:
        self.servers = servers
        self.folder = folder
        self.pki = Pki()
        self.stack = AsyncExitStack()
        self.owners: Owners
        self.log: Log
        self.routing = AsyncExitStack()
        self.routing_database: Database | None = None
        self.safe = Safe()
        self.runtime: TestRuntime
        self.replicas: Replicas
        self.services: dict[str, Server] = {}
        """The servers of the platform but routing's, by name."""
        self.logging_database: Database
        self.peers: dict[str, str] = {}
        self.handlers: dict[str, Handler] = {}
        self.sources: dict[str, SourceServer] = {}
        self.asked: list[tuple[str, str]] = []
        """Of each question that came to a source: the institution, and the subject's key."""

    async def employment(self, question: Any, subject: str, start: str, until: str) -> Any:
        """What a source says, unless a test has put another into `handlers`."""
        answer = {
            "person": {"insured": True, "language": "fr"},
            "employments": [
                {"employer": "0314595348", "start": "2020-01-01", "wage": {"amount": 3000}}
            ],
        }
        return json_format.ParseDict(answer, Answer())

    async def database(self, owner: str, package: str | None = None) -> Database:
        """A database of this network's own, on the server for that owner."""
        postgres = self.servers.get(owner) or self.servers[""]
        config, login = postgres.create()

        async def credentials() -> Any:
            return login

        database = await Database.open(config, credentials, SystemClock())
        self.stack.callback(postgres.drop, config.name)
        self.stack.push_async_callback(database.close)
        if package is not None:
            await migrate(database, package)
        return database

    def certificates(self, leaf: Leaf) -> Certificates:
        return Certificates(issuer=Issued(leaf))

    async def serve(self, name: str, adder: Any, servicer: Any, descriptor: Any) -> None:
        """A service of the platform; its address goes to `peers`."""
        server = Server(
            certificates=self.certificates(self.pki.service(name)),
            issuers=self.pki.issuers,
            listen=self.peers.get(name, "127.0.0.1:0"),
        )
        server.add(adder, servicer, descriptor)
        self.peers[name] = await server.start()
        self.services[name] = server
        self.stack.push_async_callback(server.stop, 0)

    async def start_owners(self) -> None:
        database = await self.database("owners")
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
        await self.serve(
            "logging",
            logging_grpc.add_LoggingServiceServicer_to_server,
            LoggingServicer(sequencer=self.log.sequencer, proofs=self.log.proofs),
            logging.DESCRIPTOR.services_by_name["LoggingService"],
        )

    async def start_source(
        self, name: str, *, leaf: Leaf | None = None, listen: str = "127.0.0.1:0"
    ) -> str:
        """A source, "<institution>/<application>"; its address. `leaf`: a certificate not its own.

        It answers two services in versions 1 and 2, whatever the catalogue has.
        """
        institution, application = name.split("/")

        async def handle(question: Any, subject: str, *days: str) -> Any:
            self.asked.append((institution, subject))
            handler: Handler = self.handlers.get(institution, self.employment)
            return await handler(question, subject, *days)

        server = self.sources[institution] = SourceServer(
            certificates=self.certificates(leaf or self.pki.institution(institution, application)),
            platform=self.pki.intermediates["service"].pem,
            listen=listen,
        )
        for served in product((SERVICE, OTHER_SERVICE), (1, 2)):
            server.serve(*served, schemas.message_class("Question"), handle)
        self.stack.push_async_callback(server.stop, 0)
        return await server.start()

    def process(self, name: str) -> RuntimeConfig:
        """The configuration of a service that is started with this network's certificates."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        leaf = self.pki.service(name)
        pems = {"key": leaf.key_pem, "chain": leaf.chain_pem}
        pems |= {f"{kind}s": pem for kind, pem in self.pki.issuers.items()}
        for file, pem in pems.items():
            (folder / f"{file}.pem").write_bytes(pem)
        return RuntimeConfig(
            name=name,
            certificate=CertificateConfig(
                key_file=str(folder / "key.pem"), chain_file=str(folder / "chain.pem")
            ),
            trust=TrustConfig(
                **{f"{kind}s": str(folder / f"{kind}s.pem") for kind in self.pki.issuers}
            ),
            peers=dict(self.peers),
        )

    async def start_routing(self, **options: Any) -> None:
        """On the database that it had before, if it had one. `options`: its configuration's."""
        self.routing_database = self.routing_database or await self.database("routing")
        config = Config(runtime=self.process("routing"), **options)
        self.runtime = TestRuntime(
            database=self.routing_database,
            safe=self.safe,
            config=config.runtime,
            package="services.routing",
        )
        await self.runtime.vault.create_key(config.question_key)
        await self.runtime.open()
        self.routing.push_async_callback(self.runtime.close)
        self.replicas = replicas_of(self.runtime)
        await wire(config, self.runtime, self.replicas)
        await self.replicas.ready()
        self.peers["routing"] = await self.runtime.server.start()
        self.routing.push_async_callback(self.runtime.server.stop, 0)

    async def stop_routing(self) -> None:
        """End it; nothing in it may have died before."""
        await self.routing.aclose()
        assert self.runtime.deaths == []

    async def channel(self, leaf: Leaf, service: str = "routing", *, at: str = "") -> Channel:
        """A channel to a service for whoever holds that certificate. `at`: another address."""
        certificates = self.certificates(leaf)
        await certificates.start()
        channel = Channel(
            target=at or self.peers[service],
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

    async def integrate(self, subject: str = KNOWN, *who: str, known: bool = True) -> None:
        """These (CAPAC and the ONSS) declare that they have a file on this person, since 2015.

        `known`: whether the register of keys knows it.
        """
        if known:
            self.owners.known.add(subject)
        for name in who or (CAPAC, ONSS):
            institution, application = name.split("/")
            channel: Any = await self.channel(self.pki.institution(institution, application))
            stub: Any = directory_grpc.ReferenceDirectoryServiceStub(channel)
            declared = directory_api.Integration(subject=subject, capacity=CAPACITIES[institution])
            setattr(declared, "from", "2015-01-01")
            request = directory_api.DeclareIntegrationsRequest(integrations=[declared])
            await stub.DeclareIntegrations(request)

    async def published(self, name: str, *rows: tuple[str, Any]) -> None:
        """Put rows into a table, and wait until routing has them."""
        version = await self.owners.publish(name, *rows)
        await self.until(lambda: self.replicas.versions()[name][0] >= version)

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
async def running(
    postgres: Postgres,
    folder: Path,
    *,
    servers: Mapping[str, Postgres] | None = None,
    **options: Any,
) -> AsyncIterator[Network]:
    """The network, with CAPAC, the ONSS, one service, one grant; nobody is integrated yet.

    `servers`: other servers for the databases of "owners", "logging", "routing". `options` go into
    routing's configuration.
    """
    network = Network({"": postgres, **(servers or {})}, folder)
    async with network.stack:
        await network.start_owners()
        network.logging_database = await network.database("logging", "services.logging")
        store = await LogStore.open(network.logging_database, ORIGIN)
        network.log = await network.stack.enter_async_context(Log(store).running(key=True))
        await network.start_logging()
        address = await network.start_source(ONSS)
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
        await network.start_routing(**options)
        yield network
        await network.stop_routing()
