"""Putting a table together from what arrives, and verifying it before anybody sees it.

Nothing is handed out until the owner's digest fits. Rows are decoded and hashed in steps between
which the event loop goes on.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError

from crossroads.watch.v1.watch_pb2 import Change, Snapshot
from services.runtime.watch.messages import recorded_at
from services.runtime.watch.pacing import settle
from services.runtime.watch.rows import YIELD_ROWS, RowHashes

T = TypeVar("T")
Decode = Callable[[str, bytes], T]


class UnusableError(Exception):
    """What arrived is not what the owner vouches for: start again from a snapshot."""


@dataclass(frozen=True)
class Whole(Generic[T]):
    """A verified table."""

    version: int
    recorded_at: datetime | None
    rows: dict[str, T]
    digest: bytes


@dataclass(frozen=True)
class Step(Generic[T]):
    """A verified step to a later version: (key, value), with None for a row that left."""

    version: int
    recorded_at: datetime | None
    changes: Sequence[tuple[str, T | None]]
    digest: bytes


class Assembly(Generic[T]):
    """The state between messages of one stream, and the hashes that outlive it.

    `held` says whether the hashes fit a verified table, so that the stream can be resumed there.
    """

    def __init__(self, *, decode: Decode[T]) -> None:
        self._decode = decode
        self._hashes = RowHashes()
        self.held = False
        self._parts: dict[str, T] | None = None
        self._parts_version = 0
        self._parts_hashes = RowHashes()
        self._changes: list[tuple[str, T | None]] = []
        self._changed_to = 0

    def restart(self) -> None:
        """A new stream begins: what had half arrived is gone."""
        if self._changes:
            self.held = False
        self._changes = []
        self._parts = None

    async def add_part(self, part: Snapshot) -> Whole[T] | None:
        """Take one part of a snapshot; the table when it was the last."""
        if self._parts is None:
            self._parts, self._parts_version = {}, part.version
            self._parts_hashes = RowHashes()
            self._changes, self.held = [], False
        elif part.version != self._parts_version:
            raise self._unusable("a snapshot of two versions")
        for count, row in enumerate(part.rows):
            if count % YIELD_ROWS == YIELD_ROWS - 1:
                await asyncio.sleep(0)
            self._parts[row.key] = self._read(row.key, row.value)
            self._parts_hashes.put(row.key, row.value)
        if not part.last:
            await settle()
            return None
        if await self._parts_hashes.digest() != part.digest:
            raise self._unusable("a snapshot that does not fit its digest")
        whole = Whole(part.version, recorded_at(part), self._parts, part.digest)
        self._hashes, self._parts = self._parts_hashes, None
        return whole

    def adopt(self) -> None:
        """The table that `add_part` gave is in place: changes go on from there."""
        self.held = True

    async def add_change(self, change: Change, version: int) -> Step[T] | None:
        """Take one Change on top of `version`; the step when its digest arrived."""
        begun = self._changed_to if self._changes else version
        if not self.held or not (change.version == begun + 1 or self._continues(change)):
            raise self._unusable("a change out of order")
        self._changed_to = change.version
        for count, row in enumerate(change.rows):
            if count % YIELD_ROWS == YIELD_ROWS - 1:
                await asyncio.sleep(0)
            if row.deleted:
                self._changes.append((row.key, None))
                self._hashes.remove(row.key)
            else:
                self._changes.append((row.key, self._read(row.key, row.value)))
                self._hashes.put(row.key, row.value)
        if not change.digest:
            return None
        if await self._hashes.digest() != change.digest:
            raise self._unusable("a change that does not fit its digest")
        changes, self._changes = self._changes, []
        return Step(change.version, recorded_at(change), changes, change.digest)

    def _continues(self, change: Change) -> bool:
        return bool(self._changes) and change.version == self._changed_to

    def _read(self, key: str, value: bytes) -> T:
        try:
            return self._decode(key, value)
        except (ValueError, DecodeError) as error:
            raise self._unusable(f"a row that cannot be read: {type(error).__name__}") from error

    def _unusable(self, why: str) -> UnusableError:
        self.held = False
        return UnusableError(why)
