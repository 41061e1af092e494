"""Authorization itself, with real PostgreSQL, log and mTLS; registry is a pair of watched tables.

Contract: `deciding(postgres, folder)` starts it in the current event loop; `exchanging=True` starts
routing on it too, so that what is published and revoked shows in exchanges.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import authorization_service_pb2_grpc as api_grpc
from crossroads.authorization.v1 import decision_service_pb2 as decisions
from crossroads.authorization.v1 import decision_service_pb2_grpc as decision_grpc
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from crossroads.options.v1 import options_pb2 as options
from services.authorization.__main__ import start as start_authorization
from services.authorization.config import Config
from services.logging.store import LogStore
from tests.support import exchange_schemas as schemas
from tests.support.forwarder import Forwarder, forwarding
from tests.support.logs import ORIGIN, Log
from tests.support.neighbours import TestRuntime
from tests.support.network import KNOWN, ONSS, REPLACED, Network
from tests.support.network_rows import (
    SERVICE,
    application,
    element,
    institution,
    person,
    replacement,
    service,
)
from tests.support.platform import Postgres

PURPOSE = "UNEMPLOYMENT_BENEFIT"
OFFICER, OTHER_OFFICER, AUDITOR, ADMINISTRATOR = "officer", "onss-officer", "auditor", "adam"
MEMBERS = ("member-1", "member-2", "member-3")
"""They sit in the chamber for social security and health, with BOUND_MEMBER; OUTSIDER does not."""
OUTSIDER = "member-4"
BOUND_MEMBER = "capac-member"
"""A member of the committee who acts for CAPAC."""


def row(**changes: Any) -> api.Grant:
    """CAPAC may read employers and starts of employments, for unemployment benefit."""
    values: dict[str, Any] = {
        "institution": "capac",
        "service": SERVICE,
        "elements": ["employment.employer", "employment.start"],
        "purpose": PURPOSE,
        "caller_capacities": ["18/1"],
        "source_capacities": ["12/10"],
        "ways": [api.WAY_ONLINE],
        "blocking": True,
        "valid_from": stamp(datetime(2020, 1, 1, tzinfo=UTC)),
    }
    return api.Grant(**{**values, **changes})


def deliberation(number: str, *grants: api.Grant, **changes: Any) -> api.Deliberation:
    """A deliberation with these grants, or the one that `row` makes, and a scope that they fit."""
    values: dict[str, Any] = {
        "number": number,
        "title_fr": "Périodes d'emploi",
        "title_nl": "Tewerkstellingsperiodes",
        "chamber": api.CHAMBER_SOCIAL_SECURITY_AND_HEALTH,
        "decided_on": "2020-01-14",
        "grants": grants or [row()],
    }
    rows = [each for each in values["grants"] if not each.prohibition]
    recipients = {name for each in rows for name in each.institutions or [each.institution]}
    values["scope"] = api.Scope(
        recipients=sorted(recipients),
        elements=sorted({name for each in rows for name in each.elements}),
        purposes=sorted({each.purpose for each in rows}),
    )
    return api.Deliberation(**{**values, **changes})


def draft(**changes: Any) -> life.Draft:
    """What CAPAC asks for: the row that `row` makes, and the scope that it fits."""
    values: dict[str, Any] = {
        "title_fr": "Périodes",
        "title_nl": "Periodes",
        "title_de": "Zeiträume",
        "text_fr": "CAPAC peut savoir.",
        "text_nl": "HVW mag weten.",
        "text_de": "HFA darf wissen.",
        "chamber": api.CHAMBER_SOCIAL_SECURITY_AND_HEALTH,
        "scope": api.Scope(
            recipients=["capac"],
            elements=["employment.employer", "employment.start"],
            purposes=[PURPOSE],
        ),
        "grants": [row()],
    }
    return life.Draft(**{**values, **changes})


def stamp(instant: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp


class Authority(Network):
    """Authorization and what it needs. `direct` is its address for persons and institutions."""

    direct: str
    way: Forwarder
    """Routing's way to it, which a test can cut."""

    async def start_authorization(self) -> None:
        self.database_of = database = await self.database("authorization")
        config = Config(runtime=self.process("authorization"))
        self.authority = TestRuntime(
            database=database,
            safe=self.safe,
            config=config.runtime,
            package="services.authorization",
        )
        await self.authority.open()
        self.stack.push_async_callback(self.authority.close)
        await start_authorization(config, self.authority)
        self.peers["authorization"] = self.direct = await self.authority.server.start()
        self.stack.push_async_callback(self.authority.server.stop, 0)

    async def current(self) -> None:
        """Wait until it decides on the newest version that was committed."""
        async with self.database_of.connection() as conn:
            cursor = await conn.execute("SELECT version FROM watch_head WHERE name = 'grants'")
            found = await cursor.fetchone()
        newest = found[0] if found else 0
        stub = await self.as_person(AUDITOR, decision_grpc.DecisionServiceStub)
        request = decisions.WhoMayRequest(element="none.at_all")
        async with asyncio.timeout(10):
            while (await stub.WhoMay(request)).table_version < newest:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def as_person(self, name: str, stub: Any = api_grpc.AuthorizationServiceStub) -> Any:
        """A stub of authorization for a person who acts."""
        return stub(await self.channel(self.pki.person(name), "authorization", at=self.direct))

    async def as_institution(
        self,
        name: str = "capac",
        own: str = "payments",
        stub: Any = decision_grpc.DecisionServiceStub,
    ) -> Any:
        """A stub of authorization for an institution's application."""
        leaf = self.pki.institution(name, own)
        return stub(await self.channel(leaf, "authorization", at=self.direct))

    async def publish(self, message: api.Deliberation) -> api.PublishDeliberationResponse:
        """Submit it by one member, publish it by another."""
        submitter, publisher = [await self.as_person(name) for name in MEMBERS[:2]]
        await submitter.SubmitDeliberation(api.SubmitDeliberationRequest(deliberation=message))
        request = api.PublishDeliberationRequest(number=message.number)
        response: api.PublishDeliberationResponse = await publisher.PublishDeliberation(request)
        return response


