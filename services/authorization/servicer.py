"""authorization.v1: messages to the model, one operation each, and back."""

from collections.abc import AsyncIterator
from typing import Any

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1.authorization_service_pb2_grpc import AuthorizationServiceServicer
from services.authorization import decision_wire, wire
from services.authorization.decisions import Decisions
from services.authorization.deliberations import Deliberations
from services.authorization.grants import Grants
from services.authorization.model import Asker
from services.runtime.peer import Kind, current_peer
from services.runtime.watch.owner import Table


class AuthorizationServicer(AuthorizationServiceServicer):
    """The API of authorization. `table` is the table of grants that it serves."""

    def __init__(
        self, *, deliberations: Deliberations, grants: Grants, decisions: Decisions, table: Table
    ) -> None:
        self._deliberations = deliberations
        self._grants = grants
        self._decisions = decisions
        self._table = table

    async def SubmitDeliberation(
        self, request: api.SubmitDeliberationRequest, context: Any
    ) -> api.SubmitDeliberationResponse:
        """Submit a deliberation."""
        draft = wire.deliberation_from(request.deliberation)
        await self._deliberations.submit(draft, current_peer().person)
        return api.SubmitDeliberationResponse(number=draft.number)

    async def PublishDeliberation(
        self, request: api.PublishDeliberationRequest, context: Any
    ) -> api.PublishDeliberationResponse:
        """Publish a deliberation."""
        done = await self._deliberations.publish(request.number, current_peer().person)
        return api.PublishDeliberationResponse(
            version=done.version,
            digest=await self.digest(done.version),
            log_index=done.log_index,
        )

    async def RevokeGrant(
        self, request: api.RevokeGrantRequest, context: Any
    ) -> api.RevokeGrantResponse:
        """End a grant."""
        done = await self._grants.revoke(request.grant_id, request.reason, current_peer().person)
        subscribers = await self._grants.subscribers(done.version)
        return api.RevokeGrantResponse(
            version=done.version,
            log_index=done.log_index,
            subscribers=[
                api.Subscriber(name=each.name, version=each.version, confirmed=each.confirmed)
                for each in subscribers
            ],
        )

    async def GetDeliberation(
        self, request: api.GetDeliberationRequest, context: Any
    ) -> api.GetDeliberationResponse:
        """One deliberation."""
        peer = current_peer()
        reader = peer.person if peer.kind is Kind.PERSON else None
        found, token = await self._deliberations.get(
            request.number,
            request.page_size,
            request.page_token,
            reader=reader,
            version=request.version,
        )
        return api.GetDeliberationResponse(
            deliberation=wire.deliberation_to(found), next_page_token=token
        )

    async def ListDeliberations(
        self, request: api.ListDeliberationsRequest, context: Any
    ) -> api.ListDeliberationsResponse:
        """The published deliberations."""
        found, token = await self._deliberations.list(request.page_size, request.page_token)
        return api.ListDeliberationsResponse(
            deliberations=map(wire.deliberation_to, found), next_page_token=token
        )

    async def Check(self, request: api.CheckRequest, context: Any) -> api.CheckResponse:
        """Would this exchange be allowed now?"""
        question = decision_wire.request_from(request, current_peer().application)
        return decision_wire.check_to(self._decisions.check(question, _asker()))

    async def WatchGrants(
        self, request_iterator: AsyncIterator[api.WatchGrantsRequest], context: Any
    ) -> AsyncIterator[api.WatchGrantsResponse]:
        """The published grants, to one subscriber."""
        updates = self._table.respond(
            request_iterator, api.WatchGrantsResponse, subscriber=current_peer().service
        )
        async for update in updates:
            yield update

    async def digest(self, version: int) -> bytes:
        """Of the table at that version, which others may have left behind already."""
        await self._table.refresh()
        if self._table.version == version:
            return self._table.digest
        return (await self._table.snapshot_of(version)).digest


def _asker() -> Asker:
    peer = current_peer()
    return Asker(peer.institution, peer.application, peer.person)
