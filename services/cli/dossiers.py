"""The calls behind `crossroads deliberation`: acts on a dossier and on what was published.

Contract: each function makes one call, as who acts, and never again by itself: an act that failed
may have been done. Raises CrossroadsError, PlatformError.
"""

import json
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple
from uuid import UUID

from google.protobuf import json_format

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from crossroads.authorization.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from services.cli.acts import Actor, acting
from services.cli.authorization import PAGE
from services.cli.platform.home import Home, PlatformError

BALLOTS = {
    "in-favour": life.BALLOT_IN_FAVOUR,
    "against": life.BALLOT_AGAINST,
    "abstain": life.BALLOT_ABSTAIN,
}
STAGES = tuple(name.removeprefix("STAGE_").lower() for name in life.Stage.keys()[1:])


class Desk(NamedTuple):
    """Who acts, and from which home."""

    home: Home
    actor: Actor

    def lives(self) -> AbstractAsyncContextManager[Any]:
        """A stub of DeliberationService."""
        return acting(self.home, self.actor, "authorization", DeliberationServiceStub)

    def transcriptions(self) -> AbstractAsyncContextManager[Any]:
        """A stub of AuthorizationService."""
        return acting(self.home, self.actor, "authorization", AuthorizationServiceStub)


def is_dossier(what: str) -> bool:
    """Whether this names a dossier, and not a deliberation."""
    try:
        UUID(what)
    except ValueError:
        return False
    return True


async def draft(desk: Desk, text: str, dossier: str, amends: str) -> str:
    """Open a dossier with the JSON of a Draft, or rewrite one; its id."""
    asked = read_draft(text)
    asked.amends = amends or asked.amends
    request = life.DraftDeliberationRequest(dossier_id=dossier, draft=asked)
    async with desk.lives() as stub:
        return (await stub.DraftDeliberation(request)).dossier_id  # type: ignore[no-any-return]


async def opinion(desk: Desk, dossier: str, favourable: bool, text: str) -> None:
    """The opinion of the applicant's security officer."""
    async with desk.lives() as stub:
        await stub.GiveOpinion(
            life.GiveOpinionRequest(dossier_id=dossier, favourable=favourable, text=text)
        )


async def admit(desk: Desk, dossier: str, admissible: bool, text: str) -> None:
    """Whether it is admissible."""
    async with desk.lives() as stub:
        await stub.Admit(life.AdmitRequest(dossier_id=dossier, admissible=admissible, text=text))


async def advise(desk: Desk, dossier: str, favourable: bool, text: str) -> None:
    """The advice on which the chamber decides."""
    async with desk.lives() as stub:
        await stub.GiveAdvice(
            life.GiveAdviceRequest(dossier_id=dossier, favourable=favourable, text=text)
        )


async def recuse(desk: Desk, dossier: str, text: str) -> None:
    """Withdraw from the decision."""
    async with desk.lives() as stub:
        await stub.Recuse(life.RecuseRequest(dossier_id=dossier, text=text))


async def vote(desk: Desk, dossier: str, ballot: str, text: str) -> None:
    """Vote; `ballot` is one of BALLOTS."""
    async with desk.lives() as stub:
        await stub.Vote(life.VoteRequest(dossier_id=dossier, ballot=BALLOTS[ballot], text=text))


async def close(desk: Desk, dossier: str) -> life.CloseVoteResponse:
    """Count the votes and decide."""
    async with desk.lives() as stub:
        counted: life.CloseVoteResponse = await stub.CloseVote(
            life.CloseVoteRequest(dossier_id=dossier)
        )
        return counted


async def publish(
    desk: Desk, what: str
) -> life.PublishDossierResponse | api.PublishDeliberationResponse:
    """Publish a dossier that was adopted, or a transcription by its number."""
    if is_dossier(what):
        async with desk.lives() as stub:
            return await stub.PublishDossier(  # type: ignore[no-any-return]
                life.PublishDossierRequest(dossier_id=what)
            )
    async with desk.transcriptions() as stub:
        return await stub.PublishDeliberation(  # type: ignore[no-any-return]
            api.PublishDeliberationRequest(number=what)
        )