async def register(network: Authority) -> None:
    """Put institutions, applications, persons and the catalogue into registry's tables."""
    committee, officer = options.ROLE_COMMITTEE, options.ROLE_SECURITY_OFFICER
    chamber = options.ROLE_CHAMBER_SOCIAL_SECURITY_AND_HEALTH
    address = await network.start_source(ONSS)
    await network.owners.publish(
        "directory",
        institution("capac", "18/1", managed_by="onem"),
        institution("onem", "18/1", "18/2"),
        institution("onss", "12/10"),
        application("capac", "payments"),
        application("onem", "benefits"),
        application("onss", "dmfa", address),
        *(person(name, committee, chamber) for name in MEMBERS),
        person(BOUND_MEMBER, committee, chamber, institution="capac"),
        person(OUTSIDER, committee),
        person(OFFICER, officer, institution="capac"),
        person(OTHER_OFFICER, officer, institution="onss"),
        person(AUDITOR, options.ROLE_AUDITOR),
        person(ADMINISTRATOR, options.ROLE_ADMINISTRATOR),
    )
    elements = [element(name) for name in sorted(schemas.ELEMENTS)]
    await network.owners.publish("catalogue", service(), *elements)
    await network.owners.publish("replacements", replacement(REPLACED, KNOWN))


@asynccontextmanager
async def deciding(
    postgres: Postgres, folder: Path, *, exchanging: bool = False
) -> AsyncIterator[Authority]:
    """Authorization with an empty table; with routing on it if `exchanging`."""
    network = Authority({"": postgres}, folder)
    async with network.stack:
        await network.start_owners()
        network.logging_database = await network.database("logging", "services.logging")
        store = await LogStore.open(network.logging_database, ORIGIN)
        network.log = await network.stack.enter_async_context(Log(store).running(key=True))
        await network.start_logging()
        await register(network)
        await network.start_authorization()
        if exchanging:
            way = await network.stack.enter_async_context(
                forwarding(network.peers["authorization"])
            )
            network.way, network.peers["authorization"] = way, way.address
            await network.start_routing()
        yield network
        if exchanging:
            await network.stop_routing()
        assert network.authority.deaths == []
