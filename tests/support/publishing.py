"""Publication and publisher with real mTLS, PostgreSQL, authorization and log, in one process.

Contract: `publishing(postgres, folder)` starts publication; `publisher` starts the process that
pushes to it. Registry is a pair of watched tables and the lists of tests.support.public.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crossroads.logging.v1 import evidence_service_pb2 as evidence
from crossroads.logging.v1 import evidence_service_pb2_grpc as evidence_grpc
from crossroads.logging.v1 import logging_service_pb2 as logging
from crossroads.logging.v1 import logging_service_pb2_grpc as logging_grpc
from crossroads.publication.v1 import publication_service_pb2 as api
from crossroads.publication.v1.publication_service_pb2_grpc import PublicationServiceStub
from services.logging.servicer import LoggingServicer
from services.logging.store import LogStore
from services.logging.tile_servicer import TileServicer
from services.publication import __main__ as publication
from services.publication.config import Config
from services.publisher import __main__ as publisher
from services.publisher.config import Config as PublisherConfig
from services.runtime.config import RuntimeConfig
from services.runtime.server import Server
from services.runtime.web import WebServer
from services.runtime.webclient import Answer, WebClient
from tests.support.authority import Authority, deliberation, register
from tests.support.evidence import PrivateLog
from tests.support.logs import ORIGIN, Log, StoppedClock
from tests.support.neighbours import TestRuntime
from tests.support.pki import Leaf, Pki
from tests.support.platform import Postgres
from tests.support.public import catalogue
from tests.support.watching import free_address


class Shown:
    """Shows the newest checkpoint, as the witnesses' round does."""

    def __init__(self, log: Log) -> None:
        self._log = log

    @property
    def served(self) -> Any:
        return self._log.checkpoints.newest


class NoRoles:
    """Nobody is an auditor or an officer here."""

    def roles(self, person: str) -> frozenset[Any]:
        """None."""
        return frozenset()

    def institution_of(self, person: str) -> str | None:
        """None."""
        return None


