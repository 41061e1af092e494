"""Administrative acts of every service go through the log, and nothing is changed without it.

Each RPC of the platform is named here: one that changes something with the act that the log calls
it, any other among those that change nothing. A new RPC fails the test until it is named, and one
that acts until it is done below, first with the log refusing, then with it taking entries.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.authorization.v1 import decision_service_pb2 as decision
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from crossroads.contact.v1 import contact_service_pb2 as contact
from crossroads.identity.v1 import identity_service_pb2 as identity
from crossroads.logging.v1 import evidence_service_pb2 as evidence
from crossroads.logging.v1 import logging_service_pb2 as logging
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.routing.v1 import reference_directory_service_pb2 as directory
from crossroads.routing.v1 import routing_service_pb2 as routing
from crossroads.trust.v1 import trust_pb2 as trust
from services.identity.model import Register
from tests.support.authority import (
    AUDITOR,
    MEMBERS,
    OFFICER,
    OUTSIDER,
    deliberation,
    draft,
    stamp,
)
from tests.support.deeds import Doers, doing
from tests.support.key_store import BCSS, RN, bis, national, persons
from tests.support.network import CAPAC
from tests.support.platform import Postgres
from tests.support.registers import registration

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = (
    authorization,
    contact,
    decision,
    directory,
    evidence,
    identity,
    life,
    logging,
    registry,
    routing,
)

ACTS = {
    "RegistryService.Genesis": "registry.genesis",
    "RegistryService.ProposeAct": "registry.propose",
    "RegistryService.ApproveAct": "registry.act",
    "AuthorizationService.SubmitDeliberation": "authorization.submit",
    "AuthorizationService.PublishDeliberation": "authorization.publish",
    "AuthorizationService.RevokeGrant": "authorization.revoke",
    "DeliberationService.DraftDeliberation": "authorization.dossier.draft",
    "DeliberationService.GiveOpinion": "authorization.dossier.opinion",
    "DeliberationService.Admit": "authorization.dossier.admit",
    "DeliberationService.GiveAdvice": "authorization.dossier.advice",
    "DeliberationService.Recuse": "authorization.dossier.recuse",
    "DeliberationService.Vote": "authorization.dossier.vote",
    "DeliberationService.CloseVote": "authorization.dossier.close",
    "DeliberationService.PublishDossier": "authorization.publish",
    "DeliberationService.WithdrawDossier": "authorization.dossier.withdraw",
    "DeliberationService.SuspendDeliberation": "authorization.suspend",
    "DeliberationService.LiftSuspension": "authorization.lift",
    "DeliberationService.WithdrawDeliberation": "authorization.withdraw",
    "DeliberationService.ExportPublication": "authorization.export",
    "IdentityService.RegisterPersons": "identity.register",
    "IdentityService.ReplaceKey": "identity.replace",
    "ReferenceDirectoryService.DeclareIntegrations": "integration.declare",
    "EvidenceService.Search": "logging.search",
    "EvidenceService.ListUses": "logging.uses",
    "EvidenceService.DeferDisclosure": "logging.defer",
    "EvidenceService.EndDeferral": "logging.defer_end",
    "EvidenceService.PlaceHold": "logging.hold",
    "EvidenceService.ReleaseHold": "logging.hold_release",
}
"""What changes something, and searches, which are acts as well."""

NO_RPC = {"logging: shredding a month": "logging.erase", "registry: what narrows": "registry.act"}
"""Done below too: no RPC has it for its own."""

NO_ACTS = {
    "AuthorizationService": {
        "GetDeliberation",
        "ListDeliberations",
        "Check",
        "WatchGrants",
    },
    "ContactService": {
        "RecordContact",  # changes nothing that others may do: docs/decisions/0007
        "GetContact",
        "ListContacts",
    },
    "DecisionService": {"CheckMany", "Explain", "CheckAsOf", "WhoMay", "WhatMay", "Replay"},
    "DeliberationService": {"GetDossier", "ListDossiers", "AnalyseDraft", "SimulateDraft"},
    "EvidenceService": {"ListHolds", "ListErasures", "ListIndicators"},
    "IdentityService": {"ResolveKeys", "WatchReplacements"},
    "LoggingService": {
        "Append",  # the door itself
        "AppendStream",
        "GetCheckpoint",
        "GetInclusionProof",
        "GetConsistencyProof",
        "FindExchange",
    },
    "ReferenceDirectoryService": {"ListIntegrations"},
    "RegistryService": {
        "GetAct",
        "ListExchangeServices",
        "ListDataElements",
        "ListCodes",
        "ListInstitutions",
        "WatchDirectory",
        "WatchCatalogue",
    },
    "RoutingService": {
        "Exchange",  # logged as an exchange: request and release, tests/integration/routing
        "ListKeptExchanges",
    },
}
"""The others, by service."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doers]:
    """Every service that acts, on one log."""
    async with doing(postgres, tmp_path_factory.mktemp("acts")) as network:
        yield network


