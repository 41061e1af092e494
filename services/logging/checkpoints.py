"""Checkpoints: the tree grows from what the sequencer made durable, and is signed and published.

Contract: while entries arrive, a checkpoint at least once a second; published by compare-and-set,
so that of two publishers the larger tree stands and none goes back. When none can be published for
an hour, entries are refused; when the copy beside the database can't be written (a full disk), at
once, until it can. A tree that is smaller than what was published, or another one, never starts
(`FencedError`).
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.logging.model import HOUR, Checkpoint, FencedError
from services.logging.signing import LogKey, Signer
from services.logging.tree import Tree
from services.proof import checkpoint as c2sp
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason

PERIOD_SECONDS = 0.9
SETTLE_SECONDS = 0.1
"""How long after the first entry a checkpoint is made: it then holds those that follow at once."""

RETRY_SECONDS = 2.0
STALE_AFTER = HOUR

_logger = logging.getLogger(__name__)


class CheckpointStore(Protocol):
    """Where the newest checkpoint is kept."""

    async def checkpoint(self) -> Checkpoint:
        """The newest; of size 0 before the first."""
        ...

    async def publish(self, checkpoint: Checkpoint, at: datetime) -> bool:
        """Publish, unless one as large or larger was."""
        ...

    async def recorded_at(self, index: int) -> int | None:
        """When the entry at `index` was recorded."""
        ...

    async def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes of [start, end), in order."""
        ...


class Copy(Protocol):
    """A copy of the newest checkpoint, which a database that was put back can't hide from."""

    async def read(self) -> str:
        """The note, "" when there is none. Raises UNAVAILABLE."""
        ...

    async def write(self, note: str) -> None:
        """Replace the note. Raises UNAVAILABLE."""
        ...