class PublicWorld(Authority):
    """Publication, and what is pushed to it."""

    log: PrivateLog

    async def start_publication(self, authority: Pki) -> None:
        """On a database of its own, certified by its cloud's authority; it believes this log."""
        self.public_database = await self.database("publication")
        self.policy = self.folder / "log.policy"
        self.policy.write_text(f"log {self.log.checkpoints.verifier_keys[0]}\nquorum none\n")
        runtime = self.process("publication")
        runtime = RuntimeConfig(**{**vars(runtime), "peers": {}})
        leaf = authority.service("publication")
        (self.folder / "publication" / "key.pem").write_bytes(leaf.key_pem)
        (self.folder / "publication" / "chain.pem").write_bytes(leaf.chain_pem)
        self.site = WebClient(url=f"http://{(address := free_address())}")
        self.stack.push_async_callback(self.site.close)
        self.stolen = self.pki.service("publisher")
        config = Config(
            runtime=runtime,
            shown_at=address,
            log_policy=str(self.policy),
            origin=ORIGIN,
            revoked=(self.stolen.serial,),
        )
        self.publication = TestRuntime(
            database=self.public_database,
            safe=self.safe,
            config=runtime,
            package="services.publication",
        )
        await self.publication.open()
        self.stack.push_async_callback(self.publication.close)
        await publication.start(config, self.publication)
        self.peers["publication"] = await self.publication.server.start()
        self.stack.push_async_callback(self.publication.server.stop, 0)

    async def start_logging(self) -> None:
        """The log with what it says of its evidence."""
        server = Server(
            certificates=self.certificates(self.pki.service("logging")), issuers=self.pki.issuers
        )
        server.add(
            logging_grpc.add_LoggingServiceServicer_to_server,
            LoggingServicer(sequencer=self.log.sequencer, proofs=self.log.proofs),
            logging.DESCRIPTOR.services_by_name["LoggingService"],
        )
        server.add(
            evidence_grpc.add_EvidenceServiceServicer_to_server,
            self.log.side.servicer(NoRoles()),
            evidence.DESCRIPTOR.services_by_name["EvidenceService"],
        )
        self.peers["logging"] = await server.start()
        self.services["logging"] = server
        self.stack.push_async_callback(server.stop, 0)

    async def start_tiles(self) -> None:
        """Serve the log's tiles, as logging does."""
        handler = TileServicer(checkpoints=Shown(self.log), tree=self.log.tree)
        self.tiles = WebServer(handler=handler, listen="127.0.0.1:0")
        await self.tiles.start()
        self.stack.push_async_callback(self.tiles.stop)

    @asynccontextmanager
    async def publisher(self, **options: Any) -> AsyncIterator[TestRuntime]:
        """Publisher at work, looking often."""
        quick = dict.fromkeys(
            [f"{each}_seconds" for each in ("log", "authorizations", "catalogue", "indicators")],
            0.05,
        )
        config = PublisherConfig(
            runtime=self.process("publisher"),
            log_url=f"http://{self.tiles.address}",
            **{**quick, **options},
        )
        runtime = TestRuntime(
            database=self.public_database,
            safe=self.safe,
            config=config.runtime,
            package="services.publisher",
        )
        await runtime.open()
        await publisher.start(config, runtime)
        try:
            yield runtime
        finally:
            await runtime.close()
        assert runtime.deaths == []

    async def pusher(self, leaf: Leaf | None = None) -> Any:
        """A stub of publication for whoever holds that certificate; publisher's without one."""
        channel: Any = await self.channel(leaf or self.pki.service("publisher"), "publication")
        return PublicationServiceStub(channel)

    async def get(self, path: str) -> Answer:
        """What the public gets."""
        return await self.site.get(path, seconds=10)

    async def shown(self) -> dict[int, api.Snapshot]:
        """What is shown, by collection."""
        stub = await self.pusher()
        response = await stub.ListSnapshots(api.ListSnapshotsRequest())
        return {each.collection: each for each in response.snapshots}

    async def until_shown(self, path: str, content: bytes) -> None:
        """Wait until the public sees that."""
        async with asyncio.timeout(20):
            while content not in (await self.get(path)).body:  # noqa: ASYNC110 - HTTP
                await asyncio.sleep(0.02)

    async def grow(self, entries: int = 300) -> int:
        """Log so many entries and sign; the size."""
        await self.log.sequencer.append([self.log.entry() for _ in range(entries)])
        await self.log.checkpoints.publish()
        newest: Any = self.log.checkpoints.newest
        return int(newest.size)

    def community(self) -> dict[str, Server]:
        """Every server of the community cloud that runs here, by name."""
        return {**self.services, "authorization": self.authority.server}


@asynccontextmanager
async def publishing(
    postgres: Postgres, folder: Path, authority: Pki | None = None
) -> AsyncIterator[PublicWorld]:
    """The world with one published deliberation; nothing is pushed yet.

    `authority`: of the public cloud, where it is not that of the community cloud.
    """
    network = PublicWorld({"": postgres}, folder)
    async with network.stack:
        await network.start_owners()
        network.owners.lists = catalogue()
        network.logging_database = await network.database("logging", "services.logging")
        store = await LogStore.open(network.logging_database, ORIGIN)
        clock = StoppedClock(datetime.now(UTC) - timedelta(days=2))  # so that a day can be over
        network.log = PrivateLog(store, clock=clock, safe=network.safe)
        await network.stack.enter_async_context(network.log.running(key=True))
        await network.start_logging()
        await register(network)
        await network.start_authorization()
        await network.publish(deliberation("26/001"))
        await network.current()
        await network.log.checkpoints.publish()
        await network.start_tiles()
        await network.start_publication(authority or network.pki)
        yield network
        assert network.publication.deaths == []
        assert network.authority.deaths == []