async def test_every_rpc_is_named_as_an_act_or_as_none() -> None:
    there = {
        f"{service.name}.{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    others = {f"{name}.{method}" for name, methods in NO_ACTS.items() for method in methods}
    assert not others & ACTS.keys()
    assert there == others | ACTS.keys()


async def test_every_act_is_refused_without_the_log_and_is_an_entry_with_it(
    network: Doers,
) -> None:
    await of_registry(network)
    await of_identity(network)
    await of_routing(network)
    await of_authorization(network)
    await of_dossiers(network)
    await of_logging(network)
    assert network.done == ACTS | NO_RPC


def call(method: Any, request: Any) -> Callable[[], Awaitable[Any]]:
    """The call, to be made more than once."""

    async def made() -> Any:
        return await method(request)

    return made


async def of_registry(network: Doers) -> None:
    async def deed(what: str, stub: Any, request: Any, name: str = "") -> Any:
        name = name or f"RegistryService.{what}"
        act = (ACTS | NO_RPC)[name]
        return await network.deed(name, act, call(getattr(stub, what), request))

    first, second, third = [await network.registrar(each) for each in ("ada", "bo", "cem")]
    request = registry.GenesisRequest(administrators=["ada", "bo", "cem"], threshold=2)
    assert (await deed("Genesis", await network.registrar("genesis"), request)).log_index == 0
    one = registry.Change(
        put_institution=registry.Institution(trust=trust.Institution(id="one", active=True))
    )
    proposal = registry.ProposeActRequest(reason="a new institution", changes=[one])
    proposed = await deed("ProposeAct", first, proposal)
    assert proposed.missing == 1
    approval = registry.ApproveActRequest(act_id=proposed.act_id)
    assert (await deed("ApproveAct", second, approval)).missing == 0
    over = registry.Change(revoke_certificate=trust.Revocation(serial="1a2b3c"))
    narrowing = registry.ProposeActRequest(reason="a key was lost", changes=[over])
    done = await deed("ProposeAct", third, narrowing, "registry: what narrows")
    assert done.missing == 0


async def of_identity(network: Doers) -> None:
    async def deed(what: str, stub: Any, request: Any) -> Any:
        name = f"IdentityService.{what}"
        return await network.deed(name, ACTS[name], call(getattr(stub, what), request))

    bcss, rn = await network.registerer(BCSS), await network.registerer(RN)
    await deed("RegisterPersons", rn, registration(persons(1)))
    await bcss.RegisterPersons(registration(persons(1, register=Register.BIS)))
    request = identity.ReplaceKeyRequest(old_niss=bis(1), new_niss=national(1))
    await deed("ReplaceKey", bcss, request)


async def of_routing(network: Doers) -> None:
    stub = await network.declarer(CAPAC)
    declared = directory.Integration(subject=national(1), capacity="18/1")
    setattr(declared, "from", "2015-01-01")
    network.owners.known.add(national(1))
    request = directory.DeclareIntegrationsRequest(integrations=[declared])
    name = "ReferenceDirectoryService.DeclareIntegrations"
    await network.deed(name, ACTS[name], call(stub.DeclareIntegrations, request))


async def of_authorization(network: Doers) -> None:
    async def deed(what: str, stub: Any, request: Any) -> Any:
        name = f"AuthorizationService.{what}"
        return await network.deed(name, ACTS[name], call(getattr(stub, what), request))

    first, second = [await network.as_person(each) for each in MEMBERS[:2]]
    message = deliberation("26/001")
    request = authorization.SubmitDeliberationRequest(deliberation=message)
    await deed("SubmitDeliberation", first, request)
    publishing = authorization.PublishDeliberationRequest(number="26/001")
    await deed("PublishDeliberation", second, publishing)
    ending = authorization.RevokeGrantRequest(grant_id="26/001#1", reason="over")
    await deed("RevokeGrant", first, ending)


class Dossiers:
    """Deeds on dossiers, each by the one who may."""

    def __init__(self, network: Doers) -> None:
        self._network = network

    async def by(self, name: str, what: str, request: Any) -> Any:
        """A person does it."""
        stub = await self._network.as_person(name, DeliberationServiceStub)
        return await self._deed(what, getattr(stub, what), request)

    async def drafted(self) -> str:
        """A new dossier."""
        stub = await self._network.as_institution(stub=DeliberationServiceStub)
        request = life.DraftDeliberationRequest(draft=draft())
        opened = await self._deed("DraftDeliberation", stub.DraftDeliberation, request)
        return str(opened.dossier_id)

    async def _deed(self, what: str, method: Any, request: Any) -> Any:
        name = f"DeliberationService.{what}"
        if name in self._network.done:
            return await method(request)
        return await self._network.deed(name, ACTS[name], call(method, request))


async def of_dossiers(network: Doers) -> None:
    dossiers, chair = Dossiers(network), MEMBERS[0]
    of = {"dossier_id": await dossiers.drafted()}
    await dossiers.by(
        OFFICER, "GiveOpinion", life.GiveOpinionRequest(favourable=True, text="needed", **of)
    )
    await dossiers.by(chair, "Admit", life.AdmitRequest(admissible=True, text="complete", **of))
    await dossiers.by(
        AUDITOR, "GiveAdvice", life.GiveAdviceRequest(favourable=True, text="sound", **of)
    )
    ballot = life.VoteRequest(ballot=life.BALLOT_IN_FAVOUR, **of)
    for member in MEMBERS:
        await dossiers.by(member, "Vote", ballot)
    await dossiers.by(chair, "CloseVote", life.CloseVoteRequest(**of))
    published = await dossiers.by(OUTSIDER, "PublishDossier", life.PublishDossierRequest(**of))
    number = {"number": published.number, "reason": "doubt"}
    await dossiers.by(OUTSIDER, "SuspendDeliberation", life.SuspendDeliberationRequest(**number))
    lifting = life.LiftSuspensionRequest(**number)
    outsider = await network.as_person(OUTSIDER, DeliberationServiceStub)
    await outsider.LiftSuspension(lifting)
    await dossiers.by(chair, "LiftSuspension", lifting)
    await of_other_dossiers(dossiers)
    await of_publication(network)
    await dossiers.by(chair, "WithdrawDeliberation", life.WithdrawDeliberationRequest(**number))


async def of_other_dossiers(dossiers: Dossiers) -> None:
    of = {"dossier_id": await dossiers.drafted()}
    await dossiers.by(
        OFFICER, "GiveOpinion", life.GiveOpinionRequest(favourable=True, text="needed", **of)
    )
    await dossiers.by(
        MEMBERS[0], "Admit", life.AdmitRequest(admissible=True, text="complete", **of)
    )
    await dossiers.by(MEMBERS[1], "Recuse", life.RecuseRequest(text="a relative works there", **of))
    await dossiers.by(
        OFFICER, "WithdrawDossier", life.WithdrawDossierRequest(reason="not needed", **of)
    )


async def of_publication(network: Doers) -> None:
    channel: Any = await network.channel(
        network.pki.service("publisher"), "authorization", at=network.direct
    )
    stub = DeliberationServiceStub(channel)

    async def export() -> int:
        request = life.ExportPublicationRequest()
        return len([each async for each in stub.ExportPublication(request)])

    name = "DeliberationService.ExportPublication"
    assert await network.deed(name, ACTS[name], export)


async def of_logging(network: Doers) -> None:
    auditor = await network.auditor(AUDITOR)
    log = network.log

    async def deed(what: str, request: Any) -> Any:
        name = f"EvidenceService.{what}"
        return await network.deed(name, ACTS[name], call(getattr(auditor, what), request))

    case = {"authority": "the court", "reason": "a case of fraud"}
    about = evidence.Criteria(subject=national(1))
    await deed("Search", evidence.SearchRequest(criteria=about, reason="a complaint"))
    uses = evidence.ListUsesRequest(subject=national(1), reason="a complaint", language="en")
    await deed("ListUses", uses)
    until = stamp(log.clock.now() + timedelta(days=30))
    request = evidence.DeferDisclosureRequest(criteria=about, until=until, **case)
    deferral = (await deed("DeferDisclosure", request)).deferral_id
    ending = evidence.EndDeferralRequest(deferral_id=deferral, reason="closed")
    await deed("EndDeferral", ending)
    hold = (await deed("PlaceHold", evidence.PlaceHoldRequest(criteria=about, **case))).hold_id
    assert [str(each.hold_id) for each in await log.holds.every()] == [hold]
    await deed("ReleaseHold", evidence.ReleaseHoldRequest(hold_id=hold, reason="closed"))
    assert [each.released_at is None for each in await log.holds.every()] == [False]
    assert UUID(hold)
    span = next(each for each in await log.tables.months() if each.retention_class == "exchange")

    async def shred() -> None:
        await log.shredder.erase(span)

    name = "logging: shredding a month"
    await network.deed(name, NO_RPC[name], shred)
