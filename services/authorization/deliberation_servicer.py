"""authorization.v1.DeliberationService: messages to the model, one operation each, and back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from crossroads.authorization.v1 import authorization_service_pb2 as grants_api
from crossroads.authorization.v1 import deliberation_service_pb2 as api
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceServicer
from services.authorization import dossier_wire as wire
from services.authorization.dossiers import Dossiers
from services.authorization.exports import Exports, files
from services.authorization.grants import Grants
from services.authorization.lifecycle import ABSTAIN, AGAINST, IN_FAVOUR, Step
from services.authorization.model import Asker
from services.authorization.previews import Previews
from services.authorization.replay import read
from services.authorization.standing import Standing
from services.authorization.wire import stamp
from services.runtime.peer import current_peer

BALLOTS = {
    api.BALLOT_IN_FAVOUR: IN_FAVOUR,
    api.BALLOT_AGAINST: AGAINST,
    api.BALLOT_ABSTAIN: ABSTAIN,
}
PIECE_BYTES = 512 * 1024
Digest = Callable[[int], Awaitable[bytes]]


class Lives(NamedTuple):
    """What happens to a deliberation, before and after its publication, and what is read of it."""

    dossiers: Dossiers
    standing: Standing
    previews: Previews
    exports: Exports


class DeliberationServicer(DeliberationServiceServicer):
    """The life of deliberations. `digest` is that of the table of grants at a version."""

    def __init__(self, *, lives: Lives, grants: Grants, digest: Digest) -> None:
        self._dossiers, self._standing, self._previews, self._exports = lives
        self._grants = grants
        self._digest = digest

    async def DraftDeliberation(
        self, request: api.DraftDeliberationRequest, context: Any
    ) -> api.DraftDeliberationResponse:
        """Open a dossier, or rewrite one."""
        draft = wire.draft_from(request.draft)
        done = await self._dossiers.draft(draft, request.dossier_id, _asker())
        return api.DraftDeliberationResponse(dossier_id=str(done))

    async def GiveOpinion(
        self, request: api.GiveOpinionRequest, context: Any
    ) -> api.GiveOpinionResponse:
        """The security officer's opinion."""
        outcome = "favourable" if request.favourable else "unfavourable"
        await self._act(request, Step.OPINION, outcome, request.text)
        return api.GiveOpinionResponse()

    async def Admit(self, request: api.AdmitRequest, context: Any) -> api.AdmitResponse:
        """Whether it is admissible."""
        outcome = "admissible" if request.admissible else "inadmissible"
        await self._act(request, Step.ADMIT, outcome, request.text)
        return api.AdmitResponse()

    async def GiveAdvice(
        self, request: api.GiveAdviceRequest, context: Any
    ) -> api.GiveAdviceResponse:
        """The advice on which the chamber decides."""
        outcome = "favourable" if request.favourable else "unfavourable"
        await self._act(request, Step.ADVICE, outcome, request.text)
        return api.GiveAdviceResponse()

    async def Recuse(self, request: api.RecuseRequest, context: Any) -> api.RecuseResponse:
        """Withdraw from the decision."""
        await self._act(request, Step.RECUSE, "", request.text)
        return api.RecuseResponse()

    async def Vote(self, request: api.VoteRequest, context: Any) -> api.VoteResponse:
        """Vote."""
        await self._act(request, Step.VOTE, BALLOTS[request.ballot], request.text)
        return api.VoteResponse()

    async def CloseVote(self, request: api.CloseVoteRequest, context: Any) -> api.CloseVoteResponse:
        """Count and decide."""
        votes = await self._dossiers.close(request.dossier_id, _asker())
        return api.CloseVoteResponse(
            adopted=votes.adopted,
            in_favour=votes.in_favour,
            against=votes.against,
            abstained=votes.abstained,
            members=votes.members,
        )

    async def PublishDossier(
        self, request: api.PublishDossierRequest, context: Any
    ) -> api.PublishDossierResponse:
        """Publish what was adopted."""
        deliberation, done = await self._dossiers.publish(request.dossier_id, _asker())
        return api.PublishDossierResponse(
            number=deliberation.number,
            deliberation_version=deliberation.version,
            enters_into_force=stamp(deliberation.enters_into_force),
            version=done.version,
            digest=await self._digest(done.version),
            log_index=done.log_index,
        )

    async def WithdrawDossier(
        self, request: api.WithdrawDossierRequest, context: Any
    ) -> api.WithdrawDossierResponse:
        """End a dossier."""
        await self._act(request, Step.WITHDRAW, "", request.reason)
        return api.WithdrawDossierResponse()

    async def GetDossier(
        self, request: api.GetDossierRequest, context: Any
    ) -> api.GetDossierResponse:
        """One dossier."""
        found = await self._dossiers.get(request.dossier_id, _asker())
        return api.GetDossierResponse(dossier=wire.dossier_to(found))

    async def ListDossiers(
        self, request: api.ListDossiersRequest, context: Any
    ) -> api.ListDossiersResponse:
        """Those that the caller may read."""
        found, more = await self._dossiers.list(
            wire.stage_from(request.stage), request.page_size, request.page_token, _asker()
        )
        return api.ListDossiersResponse(dossiers=map(wire.dossier_to, found), next_page_token=more)

    async def SuspendDeliberation(
        self, request: api.SuspendDeliberationRequest, context: Any
    ) -> api.SuspendDeliberationResponse:
        """Take its grants off the record for a time."""
        person = current_peer().person
        done = await self._standing.suspend(request.number, request.reason, person)
        return api.SuspendDeliberationResponse(
            version=done.version,
            log_index=done.log_index,
            subscribers=await self._subscribers(done.version),
        )

    async def LiftSuspension(
        self, request: api.LiftSuspensionRequest, context: Any
    ) -> api.LiftSuspensionResponse:
        """Propose that, or do it."""
        person = current_peer().person
        missing, done = await self._standing.lift(request.number, request.reason, person)
        if done is None:
            return api.LiftSuspensionResponse(missing=missing)
        return api.LiftSuspensionResponse(version=done.version, log_index=done.log_index)

    async def WithdrawDeliberation(
        self, request: api.WithdrawDeliberationRequest, context: Any
    ) -> api.WithdrawDeliberationResponse:
        """End it for good."""
        person = current_peer().person
        done = await self._standing.withdraw(request.number, request.reason, person)
        return api.WithdrawDeliberationResponse(
            version=done.version,
            log_index=done.log_index,
            subscribers=await self._subscribers(done.version),
        )

    async def AnalyseDraft(
        self, request: api.AnalyseDraftRequest, context: Any
    ) -> api.AnalyseDraftResponse:
        """What is odd about a draft."""
        found = self._previews.analyse(wire.draft_from(request.draft))
        return api.AnalyseDraftResponse(
            findings=[
                api.Finding(
                    grant=int(each.grant.rpartition("#")[2]) - 1,
                    oddity=each.oddity,
                    text=each.text,
                    others=each.others,
                )
                for each in found
            ]
        )

    async def SimulateDraft(
        self, request: api.SimulateDraftRequest, context: Any
    ) -> api.SimulateDraftResponse:
        """What a draft would change."""
        draft = wire.draft_from(request.draft)
        return wire.simulation_to(self._previews.simulate(draft, read(request.audits)))

    async def ExportPublication(
        self, request: api.ExportPublicationRequest, context: Any
    ) -> AsyncIterator[api.ExportPublicationResponse]:
        """Every file of the publication."""
        done = await self._exports.export(str(current_peer()), request.unless_version)
        if done is None:
            return
        digest, index, version = done.digest, done.log_index, done.edition.version
        async for path, content in files(done.edition):
            for start in range(0, max(1, len(content)), PIECE_BYTES):
                yield api.ExportPublicationResponse(
                    path=path,
                    content=content[start : start + PIECE_BYTES],
                    digest=digest,
                    log_index=index,
                    version=version,
                )
                digest, index, version = b"", 0, 0

    async def _act(self, request: Any, step: Step, outcome: str, text: str) -> None:
        await self._dossiers.act(request.dossier_id, step, _asker(), outcome=outcome, text=text)

    async def _subscribers(self, version: int) -> list[grants_api.Subscriber]:
        return [
            grants_api.Subscriber(name=each.name, version=each.version, confirmed=each.confirmed)
            for each in await self._grants.subscribers(version)
        ]


def _asker() -> Asker:
    peer = current_peer()
    return Asker(peer.institution, peer.application, peer.person)
