"""Who may push, what is refused over the wire, and that nothing can be asked back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass

from crossroads.publication.v1 import publication_service_pb2 as api
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.trust.v1 import trust_pb2 as trust
from services.publication.config import Config
from services.publication.model import Collection
from services.runtime.config import RuntimeConfig
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authority import MEMBERS
from tests.support.pki import Leaf, Pki
from tests.support.public import authorizations, catalogue, requests, snapshot
from tests.support.publishing import PublicWorld
from tools.sensitivity import descriptors

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILES, CATALOGUE = Collection.AUTHORIZATIONS, Collection.CATALOGUE


async def push(stub: Any, head: Any, items: Any) -> bool:
    """Push a snapshot; whether it changed what is shown."""
    response = await stub.Push(iter(list(requests(head, items))), timeout=20)
    return bool(response.changed)


async def refused(stub: Any, head: Any, items: Any) -> CrossroadsError:
    """The error of a push."""
    with pytest.raises(CrossroadsError) as raised:
        await push(stub, head, items)
    return raised.value


def wrong_callers(world: PublicWorld) -> dict[str, Leaf]:
    """Everybody but publisher."""
    pki = world.pki
    names = ("authorization", "registry", "logging", "routing", "publication", "publisher2")
    uri = "spiffe://crossroads/service/publisher"
    return {
        **{name: pki.service(name) for name in names},
        "institution": pki.institution("capac", "payments"),
        "person": pki.person(MEMBERS[0]),
        "publisher's name by the institutions' issuer": pki.leaf(
            uri, "publisher.crossroads.internal", "institution", timedelta(hours=1)
        ),
    }


async def test_only_the_one_identity_may_push(world: PublicWorld) -> None:
    head = snapshot(FILES, authorizations("forged"), version=1 << 40)
    before = await world.shown()
    for name, leaf in wrong_callers(world).items():
        stub = await world.pusher(leaf)
        with pytest.raises(CrossroadsError) as raised:
            await stub.ListSnapshots(api.ListSnapshotsRequest())
        expected = {Reason.CALLER_NOT_ALLOWED, Reason.UNAUTHENTICATED}
        assert raised.value.reason in expected, name
        await refused(stub, head, authorizations("forged"))
    stranger = await world.pusher(Pki().service("publisher"))
    assert (await refused(stranger, head, authorizations("forged"))).reason is Reason.UNAVAILABLE
    assert await world.shown() == before
    assert b"forged" not in (await world.get("authorizations/fr/index.html")).body


async def test_certificate_that_the_operator_named_is_refused(world: PublicWorld) -> None:
    stub = await world.pusher(world.stolen)
    with pytest.raises(CrossroadsError, match="revoked") as raised:
        await stub.ListSnapshots(api.ListSnapshotsRequest())
    assert raised.value.reason is Reason.UNAUTHENTICATED
    with pytest.raises(ValueError, match="lower-case hexadecimal"):
        Config(runtime=RuntimeConfig(name="publication"), revoked=("AB:CD",))


async def test_snapshot_is_shown_once_and_never_an_older_one(world: PublicWorld) -> None:
    stub = await world.pusher()
    head = snapshot(CATALOGUE, catalogue(), version=5)
    assert await push(stub, head, catalogue())
    assert not await push(stub, head, catalogue())
    older = replace(head, version=4, digest=snapshot(CATALOGUE, catalogue()[:1]).digest)
    error = await refused(stub, older, catalogue()[:1])
    assert error.reason is Reason.FAILED_PRECONDITION
    assert b"employment.kind" in (await world.get("catalogue/catalogue.json")).body


async def test_edition_of_another_day_gives_way_to_one_of_today(world: PublicWorld) -> None:
    async with world.database_of.connection() as conn:
        rows = await conn.execute("SELECT version FROM watch_head WHERE name = 'grants'")
        row = await rows.fetchone()
    assert row is not None
    yesterday = datetime.now(UTC) - timedelta(days=1)
    head = snapshot(FILES, authorizations("yesterday"), version=row[0], made_at=yesterday)
    assert await push(await world.pusher(), head, authorizations("yesterday"))
    async with world.publisher():
        await world.until_shown("authorizations/authorizations.json", b"26/001")
    assert (await world.shown())[api.COLLECTION_AUTHORIZATIONS].version == row[0]


async def test_digest_that_does_not_fit_changes_nothing(world: PublicWorld) -> None:
    stub = await world.pusher()
    before = (await world.get("catalogue/catalogue.json")).body
    head = snapshot(CATALOGUE, catalogue()[:2], version=9)
    error = await refused(stub, head, catalogue()[:3])
    assert error.fields[0].field == "snapshot.digest"
    assert (await world.get("catalogue/catalogue.json")).body == before


async def test_what_is_not_public_by_its_proto_is_refused(world: PublicWorld) -> None:
    stub = await world.pusher()
    hidden = registry.ExchangeService(id="periods", version=1, source_timeout_ms=5)
    for message in (hidden, trust.Person(id="somebody")):
        items = [*catalogue(), message]
        error = await refused(stub, snapshot(CATALOGUE, items, version=9), items)
        assert error.reason is Reason.INVALID_ARGUMENT
        assert "somebody" not in error.message


async def test_stream_must_begin_with_one_snapshot(world: PublicWorld) -> None:
    stub = await world.pusher()
    whole = list(requests(snapshot(CATALOGUE, catalogue(), version=9), catalogue()))
    for wrong in ([], whole[1:], [whole[0], whole[0]], [api.PushRequest()]):
        with pytest.raises(CrossroadsError) as raised:
            await stub.Push(iter(wrong), timeout=20)
        assert raised.value.reason is Reason.INVALID_ARGUMENT


async def test_log_of_another_key_is_refused(world: PublicWorld) -> None:
    from tests.support.public import PublicLog  # noqa: PLC0415

    other = PublicLog()
    items = other.items(0, 3)
    # Newer than what the world's own publisher may have pushed meanwhile.
    newer = snapshot(Collection.LOG, items, 1_000_000, datetime.now(UTC))
    error = await refused(await world.pusher(), newer, items)
    assert error.fields[0].field == "checkpoint"
    assert other.note(3).encode() not in (await world.get("log/checkpoint")).body


async def test_with_publications_certificate_nothing_can_be_asked_of_the_community_cloud(
    world: PublicWorld,
) -> None:
    mine = world.pki.service("publication")
    asked = 0
    for name, server in world.community().items():
        channel = await world.channel(mine, name)
        for file in descriptors():
            for service in file.services_by_name.values():
                for method in service.methods if service.full_name in server._services else ():
                    await no_answer(channel, service.full_name, method)
                    asked += 1
    assert asked > 40


async def no_answer(channel: Any, service: str, method: Any) -> None:
    """Call a method with an empty request; it must say that this caller may not."""
    kind = f"{'stream' if method.client_streaming else 'unary'}_"
    kind += "stream" if method.server_streaming else "unary"
    request, response = (GetMessageClass(each) for each in (method.input_type, method.output_type))
    call = getattr(channel, kind)(
        f"/{service}/{method.name}", request.SerializeToString, response.FromString
    )
    sent: Any = iter([request()]) if method.client_streaming else request()
    try:
        made = call(sent, timeout=10)
        if method.server_streaming:
            async for _ in made:
                pytest.fail(f"{method.full_name} answered")
        else:
            await made
    except CrossroadsError as error:
        assert error.reason is Reason.CALLER_NOT_ALLOWED, method.full_name  # noqa: PT017
    else:
        pytest.fail(f"{method.full_name} answered")


async def test_publication_opens_no_connection_and_can_not_be_given_one(world: PublicWorld) -> None:
    assert world.publication._channels == []
    with pytest.raises(ValueError, match="calls nobody"):
        Config(runtime=RuntimeConfig(name="publication", peers={"registry": "127.0.0.1:1"}))
