"""Two clouds with an authority each: what one certifies is worth nothing in the other."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from crossroads.publication.v1 import publication_service_pb2 as api
from crossroads.publication.v1.publication_service_pb2_grpc import PublicationServiceStub
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, Reason
from tests.support.pki import Pki
from tests.support.platform import Postgres
from tests.support.publishing import PublicWorld, publishing

pytestmark = pytest.mark.asyncio(loop_scope="module")
ELSEWHERE = Pki()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PublicWorld]:
    """Publication, certified by an authority that the community cloud does not know."""
    folder = tmp_path_factory.mktemp("clouds")
    async with publishing(postgres, folder, ELSEWHERE) as world:
        yield world


async def test_publisher_believes_the_authority_that_it_was_told_of_and_no_other(
    world: PublicWorld,
) -> None:
    told = world.folder / "public.pem"
    told.write_bytes(ELSEWHERE.intermediates["service"].pem)
    async with world.publisher() as publisher:
        await world.until(lambda: not publisher.health.status()["catalogue"], seconds=20)
    assert (await world.get("catalogue/catalogue.json")).status == 404
    async with world.publisher(publication_authority=str(told)):
        await world.until_shown("catalogue/catalogue.json", b"employment_periods")
        await world.until_shown("authorizations/authorizations.json", b"26/001")


@pytest.mark.parametrize("name", ["publication", "publisher", "routing"])
async def test_certificates_of_the_public_cloud_open_nothing_in_the_community_cloud(
    world: PublicWorld, name: str
) -> None:
    channel: Any = await world.channel(ELSEWHERE.service(name), "registry")
    with pytest.raises(CrossroadsError) as raised:
        await RegistryServiceStub(channel).ListInstitutions(registry.ListInstitutionsRequest())
    assert raised.value.reason is Reason.UNAVAILABLE


async def test_the_public_clouds_own_authority_can_not_name_a_publisher(world: PublicWorld) -> None:
    certificates = world.certificates(ELSEWHERE.service("publisher"))
    await certificates.start()
    channel: Any = Channel(
        target=world.peers["publication"],
        name="publication",
        certificates=certificates,
        trust=ELSEWHERE.intermediates["service"].pem,
    )
    world.stack.push_async_callback(channel.close)
    with pytest.raises(CrossroadsError) as raised:
        await PublicationServiceStub(channel).ListSnapshots(api.ListSnapshotsRequest())
    assert raised.value.reason is Reason.UNAVAILABLE
