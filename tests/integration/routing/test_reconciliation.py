"""Reconciliation over a real routing and a real log: what was lost shows, and nothing else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossroads.logging.v1 import evidence_service_pb2 as evidence
from crossroads.logging.v1 import evidence_service_pb2_grpc as evidence_grpc
from crossroads.options.v1.options_pb2 import Role
from crossroads.routing.v1 import routing_service_pb2 as api
from crossroads.routing.v1 import routing_service_pb2_grpc as api_grpc
from crossroads.trust.v1 import trust_pb2 as trust
from services.cli.reconcile import Reconciliation, reconcile
from services.institution.receipts import receipt_of
from services.logging.evidence_wiring import EvidenceSide
from services.logging.retention import Retention
from services.proof.receipt import Receipt
from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import SystemIds
from services.runtime.server import Server
from tests.support.asking import question
from tests.support.evidence import OwnKeys, PlainWords
from tests.support.network import CAPAC, Network, running
from tests.support.platform import Postgres


class Auditor:
    """An auditor of a network, with stubs of routing and of the log's evidence."""

    def __init__(self, network: Network, logs: Any, exchanges: Any) -> None:
        self.network = network
        self.logs = logs
        self.exchanges = exchanges

    async def reconcile(self, *receipts: Receipt) -> Reconciliation:
        """As if all had settled."""
        now = datetime.now(UTC)
        return await reconcile(
            self.logs,
            self.exchanges,
            {CAPAC: receipts},
            since=now - timedelta(hours=1),
            until=now + timedelta(minutes=10),
        )


@pytest.fixture
async def auditor(postgres: Postgres, tmp_path: Any) -> AsyncIterator[Auditor]:
    """CAPAC has integrated one person; an auditor is on record."""
    async with running(postgres, tmp_path) as network:
        await network.integrate()
        person = trust.Person(id="anna", roles=[Role.ROLE_AUDITOR])
        await network.published("directory", ("person/anna", trust.Entry(person=person)))
        side = EvidenceSide(
            store=network.log.store,
            keys=network.log.keys,
            vault=network.safe,
            log=network.log.sequencer,
            person_keys=OwnKeys(),
            words=PlainWords(),
            retention=Retention(),
            clock=SystemClock(),
            ids=SystemIds(),
        )
        server = Server(
            certificates=network.certificates(network.pki.service("logging")),
            issuers=network.pki.issuers,
        )
        server.directory = network.replicas.directory
        server.add(
            evidence_grpc.add_EvidenceServiceServicer_to_server,
            side.servicer(network.replicas.directory),
            evidence.DESCRIPTOR.services_by_name["EvidenceService"],
        )
        leaf = network.pki.person("anna")
        logs: Any = await network.channel(leaf, "logging", at=await server.start())
        network.stack.push_async_callback(server.stop, 0)
        exchanges: Any = await network.channel(leaf)
        yield Auditor(
            network,
            evidence_grpc.EvidenceServiceStub(logs),
            api_grpc.RoutingServiceStub(exchanges),
        )


async def asked(auditor: Auditor, *request_ids: str) -> list[Receipt]:
    """Exchanges carried out; their receipts."""
    capac = await auditor.network.caller()
    replies = [await capac.Exchange(question(each)) for each in request_ids]
    return [receipt_of(each.receipt) for each in replies]


async def test_after_exchanges_all_sides_agree(auditor: Auditor) -> None:
    receipts = await asked(auditor, "one", "two")
    found = await auditor.reconcile(*receipts)
    assert (found.missing, found.receipts, found.kept) == ((), 2, 2)
    (missing,) = (await auditor.reconcile(receipts[0])).missing
    assert (missing.index, missing.missing_from, missing.lost) == (receipts[1].index, CAPAC, False)


async def test_a_release_that_vanished_from_the_log_is_known_to_both_others(
    auditor: Auditor,
) -> None:
    first, second = await asked(auditor, "one", "two")
    async with auditor.network.logging_database.connection() as conn:
        await conn.execute("DELETE FROM entry WHERE index = %s", (first.index,))
    found = await auditor.reconcile(first, second)
    lost = [(each.known_to, each.index) for each in found.missing if each.lost]
    assert (CAPAC, first.index) in lost
    assert ("routing", first.index) in lost
    assert second.index not in [index for _, index in lost]


async def test_only_an_auditor_learns_what_routing_keeps(auditor: Auditor) -> None:
    capac = await auditor.network.caller()
    with pytest.raises(CrossroadsError) as refused:
        await capac.ListKeptExchanges(api.ListKeptExchangesRequest())
    assert refused.value.reason is Reason.CALLER_NOT_ALLOWED
