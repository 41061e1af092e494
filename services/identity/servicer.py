"""identity.v1: messages to the model, one operation each, and back."""

from collections.abc import AsyncIterator
from typing import Any

from crossroads.identity.v1 import identity_service_pb2 as api
from crossroads.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer
from services.identity import wire
from services.identity.operations import Identity
from services.runtime.peer import current_peer
from services.runtime.watch.owner import Table


class IdentityServicer(IdentityServiceServicer):
    """The API of identity. `replacements` is the table that it serves."""

    def __init__(self, *, identity: Identity, replacements: Table) -> None:
        self._identity = identity
        self._replacements = replacements

    async def RegisterPersons(
        self, request: api.RegisterPersonsRequest, context: Any
    ) -> api.RegisterPersonsResponse:
        """Take up keys that a register has given out."""
        persons = [wire.person_from(each) for each in request.persons]
        return api.RegisterPersonsResponse(
            registered=await self._identity.register(_caller(), persons)
        )

    async def ReplaceKey(
        self, request: api.ReplaceKeyRequest, context: Any
    ) -> api.ReplaceKeyResponse:
        """Say that a number was replaced."""
        version = await self._identity.replace(_caller(), request.old_niss, request.new_niss)
        return api.ReplaceKeyResponse(version=version)

    async def ResolveKeys(
        self, request: api.ResolveKeysRequest, context: Any
    ) -> api.ResolveKeysResponse:
        """What each key stands for, in the order asked."""
        resolved = await self._identity.resolve(list(request.niss))
        return api.ResolveKeysResponse(keys=map(wire.resolved_to, resolved))

    async def WatchReplacements(
        self, request_iterator: AsyncIterator[api.WatchReplacementsRequest], context: Any
    ) -> AsyncIterator[api.WatchReplacementsResponse]:
        """The replaced keys, to one subscriber."""
        updates = self._replacements.respond(
            request_iterator, api.WatchReplacementsResponse, subscriber=current_peer().service
        )
        async for update in updates:
            yield update


def _caller() -> str:
    peer = current_peer()
    return f"{peer.institution}/{peer.application}"
