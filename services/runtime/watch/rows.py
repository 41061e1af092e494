"""What owner and subscriber agree on: changes, versions, and the digest of a table.

The digest is SHA-256 over the sorted row hashes; a row's hash is SHA-256(length of the key in
UTF-8, 4 bytes big-endian ‖ key ‖ value). Both sides keep it up to date row by row; no I/O here.
"""

import asyncio
import hashlib
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

MAX_ROW_BYTES = 512 * 1024
"""The largest key and value together: a row must fit into a message with room to spare."""

PART_BYTES = 256 * 1024
"""How much goes into one message: small, so that neither side is long at it."""

YIELD_ROWS = 256
"""After how many rows whoever works through a table lets the event loop go on."""

EMPTY_DIGEST = hashlib.sha256().digest()

_BUCKETS = 256
_YIELD_HASHES = 65_536


@dataclass(frozen=True)
class Change:
    """One row of a watched table as it will be: its key and its value; None takes the row away."""

    key: str
    value: bytes | None


@dataclass(frozen=True)
class Version:
    """One committed state of a watched table; version 0 is empty and has no `recorded_at`."""

    version: int
    recorded_at: datetime | None


@dataclass(frozen=True)
class Image:
    """A whole table at one version."""

    version: int
    recorded_at: datetime | None
    rows: dict[str, bytes]
    digest: bytes


def row_hash(key: str, value: bytes) -> bytes:
    """SHA-256 of one row, 32 bytes."""
    name = key.encode()
    return hashlib.sha256(len(name).to_bytes(4, "big") + name + value).digest()


class RowHashes:
    """The hashes of a table's rows, kept sorted in buckets by their first byte.

    A change costs a search in one bucket; the digest one pass over all hashes, in steps between
    which the event loop goes on. The caller makes no change while a digest is being taken.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, bytes] = {}
        self._buckets: list[list[bytes]] = [[] for _ in range(_BUCKETS)]

    def __len__(self) -> int:
        return len(self._by_key)

    def put(self, key: str, value: bytes) -> None:
        """The row `key` is there with this value, whatever it was before."""
        self.remove(key)
        new = row_hash(key, value)
        self._by_key[key] = new
        insort(self._buckets[new[0]], new)

    def remove(self, key: str) -> None:
        """The row `key` is not there; it need not have been."""
        old = self._by_key.pop(key, None)
        if old is not None:
            bucket = self._buckets[old[0]]
            del bucket[bisect_left(bucket, old)]

    async def apply(self, changes: Iterable[Change]) -> None:
        """All of these, in order; the event loop goes on meanwhile."""
        for count, change in enumerate(changes):
            if count % YIELD_ROWS == YIELD_ROWS - 1:
                await asyncio.sleep(0)
            if change.value is None:
                self.remove(change.key)
            else:
                self.put(change.key, change.value)

    async def digest(self) -> bytes:
        """SHA-256 over the sorted hashes, 32 bytes."""
        whole = hashlib.sha256()
        since_yield = 0
        for bucket in self._buckets:
            whole.update(b"".join(bucket))
            since_yield += len(bucket)
            if since_yield >= _YIELD_HASHES:
                since_yield = 0
                await asyncio.sleep(0)
        return whole.digest()