class Checkpoints:
    """The newest checkpoint, and the task that makes the next."""

    def __init__(
        self,
        *,
        origin: str,
        key: str,
        tree: Tree,
        store: CheckpointStore,
        signer: Signer,
        copy: Copy,
        clock: Clock,
    ) -> None:
        self.origin = origin
        self._key = LogKey(origin=origin, key=key, signer=signer, clock=clock)
        self._tree = tree
        self._store = store
        self._copy = copy
        self._clock = clock
        self._loaded = False
        self._pending: list[bytes] = []
        self._pending_since: int | None = None
        self._unpublished_since: int | None = None
        self._grown = asyncio.Event()
        self._published = asyncio.Event()
        self.newest = Checkpoint(0, b"", "")
        self.copied = True
        """Whether the copy can be written, as far as is known."""

    @property
    def verifier_keys(self) -> Sequence[str]:
        """The keys that sign or signed, newest first."""
        return self._key.verifier_keys

    async def load(self, size: int) -> None:
        """Take the leaves that are stored but not known here, up to `size`.

        The first time, the tree is built from what is stored and compared with what was published.
        """
        if not self._loaded:
            await self._load_first(size)
            return
        known = self._tree.size + len(self._pending)
        if size < known:
            raise FencedError(f"the log has {size} entries, {known} were acknowledged")
        if size > known:
            leaves = await self._store.leaf_hashes(known, size)
            if len(leaves) != size - known:
                raise FencedError(f"the log's head says {size} entries; some are missing")
            time = await self._store.recorded_at(known)
            self.extend(leaves, time or 0)

    async def _load_first(self, size: int) -> None:
        published = await self._store.checkpoint()
        note = await self._copy.read()
        copied = _copied(note)
        behind = max(published.size, copied.size if copied else 0)
        if size < behind:
            raise FencedError(
                f"the log has {size} entries, but a checkpoint of {behind} was published: was an "
                "older database restored? Begin a new origin"
            )
        for least, root in sorted(
            [(published.size, published.root)] + ([(copied.size, copied.root)] if copied else [])
        ):
            if least:
                await self._tree.load(least)
                if self._tree.root() != root:
                    raise FencedError(f"the tree of {least} entries is not the published one")
        await self._tree.load(size)
        if size > published.size:
            self._unpublished_since = await self._store.recorded_at(published.size)
            self._grown.set()
        await self._key.learn()
        self.newest = published
        self._loaded = True

    def extend(self, leaf_hashes: Sequence[bytes], time: int) -> None:
        """Take the next leaves, recorded at `time` (microseconds)."""
        self._pending += leaf_hashes
        if self._pending_since is None:
            self._pending_since = time
        self._grown.set()

    def check(self, time: int) -> None:
        """Raises LOG_UNAVAILABLE when an entry has waited too long for its checkpoint, or when the
        copy is behind: a database that is put back then could hide what it lost.
        """
        if not self.copied:
            raise CrossroadsError(
                Reason.LOG_UNAVAILABLE,
                "the copy of the newest checkpoint can't be written; nothing was released; retry",
                retry_after=RETRY_SECONDS,
            )
        since = self._unpublished_since or self._pending_since
        if since is not None and time - since > STALE_AFTER:
            raise CrossroadsError(
                Reason.LOG_UNAVAILABLE,
                "no checkpoint could be published for an hour; nothing was released; retry",
                retry_after=10.0,
            )

    def behind(self, now: int) -> float:
        """Since how many seconds the oldest entry has no checkpoint; `now` in microseconds."""
        since = self._unpublished_since or self._pending_since
        return 0.0 if since is None else (now - since) / 1e6

    async def after(self, size: int) -> Checkpoint:
        """The newest checkpoint, once it is larger than `size`."""
        while self.newest.size <= size:
            await self._published.wait()
        return self.newest

    async def cosigned(self, checkpoint: Checkpoint) -> None:
        """Take the cosignatures of the newest checkpoint, if it still is that."""
        if checkpoint.size == self.newest.size:
            self.newest = checkpoint
            await self._keep(checkpoint.note)

    async def run(self) -> None:
        """Publish while entries arrive; never ends by itself. Raises FencedError."""
        while True:
            await self._grown.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            await self.insist()
            await asyncio.sleep(PERIOD_SECONDS - SETTLE_SECONDS)

    async def insist(self) -> None:
        """Publish, as soon as everything that it takes is there. Raises FencedError."""
        while True:
            try:
                await self.publish()
            except CrossroadsError as error:
                _logger.warning("no checkpoint: %s", error.message)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def publish(self) -> None:
        """Make, sign and publish a checkpoint of all durable entries. Raises UNAVAILABLE."""
        self._grown.clear()
        self._integrate()
        size = self._tree.size
        try:
            if size == self.newest.size:
                if not self.copied:
                    await self._keep(self.newest.note)
                return
            await self._tree.save()
            root = self._tree.root()
            note = await self._key.signed(c2sp.body(self.origin, size, root))
            await self._replace(Checkpoint(size, root, note))
        except BaseException:
            self._grown.set()
            raise

    def _integrate(self) -> None:
        leaves, self._pending = self._pending, []
        self._tree.add(leaves)
        if self._unpublished_since is None:
            self._unpublished_since = self._pending_since
        self._pending_since = None

    async def _replace(self, checkpoint: Checkpoint) -> None:
        if not await self._store.publish(checkpoint, self._clock.now()):
            published = await self._store.checkpoint()
            if (published.size, published.root) != (checkpoint.size, checkpoint.root):
                raise FencedError("another publisher is ahead of this one")
            checkpoint = published  # ours, from a try whose answer was lost
        self.newest = checkpoint
        told, self._published = self._published, asyncio.Event()
        told.set()
        self._unpublished_since = None
        await self._keep(checkpoint.note)

    async def _keep(self, note: str) -> None:
        """Write the copy; once it fails entries are refused, and `run` tries again."""
        try:
            await self._copy.write(note)
        except CrossroadsError:
            self.copied = False
            self._grown.set()
            raise
        self.copied = True


def _copied(note: str) -> c2sp.Checkpoint | None:
    """What the copy says. Raises FencedError when it can't be read."""
    try:
        return c2sp.parse(note) if note else None
    except ValueError as error:
        raise FencedError(
            f"the copy of the newest checkpoint is damaged ({error}): put the last good one back,"
            " or remove it if the database is surely the newest"
        ) from None
