"""One suite for the store of publication in memory and for PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.publication.model import Collection, Document, Snapshot
from services.runtime.errors import CrossroadsError, Reason
from tests.support.platform import OpenDatabase
from tests.support.public import AT
from tests.support.publication_store import MemoryPublicationStore


@pytest.fixture(params=["memory", "postgres", "next version"])
async def store(request: pytest.FixtureRequest, fresh_database: OpenDatabase) -> AsyncIterator[Any]:
    """A store of each kind."""
    if request.param == "memory":
        yield MemoryPublicationStore()
        return
    from services.publication.store import PublicationStore  # noqa: PLC0415 - psycopg

    yield PublicationStore(
        database=await fresh_database("services.publication", ahead=request.param == "next version")
    )


def snapshot(version: int = 1, collection: Collection = Collection.CATALOGUE) -> Snapshot:
    digest = bytes([version % 256]) * 32
    return Snapshot(collection, version, AT + timedelta(seconds=version), digest)


async def show(store: Any, one: Snapshot, *documents: Document) -> None:
    async with store.replacing(one) as tx:
        for each in documents:
            await tx.put(each)
        await tx.show()


def document(name: str, content: bytes = b"x") -> Document:
    return Document(f"catalogue/{name}", content)


async def test_empty_store_shows_nothing(store: Any) -> None:
    assert await store.snapshots() == []
    assert await store.document("catalogue/a") is None
    assert await store.tile(0, 0) == (0, b"")
    async with store.replacing(snapshot()) as tx:
        assert await tx.shown() is None
        assert await tx.tile(0, 0) == b""


async def test_what_is_pushed_is_shown_and_what_was_before_is_gone(store: Any) -> None:
    await show(store, snapshot(1), document("a"), document("b"))
    await show(store, snapshot(2), document("b", b"new"), document("c", bytes(range(256))))
    assert await store.snapshots() == [snapshot(2)]
    assert await store.document("catalogue/a") is None
    assert (await store.document("catalogue/b")).content == b"new"
    assert (await store.document("catalogue/c")).content == bytes(range(256))


async def test_many_documents_are_all_shown(store: Any) -> None:
    documents = [document(f"{number:04}", b"%d" % number) for number in range(300)]
    await show(store, snapshot(), *documents)
    for each in documents:
        assert await store.document(each.path) == each


async def test_collections_do_not_touch_each_other(store: Any) -> None:
    await show(store, snapshot(3), document("a"))
    other = snapshot(1, Collection.AUTHORIZATIONS)
    await show(store, other, Document("authorizations/a", b"y"))
    assert await store.snapshots() == [other, snapshot(3)]
    assert (await store.document("catalogue/a")).content == b"x"


async def test_nothing_of_a_push_is_seen_before_it_ends(store: Any) -> None:
    await show(store, snapshot(1), document("a"))
    async with store.replacing(snapshot(2)) as tx:
        assert await tx.shown() == snapshot(1)
        await tx.put(document("a", b"new"))
        await tx.put_tile(0, 0, b"h" * 32)
        assert await tx.tile(0, 0) == b"h" * 32
        await tx.show()
        assert (await store.document("catalogue/a")).content == b"x"
        assert await store.snapshots() == [snapshot(1)]
        assert await store.tile(0, 0) == (0, b"")
    assert (await store.document("catalogue/a")).content == b"new"


async def test_nothing_of_a_push_that_fails_is_seen(store: Any) -> None:
    await show(store, snapshot(1), document("a"))

    async def fail() -> None:
        async with store.replacing(snapshot(2)) as tx:
            await tx.put(document("a", b"new"))
            await tx.put_tile(0, 0, b"h" * 32)
            await tx.show()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await store.snapshots() == [snapshot(1)]
    assert (await store.document("catalogue/a")).content == b"x"
    await show(store, snapshot(2), document("a", b"again"))


async def test_one_push_of_a_collection_at_a_time(store: Any) -> None:
    async with store.replacing(snapshot(1)):
        with pytest.raises(CrossroadsError) as raised:
            async with store.replacing(snapshot(2)):
                pass
        assert raised.value.reason is Reason.OVERLOADED
        async with store.replacing(snapshot(1, Collection.LOG)):
            pass
    async with store.replacing(snapshot(2)):
        pass


async def test_tile_grows_and_is_shown_with_the_size_of_the_log(store: Any) -> None:
    for size in (1, 2):
        async with store.replacing(snapshot(size, Collection.LOG)) as tx:
            await tx.put_tile(0, 7, b"h" * 32 * size)
            await tx.show()
        assert await store.tile(0, 7) == (size, b"h" * 32 * size)
    assert await store.tile(1, 7) == (2, b"")
