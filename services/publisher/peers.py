"""The owners of what is public, and publication, behind what publisher's operations need."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.authorization.v1 import deliberation_service_pb2 as authorization
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from crossroads.logging.v1 import evidence_service_pb2 as logging
from crossroads.logging.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from crossroads.publication.v1 import publication_service_pb2 as api
from crossroads.publication.v1.publication_service_pb2_grpc import PublicationServiceStub
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.publisher.model import Collection, Item, Shown, Snapshot
from services.publisher.spool import Spool
from services.runtime.channel import Channel
from services.runtime.clock import Clock
from services.runtime.sensitivity import public_part

PUSH_SECONDS = 600.0
READ_SECONDS = 300.0
PAGE = 200
DAYS = 90
"""How far back indicators are shown."""

_PREFIX = "COLLECTION_"


class Publication:
    """Publication, over mTLS: the channel believes only that one name of that one issuer."""

    def __init__(self, *, channel: Channel) -> None:
        self._stub: Any = cast("Any", PublicationServiceStub)(channel)  # it looks like gRPC's

    async def shown(self, collection: Collection) -> Shown | None:
        """The snapshot of a collection that is shown."""
        wanted = api.Collection.Value(f"{_PREFIX}{collection.upper()}")
        response = await self._stub.ListSnapshots(api.ListSnapshotsRequest())
        for each in response.snapshots:
            if each.collection == wanted:
                return Shown(each.version, _instant(each.made_at), each.digest)
        return None

    async def push(self, snapshot: Snapshot) -> bool:
        """Have it shown."""
        call = self._stub.Push(_requests(snapshot), timeout=PUSH_SECONDS)
        response: api.PushResponse = await call
        return response.changed


class Authorizations:
    """The published authorizations, as authorization exports them.

    An edition says what is in force on its day, so that there is one each day, and one for each
    version of the table of grants. Each is an entry of the log; `edition.json` says which.
    """

    def __init__(self, *, channel: Channel, clock: Clock) -> None:
        self._stub: Any = cast("Any", DeliberationServiceStub)(channel)
        self._clock = clock

    async def newer(self, shown: Shown | None) -> Snapshot | None:
        """The edition of this version and day, unless it is shown."""
        now = self._clock.now()
        known = 0
        if shown is not None and shown.made_at.date() == now.date():
            known = shown.version
        request = authorization.ExportPublicationRequest(unless_version=known)
        spool, version = Spool(), 0
        async for piece in self._stub.ExportPublication(request, timeout=READ_SECONDS):
            if not version:
                version = piece.version
                edition = {"digest": piece.digest.hex(), "log_index": piece.log_index}
                content = json.dumps(edition | {"table_version": version}, sort_keys=True)
                spool.add(api.File(path="edition.json", content=content.encode()))
            spool.add(api.File(path=piece.path, content=piece.content))
        if not version:
            return None
        return Snapshot(Collection.AUTHORIZATIONS, version, now, spool.digest, spool)


class Catalogue:
    """What registry lists, less what its proto does not mark as public."""

    def __init__(self, *, channel: Channel, clock: Clock) -> None:
        self._stub: Any = cast("Any", RegistryServiceStub)(channel)
        self._clock = clock

    async def newer(self, shown: Shown | None) -> Snapshot | None:
        """All of it, unless that is what is shown."""
        now = self._clock.now()
        spool = Spool()
        for method, request, field in (
            (self._stub.ListInstitutions, registry.ListInstitutionsRequest, "institutions"),
            (self._stub.ListDataElements, registry.ListDataElementsRequest, "elements"),
            (self._stub.ListCodes, registry.ListCodesRequest, "codes"),
            (self._stub.ListExchangeServices, registry.ListExchangeServicesRequest, "services"),
        ):
            async for each in _listed(method, request, field):
                spool.add(public_part(each))
        if not len(spool) or (shown is not None and shown.digest == spool.digest):
            return None
        return Snapshot(Collection.CATALOGUE, 0, now, spool.digest, spool)


class Indicators:
    """How many exchanges there were on each of the last days that are over, as logging gives it."""

    def __init__(self, *, channel: Channel, clock: Clock) -> None:
        self._stub: Any = cast("Any", EvidenceServiceStub)(channel)
        self._clock = clock

    async def newer(self, shown: Shown | None) -> Snapshot | None:
        """All of them, unless that is what is shown."""
        now = self._clock.now()
        since = (now.date() - timedelta(days=DAYS)).isoformat()
        spool = Spool()
        while since:
            response = await self._stub.ListIndicators(logging.ListIndicatorsRequest(since=since))
            for each in response.indicators:
                spool.add(public_part(each))
            since = response.next_since
        if shown is not None and shown.digest == spool.digest:
            return None
        return Snapshot(Collection.INDICATORS, 0, now, spool.digest, spool)


async def _listed(method: Any, request: Callable[..., Any], field: str) -> AsyncIterator[Any]:
    """Every item of a list in pages."""
    token = ""
    while True:
        response = await method(request(page_size=PAGE, page_token=token))
        for each in getattr(response, field):
            yield each
        token = response.next_page_token
        if not token:
            return


async def _requests(snapshot: Snapshot) -> AsyncIterator[api.PushRequest]:
    made_at = Timestamp()
    made_at.FromDatetime(snapshot.made_at)
    head = api.Snapshot(
        collection=api.Collection.Value(f"{_PREFIX}{snapshot.collection.upper()}"),
        version=snapshot.version,
        made_at=made_at,
        digest=snapshot.digest,
    )
    yield api.PushRequest(snapshot=head)
    for each in snapshot.items:
        yield api.PushRequest(item=_packed(each))


def _packed(item: Item) -> Packed:
    return Packed(type_url=f"type.googleapis.com/{item.type_name}", value=item.octets)


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)
