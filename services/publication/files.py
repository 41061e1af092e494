"""The files of the published authorizations, shown as they come. Pure.

Contract: pieces of one path follow each other; a path comes once. `most` bounds one file.
"""

import re

from services.publication.model import Document, Piece, Snapshot, Value
from services.publication.operations import Transaction
from services.runtime.errors import invalid

MOST_BYTES = 64 << 20
_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)


class FilesEditor:
    """Takes one push."""

    def __init__(
        self, snapshot: Snapshot, _: Snapshot | None, tx: Transaction, *, most: int = MOST_BYTES
    ) -> None:
        self._folder = snapshot.collection
        self._tx = tx
        self._most = most
        self._path = ""
        self._content = bytearray()
        self._done: set[str] = set()

    async def take(self, value: Value) -> None:
        """The next piece."""
        if not isinstance(value, Piece) or _PATH.fullmatch(value.path) is None:
            raise invalid("item", "is not a piece of a file with a path below the collection")
        if value.path != self._path:
            await self._close()
            if value.path in self._done:
                raise invalid("item", f"{value.path} comes twice")
            self._path = value.path
        self._content += value.content
        if len(self._content) > self._most:
            raise invalid("item", f"{value.path} has more than {self._most} octets")

    async def finish(self) -> None:
        """The last file is whole."""
        await self._close()
        if not self._done:
            raise invalid("item", "there is no file")

    async def _close(self) -> None:
        if self._path:
            self._done.add(self._path)
            await self._tx.put(Document(f"{self._folder}/{self._path}", bytes(self._content)))
        self._path, self._content = "", bytearray()
