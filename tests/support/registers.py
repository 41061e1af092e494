"""Identity itself, with real PostgreSQL, log and mTLS; registry is a pair of watched tables.

Contract: `identifying(postgres, folder)` starts it in the current event loop; `exchanging=True`
starts routing on it too, so that what is taken up and replaced shows in exchanges.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from crossroads.identity.v1 import identity_service_pb2 as api
from crossroads.identity.v1 import identity_service_pb2_grpc as api_grpc
from services.identity.__main__ import start as start_identity
from services.identity.config import Config
from services.identity.model import PersonKey
from services.logging.evidence_model import Criteria, Record
from services.logging.store import LogStore
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError
from tests.support.evidence import PrivateLog
from tests.support.key_store import BCSS, RN
from tests.support.logs import ORIGIN
from tests.support.neighbours import TestRuntime
from tests.support.network import ONSS, Network
from tests.support.network_rows import application, grant, institution, service
from tests.support.platform import Postgres


class RegisterNetwork(Network):
    """Identity and what it needs."""

    log: PrivateLog
    identity_database: str
    """The name of identity's database."""

    async def start_identity(self) -> None:
        """On a database of its own; ready when it knows who may call."""
        database = await self.database("identity")
        async with database.connection() as conn:
            self.identity_database = conn.info.dbname
        config = Config(runtime=self.process("identity"))
        self.identity = TestRuntime(
            database=database,
            safe=self.safe,
            config=config.runtime,
            package="services.identity",
        )
        await self.identity.open()
        self.stack.push_async_callback(self.identity.close)
        await start_identity(config, self.identity)
        self.peers["identity"] = await self.identity.server.start()
        self.stack.push_async_callback(self.identity.server.stop, 0)
        await self._serving()

    async def _serving(self) -> None:
        stub = await self.teller("capac/payments")
        async with asyncio.timeout(10):
            while True:
                try:
                    await stub.ReplaceKey(api.ReplaceKeyRequest(old_niss="0" * 11))
                except CrossroadsError as error:
                    if not error.retryable:
                        return
                    await asyncio.sleep(0.02)

    async def teller(self, name: str) -> Any:
        """A stub of identity for an institution's application."""
        channel: Any = await self.channel(self.pki.institution(*name.split("/")), "identity")
        return api_grpc.IdentityServiceStub(channel)

    async def asker(self, service: str = "routing") -> Any:
        """A stub of identity for a service."""
        channel: Any = await self.channel(self.pki.service(service), "identity")
        return api_grpc.IdentityServiceStub(channel)

    async def register(self, name: str, persons: Sequence[PersonKey]) -> int:
        """How many were new."""
        stub = await self.teller(name)
        response: api.RegisterPersonsResponse = await stub.RegisterPersons(registration(persons))
        return response.registered

    async def replace(self, old: str, new: str) -> int:
        """The version that holds it."""
        stub = await self.teller(BCSS)
        request = api.ReplaceKeyRequest(old_niss=old, new_niss=new)
        response: api.ReplaceKeyResponse = await stub.ReplaceKey(request)
        return response.version

    async def current(self, *keys: str) -> list[str]:
        """What each key stands for; "" where nobody bears it."""
        response = await (await self.asker()).ResolveKeys(api.ResolveKeysRequest(niss=keys))
        return [each.current_niss for each in response.keys]

    async def acts(self, subject: str = "") -> list[Record]:
        """The administrative entries of the log, opened, newest first; or those under a subject."""
        criteria = Criteria(subjects=(subject,) if subject else ())
        page = await self.log.finder.page(criteria, before=None, limit=1000)
        return [each for each in page.records if each.row.kind == Kind.ADMINISTRATIVE]


def registration(persons: Sequence[PersonKey]) -> api.RegisterPersonsRequest:
    """The request that takes these up."""
    keys = [
        api.PersonKey(niss=each.niss, register=api.Register.Value(f"REGISTER_{each.register}"))
        for each in persons
    ]
    return api.RegisterPersonsRequest(persons=keys)


@asynccontextmanager
async def identifying(
    postgres: Postgres, folder: Path, *, exchanging: bool = False
) -> AsyncIterator[RegisterNetwork]:
    """Identity that knows nobody; with routing on it if `exchanging` (CAPAC may ask the ONSS)."""
    network = RegisterNetwork({"": postgres}, folder)
    async with network.stack:
        await network.start_owners()
        network.logging_database = await network.database("logging", "services.logging")
        store = await LogStore.open(network.logging_database, ORIGIN)
        log = PrivateLog(store, safe=network.safe)
        network.log = log
        await network.stack.enter_async_context(log.running(key=True))
        await network.start_logging()
        address = await network.start_source(ONSS)
        owners = network.owners
        await owners.publish(
            "directory",
            *(institution(name.partition("/")[0]) for name in (RN, BCSS)),
            *(application(*name.split("/")) for name in (RN, BCSS)),
            institution("capac", "18/1"),
            institution("onss", "12/10"),
            application("capac", "payments"),
            application("onss", "dmfa", address),
        )
        await owners.publish("catalogue", service())
        await owners.publish("grants", grant())
        await network.start_identity()
        if exchanging:
            await network.start_routing()
        yield network
        if exchanging:
            await network.stop_routing()
        assert network.identity.deaths == []
