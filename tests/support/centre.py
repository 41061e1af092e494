"""Contact itself, with real PostgreSQL, log and mTLS; registry is a watched table of persons.

Contract: `answering(postgres, folder)` starts it in the current event loop.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from crossroads.contact.v1 import contact_service_pb2 as api
from crossroads.contact.v1.contact_service_pb2_grpc import ContactServiceStub
from crossroads.options.v1 import options_pb2 as options
from services.contact.__main__ import start as start_contact
from services.contact.config import Config
from services.logging.store import LogStore
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError
from services.runtime.postgres import Database
from tests.support.logs import ORIGIN, Log
from tests.support.neighbours import TestRuntime
from tests.support.network import Network
from tests.support.network_rows import application, institution, person
from tests.support.platform import Postgres

AGENT, OTHER_AGENT, AUDITOR = "agnes", "anton", "anna"


class Centre(Network):
    """The contact centre and what it needs."""

    async def start_contact(self) -> None:
        self.contact_database: Database = await self.database("contact")
        config = Config(runtime=self.process("contact"))
        self.contact = TestRuntime(
            database=self.contact_database,
            safe=self.safe,
            config=config.runtime,
            package="services.contact",
        )
        await self.contact.open()
        self.stack.push_async_callback(self.contact.close)
        await start_contact(config, self.contact)
        self.peers["contact"] = await self.contact.server.start()
        self.stack.push_async_callback(self.contact.server.stop, 0)
        await self._serving()

    async def _serving(self) -> None:
        """Wait until it knows who is an agent."""
        stub = await self.agent()
        async with asyncio.timeout(10):
            while True:
                try:
                    await stub.ListContacts(api.ListContactsRequest(exchange_id=bytes(16)))
                except CrossroadsError as error:
                    if not error.retryable:
                        raise
                    await asyncio.sleep(0.02)
                else:
                    return

    async def agent(self, name: str = AGENT) -> Any:
        """A stub of contact for a person."""
        channel: Any = await self.channel(self.pki.person(name), "contact")
        return ContactServiceStub(channel)

    async def logged_exchange(self, kind: Kind = Kind.REFUSAL) -> bytes:
        """The id of an exchange that the log has."""
        entry = self.log.entry(kind=kind)
        await self.log.sequencer.append([entry])
        return entry.id.exchange_id

    async def recorded(self) -> int:
        """How many contacts there are."""
        async with self.contact_database.connection() as conn:
            row = await (await conn.execute("SELECT count(*) FROM contact")).fetchone()
            assert row is not None
            return int(row[0])


def request(request_id: str = "", **content: Any) -> api.RecordContactRequest:
    """To record a contact by telephone; with a request_id of its own unless one is given."""
    said: dict[str, Any] = {"channel": api.CHANNEL_PHONE, "language": "fr", "topic": "a question"}
    said |= content
    return api.RecordContactRequest(
        request_id=request_id or uuid4().hex, contact=api.Contact(**said)
    )


@asynccontextmanager
async def answering(postgres: Postgres, folder: Path) -> AsyncIterator[Centre]:
    """The centre with two agents and an auditor; the log holds no exchange."""
    centre = Centre({"": postgres}, folder)
    async with centre.stack:
        await centre.start_owners()
        centre.logging_database = await centre.database("logging", "services.logging")
        store = await LogStore.open(centre.logging_database, ORIGIN)
        centre.log = await centre.stack.enter_async_context(Log(store).running(key=True))
        await centre.start_logging()
        await centre.owners.publish(
            "directory",
            institution("capac", "18/1"),
            application("capac", "payments"),
            person(AGENT, options.ROLE_AGENT),
            person(OTHER_AGENT, options.ROLE_AGENT),
            person(AUDITOR, options.ROLE_AUDITOR),
        )
        await centre.start_contact()
        yield centre
        assert centre.contact.deaths == []
