"""A log on a real PostgreSQL, served over mTLS."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, cast

import pytest

from crossroads.logging.v1 import logging_service_pb2 as api
from crossroads.logging.v1 import logging_service_pb2_grpc as api_grpc
from services.logging.model import NewEntry
from services.logging.servicer import LoggingServicer
from services.logging.store import LogStore
from services.runtime.certificates import Certificates
from services.runtime.channel import Channel
from services.runtime.server import Server
from tests.support.logs import ORIGIN, Log
from tests.support.own_platform import OwnPlatform, own_platform
from tests.support.pki import Leaf, Pki
from tests.support.platform import OpenDatabase


class Issued:
    """Gives one certificate of the test's authority."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf

    async def issue(self) -> tuple[bytes, bytes, datetime]:
        """Key, chain, end."""
        return self._leaf.key_pem, self._leaf.chain_pem, self._leaf.not_after


@pytest.fixture(scope="package")
def platform() -> Iterator[OwnPlatform]:
    """Servers that may be killed, for the tests of the group "faults"."""
    with own_platform() as platform:
        yield platform


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[Log]:
    """A log at work, its receipt key logged."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    async with Log(store).running(key=True) as log:
        yield log


@pytest.fixture
async def stub(log: Log) -> AsyncIterator[Any]:
    """A stub of that log, called by the service routing."""
    pki = Pki()
    async with AsyncExitStack() as stack:
        server = Server(
            certificates=Certificates(issuer=Issued(pki.service("logging"))), issuers=pki.issuers
        )
        server.add(
            api_grpc.add_LoggingServiceServicer_to_server,
            LoggingServicer(sequencer=log.sequencer, proofs=log.proofs),
            api.DESCRIPTOR.services_by_name["LoggingService"],
        )
        address = await server.start()
        stack.push_async_callback(server.stop, 0)
        own = Certificates(issuer=Issued(pki.service("routing")))
        await own.start()
        channel = Channel(
            target=address,
            name="logging",
            certificates=own,
            trust=pki.intermediates["service"].pem,
        )
        stack.push_async_callback(channel.close)
        yield api_grpc.LoggingServiceStub(cast("Any", channel))


def message(entry: NewEntry) -> api.Entry:
    """An entry as it travels."""
    proto = api.Entry(
        exchange_id=entry.id.exchange_id,
        kind=api.Kind.ValueType(entry.id.kind),
        attempt=entry.id.attempt,
        nonce=entry.nonce,
        question_mac=entry.question_mac,
        party=entry.party,
        subject=entry.subject,
        audit=entry.audit,
        subject_key=entry.subject_key,
        receipt=entry.receipt,
    )
    if entry.deadline is not None:
        proto.deadline.FromMicroseconds(entry.deadline)
    return proto
