"""What publication does: takes a snapshot, whole or not at all.

Contract: a push is one transaction. Items go through the editor of their collection, which says
which documents show them; only when the digest of all of them fits is anything of it to be seen.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.proof.snapshot import SnapshotDigest
from services.publication.model import (
    Collection,
    Document,
    Item,
    Snapshot,
    Value,
    shown_already,
)
from services.runtime.clock import Clock
from services.runtime.errors import invalid


class Transaction(Protocol):
    """One push. Nothing of it is seen before the transaction ends well."""

    async def shown(self) -> Snapshot | None:
        """The snapshot of the collection that is shown."""
        ...

    async def put(self, document: Document) -> None:
        """A document of the new snapshot."""
        ...

    async def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile as it is kept, in this transaction too; b"" for none."""
        ...

    async def put_tile(self, level: int, index: int, hashes: bytes) -> None:
        """Keep a tile, in the place of a narrower one."""
        ...

    async def show(self) -> None:
        """Show what was put, and no other document of the collection."""
        ...


class Store(Protocol):
    """Where what is shown is kept. All may raise STORE_UNAVAILABLE."""

    def replacing(self, snapshot: Snapshot) -> AbstractAsyncContextManager[Transaction]:
        """The one push of a collection at a time. Raises OVERLOADED while another goes on."""
        ...

    async def snapshots(self) -> list[Snapshot]:
        """What is shown, of each collection that was pushed."""
        ...


class Editor(Protocol):
    """Makes documents of the items of one push."""

    async def take(self, value: Value) -> None:
        """The next item. Raises INVALID_ARGUMENT."""
        ...

    async def finish(self) -> None:
        """There are no more. Raises INVALID_ARGUMENT when something is missing."""
        ...


MakeEditor = Callable[[Snapshot, Snapshot | None, Transaction], Editor]


class Publication:
    """The use cases of who pushes."""

    def __init__(
        self, *, store: Store, editors: Mapping[Collection, MakeEditor], clock: Clock, most: int
    ) -> None:
        """`most` is how many octets the items of one snapshot may have together."""
        self._store = store
        self._editors = editors
        self._clock = clock
        self._most = most

    async def push(self, snapshot: Snapshot, items: AsyncIterator[Item]) -> bool:
        """Show a snapshot; False when it was shown already.

        Raises INVALID_ARGUMENT, FAILED_PRECONDITION, OVERLOADED, STORE_UNAVAILABLE.
        """
        async with self._store.replacing(snapshot) as tx:
            shown = await tx.shown()
            if shown_already(shown, snapshot, self._clock.now()):
                return False
            editor = self._editors[snapshot.collection](snapshot, shown, tx)
            digest, octets = SnapshotDigest(), 0
            async for item in items:
                octets += len(item.octets)
                if octets > self._most:
                    raise invalid("item", f"the snapshot has more than {self._most} octets")
                digest.add(item.type_name, item.octets)
                await editor.take(item.value)
            if digest.value != snapshot.digest:
                raise invalid("snapshot.digest", "is not that of the items that came")
            await editor.finish()
            await tx.show()
        return True

    async def snapshots(self) -> list[Snapshot]:
        """What is shown."""
        return await self._store.snapshots()
