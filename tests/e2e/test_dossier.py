"""A deliberation on the running platform, by the persons of the demo: from an institution's draft
to the first exchange that it allows, and to the last."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from services.cli.connections import Connections
from services.institution.sector import load
from services.runtime.errors import CrossroadsError, Reason
from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("e2e")

PURPOSE = "CAREER_CHECK"
FIRST, SECOND, PUBLISHER = "dirk-claes", "elise-dubois", "fatima-amrani"
PATIENCE_SECONDS = 10


class Persons:
    """Stubs of DeliberationService for persons and applications of the demo."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def __call__(self, who: str) -> Any:
        opening = self._connections.application if "/" in who else self._connections.person
        return await opening(who, "authorization", DeliberationServiceStub)


def draft() -> life.Draft:
    """CAPAC wants what it may have for benefit for one more purpose."""
    held = next(each for each in load().grants if each.id == "D/2026/001#1")
    grant = api.Grant(
        institution="capac",
        service=held.service,
        elements=held.elements[:2],
        purpose=PURPOSE,
        caller_capacities=held.caller_capacities,
        source_capacities=held.source_capacities,
        ways=[api.WAY_ONLINE],
        blocking=True,
    )
    grant.valid_from.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    return life.Draft(
        title_fr="Contrôle de la carrière",
        title_nl="Controle van de loopbaan",
        title_de="Prüfung der Laufbahn",
        text_fr="La CAPAC peut savoir.",
        text_nl="De HVW mag weten.",
        text_de="Die HFA darf wissen.",
        chamber=api.CHAMBER_SOCIAL_SECURITY_AND_HEALTH,
        scope=api.Scope(recipients=["capac"], elements=held.elements[:2], purposes=[PURPOSE]),
        grants=[grant],
    )


async def refused(call: Any) -> Reason:
    with pytest.raises(CrossroadsError) as raised:
        await call
    return raised.value.reason


async def exchange(platform: Running) -> int:
    """The exit code of CAPAC's question for that purpose."""
    asking = ("exchange", "employment_periods", "--purpose", PURPOSE, "--json")
    return (await asyncio.to_thread(platform.crossroads, *asking)).code


async def test_a_chamber_decides_and_only_then_data_flow(platform: Running) -> None:
    async with Connections(home=platform.home) as connections:
        persons = Persons(connections)
        capac = await persons("capac/payments")
        opened = await capac.DraftDeliberation(life.DraftDeliberationRequest(draft=draft()))
        of = {"dossier_id": opened.dossier_id}
        opinion = life.GiveOpinionRequest(favourable=True, text="needed and proportionate", **of)
        assert await refused((await persons("officer-onss")).GiveOpinion(opinion)) is (
            Reason.CALLER_NOT_ALLOWED
        )
        await (await persons("officer-capac")).GiveOpinion(opinion)
        first, second = await persons(FIRST), await persons(SECOND)
        waiting = await first.ListDossiers(life.ListDossiersRequest(stage=life.STAGE_SUBMITTED))
        assert opened.dossier_id in {each.id for each in waiting.dossiers}
        await first.Admit(life.AdmitRequest(admissible=True, text="complete", **of))
        advice = life.GiveAdviceRequest(favourable=True, text="sound", **of)
        await (await persons("greet-wouters")).GiveAdvice(advice)
        ballot = life.VoteRequest(ballot=life.BALLOT_IN_FAVOUR, **of)
        await first.Vote(ballot)
        closing = life.CloseVoteRequest(**of)
        assert await refused(first.CloseVote(closing)) is Reason.FAILED_PRECONDITION  # no quorum
        await second.Vote(ballot)
        assert (await first.CloseVote(closing)).adopted
        assert await exchange(platform) == 3
        publishing = life.PublishDossierRequest(**of)
        assert await refused(first.PublishDossier(publishing)) is Reason.SECOND_PERSON_REQUIRED
        published = await (await persons(PUBLISHER)).PublishDossier(publishing)

        async with asyncio.timeout(PATIENCE_SECONDS):
            while await exchange(platform) != 0:
                pass
        withdrawing = life.WithdrawDeliberationRequest(number=published.number, reason="over")
        done = await second.WithdrawDeliberation(withdrawing)
        assert {each.name: each.confirmed for each in done.subscribers}["routing"]
        assert await exchange(platform) == 3
