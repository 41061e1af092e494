"""publication.v1: messages to the model, one operation each, and back."""

from collections.abc import AsyncIterator
from typing import Any

from crossroads.publication.v1 import publication_service_pb2 as api
from crossroads.publication.v1.publication_service_pb2_grpc import PublicationServiceServicer
from services.publication import wire
from services.publication.model import Item
from services.publication.operations import Publication
from services.runtime.errors import invalid


class PublicationServicer(PublicationServiceServicer):
    """The API of publication."""

    def __init__(self, *, publication: Publication) -> None:
        self._publication = publication

    async def Push(
        self, request_iterator: AsyncIterator[api.PushRequest], context: Any
    ) -> api.PushResponse:
        """Take a snapshot."""
        parts = aiter(request_iterator)
        try:
            first = await anext(parts, None)
            if first is None or first.WhichOneof("part") != "snapshot":
                raise invalid("snapshot", "comes first")
            snapshot = wire.snapshot_from(first.snapshot)
            changed = await self._publication.push(snapshot, _items(parts))
        finally:
            # Who still writes when the call ends is told that writing failed, and not why.
            async for _ in request_iterator:
                pass
        return api.PushResponse(changed=changed)

    async def ListSnapshots(
        self, request: api.ListSnapshotsRequest, context: Any
    ) -> api.ListSnapshotsResponse:
        """What is shown."""
        shown = await self._publication.snapshots()
        return api.ListSnapshotsResponse(snapshots=map(wire.snapshot_to, shown))


async def _items(parts: AsyncIterator[api.PushRequest]) -> AsyncIterator[Item]:
    async for part in parts:
        if part.WhichOneof("part") != "item":
            raise invalid("snapshot", "comes once")
        yield wire.item_from(part.item)
