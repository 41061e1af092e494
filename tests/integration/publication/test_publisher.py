"""Publisher brings what is public to the public cloud, and believes only publication."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from crossroads.publication.v1 import publication_service_pb2 as api
from services.authorization.publication import digest
from services.proof import checkpoint as checkpoints
from services.proof.record import Kind
from services.proof.tiles import Tile, TileReader
from services.publisher.log import Log
from services.publisher.model import Collection, Shown
from services.publisher.operations import Publisher
from services.publisher.peers import Catalogue, Publication
from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.server import Server
from services.runtime.webclient import WebClient
from tests.support.authority import deliberation, row
from tests.support.evidence import exchange
from tests.support.logs import ORIGIN
from tests.support.pki import Pki
from tests.support.publishing import PublicWorld

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_public_sees_authorizations_catalogue_and_log(world: PublicWorld) -> None:
    async with world.publisher() as publisher:
        await world.until_shown("authorizations/authorizations.json", b"26/001")
        await world.until_shown("catalogue/catalogue.json", b"employment_periods")
        await world.until_shown("log/checkpoint", ORIGIN.encode())
        await world.until_shown("indicators/indicators.json", b"fewest")
        assert publisher.health.status()["catalogue"]
    page = (await world.get("authorizations/nl/institutions/capac.html")).body.decode()
    assert "Caisse auxiliaire" in page
    home = (await world.get("de/")).body.decode()
    assert home.count("Stand vom") == 4


async def test_edition_that_is_shown_is_the_one_whose_digest_is_in_the_log(
    world: PublicWorld,
) -> None:
    async with world.publisher():
        await world.until_shown("authorizations/edition.json", b"log_index")
    edition = json.loads((await world.get("authorizations/edition.json")).body)
    async with world.public_database.connection() as conn:
        rows = await conn.execute(
            "SELECT path, content FROM document WHERE collection = 'authorizations'"
        )
        files = {path.partition("/")[2]: bytes(content) for path, content in await rows.fetchall()}
    del files["edition.json"]
    hashes = {path: hashlib.sha256(content).digest() for path, content in files.items()}
    assert digest(hashes).hex() == edition["digest"]
    assert edition["log_index"] < await world.grow(1)


async def test_what_changes_is_shown_and_what_does_not_is_not_pushed_again(
    world: PublicWorld,
) -> None:
    async with world.publisher():
        await world.until_shown("authorizations/authorizations.json", b"26/001")
        before = await world.shown()
        logged = len(await world.logged())
        await world.publish(deliberation("26/002", row(institution="onem", application="")))
        await world.until_shown("fr/", b"Autorisations")
        await world.until_shown("authorizations/authorizations.json", b"26/002")
        size = await world.grow()
        await world.until_shown("log/checkpoint", f"\n{size}\n".encode())
        after = await world.shown()
    assert after[api.COLLECTION_CATALOGUE] == before[api.COLLECTION_CATALOGUE]
    # A submission, a publication, one edition; and what `grow` added.
    assert len(await world.logged()) == logged + 3 + 300


async def test_public_can_verify_the_log_from_what_is_shown_alone(world: PublicWorld) -> None:
    async with world.publisher():
        size = await world.grow(600)
        await world.until_shown("log/checkpoint", f"\n{size}\n".encode())
    note = (await world.get("log/checkpoint")).body.decode()
    said = checkpoints.verify(note, ORIGIN, [world.log.checkpoints.verifier_keys[0]])
    assert said.size == size
    read: dict[Tile, bytes] = {}
    for tile in needed(size):
        answer = await world.get(f"log/{tile.path}")
        assert answer.status == 200
        read[tile] = answer.body
    assert TileReader(size=size, read_tile=read.__getitem__).root() == said.root
    assert (await world.get("log/tile/entries/000")).status == 404


def needed(size: int) -> list[Tile]:
    """The tiles that the root is made of."""
    wanted: list[Tile] = []

    def note(tile: Tile) -> bytes:
        wanted.append(tile)
        return bytes(32 * tile.width)

    TileReader(size=size, read_tile=note).root()
    return wanted


async def test_indicators_of_days_that_are_over_are_shown_without_small_counts(
    world: PublicWorld,
) -> None:
    day = world.log.clock.now().date().isoformat()
    ends = [exchange() for _ in range(40)] + [exchange(Kind.REFUSAL) for _ in range(3)]
    await world.log.sequencer.append(ends)
    while await world.log.indexer.step():
        pass
    await world.log.later(days=1, hours=1)
    async with world.publisher():
        await world.until_shown("indicators/indicators.csv", day.encode())
    rows = (await world.get("indicators/indicators.csv")).body.decode().split("\r\n")
    shown = {row.rpartition(",")[::2] for row in rows if row.startswith(day)}
    assert shown == {
        (f"{day},employment_periods,released", "40"),
        (f"{day},employment_periods,refused", ""),
    }


async def test_log_that_is_behind_what_is_shown_is_not_pushed(world: PublicWorld) -> None:
    client = WebClient(url=f"http://{world.tiles.address}")
    owner = Log(client=client, clock=SystemClock())
    shown = Shown(1_000_000, datetime.now(UTC), bytes(32))
    with pytest.raises(CrossroadsError, match="an older one was put back") as raised:
        await owner.newer(shown)
    assert raised.value.reason is Reason.FAILED_PRECONDITION
    await client.close()


@pytest.mark.parametrize("imposter", ["another name", "another authority"])
async def test_publisher_gives_nothing_to_an_imposter(world: PublicWorld, imposter: str) -> None:
    leaf = (
        world.pki.service("registry")
        if imposter == "another name"
        else Pki().service("publication")
    )
    server = Server(certificates=world.certificates(leaf), issuers=world.pki.issuers)
    service = api.DESCRIPTOR.services_by_name["PublicationService"]
    taken: list[Any] = []
    server.add(adder, Taking(taken), service)
    address = await server.start()
    try:
        channel = await world.channel(world.pki.service("publisher"), "publication", at=address)
        owner = Catalogue(
            channel=await world.channel(world.pki.service("publisher"), "registry"),
            clock=SystemClock(),
        )
        loop = Publisher(
            collection=Collection.CATALOGUE,
            owner=owner,
            public=Publication(channel=channel),
            seconds=1,
        )
        with pytest.raises(CrossroadsError) as raised:
            await loop.look()
        assert raised.value.reason is Reason.UNAVAILABLE
    finally:
        await server.stop(0)
    assert taken == []


class Taking:
    """Takes whatever comes."""

    def __init__(self, taken: list[Any]) -> None:
        self._taken = taken

    async def Push(self, requests: Any, context: Any) -> Any:
        self._taken.append("push")

    async def ListSnapshots(self, request: Any, context: Any) -> Any:
        self._taken.append(request)
        return api.ListSnapshotsResponse()


def adder(servicer: Any, server: Any) -> None:
    from crossroads.publication.v1 import publication_service_pb2_grpc as grpc  # noqa: PLC0415

    grpc.add_PublicationServiceServicer_to_server(servicer, server)


async def test_publisher_tells_when_publication_is_away_and_goes_on_when_it_is_back(
    world: PublicWorld,
) -> None:
    async with world.publisher() as publisher:
        await world.until_shown("catalogue/catalogue.json", b"employment_periods")
        await world.publication.server.stop(0)
        await world.until(lambda: not publisher.health.status()["catalogue"], seconds=20)
        server = Server(
            certificates=world.certificates(world.pki.service("publication")),
            issuers=world.pki.issuers,
            listen=world.peers["publication"],
        )
        server._methods = world.publication.server._methods
        await server.start()
        world.stack.push_async_callback(server.stop, 0)
        await world.until(lambda: publisher.health.status()["catalogue"], seconds=20)
