"""Snapshots: whole or not at all, never older, never what is not public."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossroads.logging.v1 import logging_service_pb2 as logging
from crossroads.publication.v1 import publication_service_pb2 as api
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.trust.v1 import trust_pb2 as trust
from services.publication import wire
from services.publication.model import Collection, Snapshot
from services.runtime.errors import CrossroadsError, Reason
from tests.support.public import AT, authorizations, catalogue, packed, snapshot
from tests.unit.publication.world import World

FILES = Collection.AUTHORIZATIONS


async def test_snapshot_is_shown_in_place_of_the_one_before() -> None:
    world = World()
    assert await world.push(FILES, [*authorizations(), api.File(path="old.html", content=b"x")])
    assert await world.push(FILES, authorizations("two"), version=2)
    assert world.store.documents.keys() == {
        "authorizations/authorizations.json",
        "authorizations/fr/index.html",
    }
    assert world.store.documents["authorizations/authorizations.json"].content == b'{"a":1}'
    assert world.store.documents["authorizations/fr/index.html"].content == b"<p>two</p>"


async def test_snapshot_that_is_shown_already_changes_nothing() -> None:
    world = World()
    await world.push(FILES, authorizations())
    assert not await world.push(FILES, authorizations())
    assert not await world.push(FILES, authorizations(), minutes=-5)


@pytest.mark.parametrize(("version", "minutes"), [(4, 3), (5, -1), (5, 0)])
async def test_older_snapshot_is_refused(version: int, minutes: int) -> None:
    world = World()
    await world.push(FILES, authorizations(), version=5)
    error = await world.refused(FILES, authorizations("old"), version=version, minutes=minutes)
    assert error.reason is Reason.FAILED_PRECONDITION


async def test_later_instant_of_the_same_version_is_newer() -> None:
    world = World()
    await world.push(FILES, authorizations(), version=5)
    assert await world.push(FILES, authorizations("new"), version=5, minutes=1)


async def test_snapshot_from_the_future_can_not_shut_out_what_follows() -> None:
    error = await World().refused(FILES, authorizations(), minutes=6)
    assert error.fields[0].field == "snapshot.made_at"


async def test_digest_that_does_not_fit_is_refused() -> None:
    head = snapshot(FILES, authorizations("other"))
    error = await World().refused(FILES, authorizations(), head=head)
    assert error.fields[0].field == "snapshot.digest"


async def test_order_and_type_of_items_are_part_of_the_digest() -> None:
    items = catalogue()
    digests = {snapshot(FILES, each).digest for each in (items, items[::-1], items[:-1])}
    one = snapshot(FILES, [api.Checkpoint(note="a")])
    other = snapshot(FILES, [registry.Labels(fr="a")])
    assert len(digests | {one.digest, other.digest}) == 5


async def test_snapshot_that_is_too_large_is_refused() -> None:
    error = await World(most=20).refused(FILES, authorizations())
    assert "more than 20 octets" in error.message


async def test_two_pushes_of_one_collection_do_not_mix() -> None:
    world = World()
    async with world.store.replacing(snapshot(FILES, [])):
        error = await world.refused(FILES, authorizations())
        assert error.reason is Reason.OVERLOADED
        assert await world.push(Collection.CATALOGUE, catalogue())


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a b", "a/", "é"]
)
async def test_path_outside_the_collection_is_refused(path: str) -> None:
    await World().refused(FILES, [api.File(path=path, content=b"x")])


async def test_file_that_comes_twice_or_is_too_large_is_refused() -> None:
    one, other = api.File(path="a", content=b"x"), api.File(path="b", content=b"x")
    assert "twice" in (await World().refused(FILES, [one, other, one])).message
    large = api.File(path="a", content=bytes(1 << 15))
    assert "a has more" in (await World().refused(FILES, [large, large, large])).message
    assert "no file" in (await World().refused(FILES, [])).message


@pytest.mark.parametrize("collection", Collection)
async def test_item_of_another_collection_is_refused(collection: Collection) -> None:
    foreign = catalogue() if collection is FILES else authorizations()
    assert (await World().refused(collection, foreign)).reason is Reason.INVALID_ARGUMENT


def test_what_its_proto_does_not_mark_as_public_does_not_get_in() -> None:
    service = registry.ExchangeService(id="periods", source_timeout_ms=3)
    with pytest.raises(CrossroadsError, match="source_timeout_ms is not public"):
        wire.item_from(packed(service))
    service.ClearField("source_timeout_ms")
    service.MergeFromString(b"\xfa\x01\x03abc")
    with pytest.raises(CrossroadsError, match="unknown fields"):
        wire.item_from(packed(service))
    for message in (trust.Person(id="p"), logging.Entry(subject_key="k"), registry.Labels(fr="a")):
        with pytest.raises(CrossroadsError, match="none that is shown"):
            wire.item_from(packed(message))


def test_octets_that_are_no_message_are_refused() -> None:
    item = packed(api.Checkpoint(note="x"))
    item.value = b"\xff\xff"
    with pytest.raises(CrossroadsError, match=r"is no crossroads\.publication\.v1\.Checkpoint"):
        wire.item_from(item)


@given(st.sampled_from(sorted(wire.SHOWN)), st.binary(max_size=80))
def test_whatever_comes_is_an_item_or_refused(name: str, octets: bytes) -> None:
    item = packed(api.Checkpoint())
    item.type_url, item.value = f"type.googleapis.com/{name}", octets
    try:
        octets_taken = wire.item_from(item).octets
    except CrossroadsError as error:
        refusal = error.reason
    else:
        assert octets_taken == octets
        return
    assert refusal is Reason.INVALID_ARGUMENT


def test_every_type_that_is_shown_is_public_by_its_proto() -> None:
    for name, (kind, _) in wire.SHOWN.items():
        assert wire.item_from(packed(kind())).type_name == name


@pytest.mark.parametrize("collection", Collection)
def test_snapshot_travels_unchanged(collection: Collection) -> None:
    one = Snapshot(collection, 7, AT, bytes(32))
    assert wire.snapshot_from(wire.snapshot_to(one)) == one