async def withdraw(desk: Desk, what: str, reason: str) -> life.WithdrawDeliberationResponse | None:
    """End a dossier (None), or a published deliberation."""
    async with desk.lives() as stub:
        if is_dossier(what):
            await stub.WithdrawDossier(life.WithdrawDossierRequest(dossier_id=what, reason=reason))
            return None
        ended: life.WithdrawDeliberationResponse = await stub.WithdrawDeliberation(
            life.WithdrawDeliberationRequest(number=what, reason=reason)
        )
        return ended


async def suspend(desk: Desk, number: str, reason: str) -> life.SuspendDeliberationResponse:
    """Take all grants off the record until the suspension is lifted."""
    async with desk.lives() as stub:
        request = life.SuspendDeliberationRequest(number=number, reason=reason)
        return await stub.SuspendDeliberation(request)  # type: ignore[no-any-return]


async def lift(desk: Desk, number: str, reason: str) -> life.LiftSuspensionResponse:
    """Propose that a suspension be lifted, or lift it."""
    async with desk.lives() as stub:
        request = life.LiftSuspensionRequest(number=number, reason=reason)
        return await stub.LiftSuspension(request)  # type: ignore[no-any-return]


async def revoke(desk: Desk, grant: str, reason: str) -> api.RevokeGrantResponse:
    """End a grant at once."""
    async with desk.transcriptions() as stub:
        request = api.RevokeGrantRequest(grant_id=grant, reason=reason)
        return await stub.RevokeGrant(request)  # type: ignore[no-any-return]


async def transcribe(desk: Desk, text: str) -> str:
    """Submit the JSON of a Deliberation that was decided elsewhere; its number."""
    decided = _read(text, api.Deliberation(), "deliberation")
    async with desk.transcriptions() as stub:
        request = api.SubmitDeliberationRequest(deliberation=decided)
        return (await stub.SubmitDeliberation(request)).number  # type: ignore[no-any-return]


async def show(desk: Desk, dossier: str) -> life.Dossier:
    """A dossier with its acts."""
    async with desk.lives() as stub:
        answer = await stub.GetDossier(life.GetDossierRequest(dossier_id=dossier))
        return answer.dossier  # type: ignore[no-any-return]


async def waiting(desk: Desk, stage: str) -> list[life.Dossier]:
    """The dossiers that one may read, newest first; at one of STAGES, or at any ("")."""
    at = life.Stage.Value(f"STAGE_{stage.upper()}") if stage else life.STAGE_UNSPECIFIED
    request = life.ListDossiersRequest(stage=at, page_size=PAGE)
    found: list[life.Dossier] = []
    async with desk.lives() as stub:
        while True:
            page = await stub.ListDossiers(request)
            found += page.dossiers
            request.page_token = page.next_page_token
            if not request.page_token:
                return found


def read_draft(text: str) -> life.Draft:
    """A draft from the JSON of authorization.v1.Draft. Raises PlatformError that says what is
    wrong."""
    draft = life.Draft()
    _read(text, draft, "draft")
    return draft


def _read(text: str, message: Any, what: str) -> Any:
    """The message in a JSON text. A grant says whether its integration check blocks: left out, that
    would be no check."""
    try:
        json_format.Parse(text, message)
    except json_format.ParseError as error:
        kind = message.DESCRIPTOR.full_name.removeprefix("crossroads.")
        raise PlatformError(f"the {what} is no JSON of {kind}: {error}") from None
    for place, grant in enumerate(json.loads(text).get("grants") or ()):
        if not grant.get("prohibition") and grant.get("blocking") is None:
            raise PlatformError(
                f"{what}.grants[{place}].blocking: is missing; true refuses who is not known to "
                "both sides, false only says so in the answer"
            )
    return message
