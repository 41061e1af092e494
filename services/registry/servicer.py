"""registry.v1: messages to the model, one operation each, and back."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from crossroads.registry.v1 import registry_service_pb2 as api
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from services.registry import wire
from services.registry.acts import Acts, digest
from services.registry.catalogue import Catalogue
from services.registry.model import Progress
from services.runtime.peer import current_peer
from services.runtime.watch.owner import Table


class RegistryServicer(RegistryServiceServicer):
    """The API of registry. `directory` and `catalogue` are the tables that it serves."""

    def __init__(
        self, *, acts: Acts, catalogue: Catalogue, directory: Table, entries: Table
    ) -> None:
        self._acts = acts
        self._catalogue = catalogue
        self._directory = directory
        self._entries = entries

    async def Genesis(self, request: api.GenesisRequest, context: Any) -> api.GenesisResponse:
        """Enrol the first administrators."""
        index = await self._acts.genesis(list(request.administrators), request.threshold)
        return api.GenesisResponse(log_index=index)

    async def ProposeAct(
        self, request: api.ProposeActRequest, context: Any
    ) -> api.ProposeActResponse:
        """Propose changes."""
        progress = await self._acts.propose(
            current_peer().person,
            request.reason,
            wire.changes_from(request.changes),
            wire.encode(request.changes),
        )
        return api.ProposeActResponse(act_id=str(progress.act_id), **_outcome(progress))

    async def ApproveAct(
        self, request: api.ApproveActRequest, context: Any
    ) -> api.ApproveActResponse:
        """Approve an act."""
        progress = await self._acts.approve(UUID(request.act_id), current_peer().person)
        return api.ApproveActResponse(**_outcome(progress))

    async def GetAct(self, request: api.GetActRequest, context: Any) -> api.GetActResponse:
        """One act."""
        act = await self._acts.get(UUID(request.act_id))
        response = api.GetActResponse(
            reason=act.reason,
            changes=wire.decode(act.encoded),
            proposer=act.proposer,
            approvers=act.approvers,
            digest=digest(act.encoded),
            proposed_at=wire.instant_to(act.proposed_at),
        )
        if act.applied_at is not None and act.log_index is not None:
            response.applied_at.CopyFrom(wire.instant_to(act.applied_at))
            response.log_index = act.log_index
        return response

    async def ListInstitutions(
        self, request: api.ListInstitutionsRequest, context: Any
    ) -> api.ListInstitutionsResponse:
        """The institutions of the sector."""
        page = await self._catalogue.institutions(request.page_size, request.page_token)
        return api.ListInstitutionsResponse(
            institutions=map(wire.institution_to, page.items), next_page_token=page.next_token
        )

    async def ListDataElements(
        self, request: api.ListDataElementsRequest, context: Any
    ) -> api.ListDataElementsResponse:
        """The information model."""
        page = await self._catalogue.elements(request.page_size, request.page_token)
        return api.ListDataElementsResponse(
            elements=map(wire.element_to, page.items), next_page_token=page.next_token
        )

    async def ListCodes(self, request: api.ListCodesRequest, context: Any) -> api.ListCodesResponse:
        """The codes of one list, or of all."""
        page = await self._catalogue.codes(request.list, request.page_size, request.page_token)
        return api.ListCodesResponse(
            codes=map(wire.code_to, page.items), next_page_token=page.next_token
        )

    async def ListExchangeServices(
        self, request: api.ListExchangeServicesRequest, context: Any
    ) -> api.ListExchangeServicesResponse:
        """The exchange services that can be asked."""
        page = await self._catalogue.services(request.page_size, request.page_token)
        return api.ListExchangeServicesResponse(
            services=map(wire.service_to, page.items), next_page_token=page.next_token
        )

    async def WatchDirectory(
        self, request_iterator: AsyncIterator[api.WatchDirectoryRequest], context: Any
    ) -> AsyncIterator[api.WatchDirectoryResponse]:
        """Who is active, to one subscriber."""
        updates = self._directory.respond(
            request_iterator, api.WatchDirectoryResponse, subscriber=current_peer().service
        )
        async for update in updates:
            yield update

    async def WatchCatalogue(
        self, request_iterator: AsyncIterator[api.WatchCatalogueRequest], context: Any
    ) -> AsyncIterator[api.WatchCatalogueResponse]:
        """What can be asked, to one subscriber."""
        updates = self._entries.respond(
            request_iterator, api.WatchCatalogueResponse, subscriber=current_peer().service
        )
        async for update in updates:
            yield update


def _outcome(progress: Progress) -> dict[str, int]:
    """The fields that ProposeActResponse and ApproveActResponse share."""
    return {
        "missing": progress.missing,
        "log_index": progress.log_index or 0,
        "directory_version": progress.versions.directory or 0,
        "catalogue_version": progress.versions.catalogue or 0,
    }
