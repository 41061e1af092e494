"""The one sequencer of a log: gathers entries, numbers them, answers when they are durable.

Contract: one transaction at a time; while it is under way entries gather, without a timer, in a
queue that is bounded in entries and octets. An entry id that exists is never appended again. When
the database can't be reached, or the fate of a transaction is unknown, everything that waits is
refused and nothing of it is acknowledged; the head is then taken over anew, which also ends any
statement of ours that may still be under way. A head that another sequencer took over ends this one
for good (`FencedError`): its process must end.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from services.logging.model import (
    Acknowledgement,
    DuplicateError,
    EntryId,
    FencedError,
    Head,
    NewEntry,
    Outcome,
    SealedEntry,
    StoredEntry,
    microseconds,
)
from services.logging.receipts import Receipts
from services.logging.sealing import Sealer, check_sections
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason, invalid

BACKOFF_SECONDS = (0.1, 1.0)
BEAT_SECONDS = 0.5
"""How often a session without entries says that it lives, or it would lose the lock."""

SESSION_SECONDS = 600.0
"""How long one connection is used: logins to the database end."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What may wait, and how much goes into one transaction."""

    batch_entries: int = 256
    waiting_entries: int = 8192
    waiting_bytes: int = 32 * 1024 * 1024


class Writer(Protocol):
    """A session in which this sequencer may try to write."""

    async def take_over(self, epoch: int | None) -> Head | None:
        """Raise the epoch (if it still is `epoch`); None when another sequencer did."""
        ...

    async def beat(self) -> None:
        """Keep the session, which ends when nothing is heard of it for some seconds."""
        ...

    async def append(self, head: Head, entries: Sequence[SealedEntry]) -> bool:
        """Append at the head, durably; False when the head is another. Raises DuplicateError."""
        ...

    async def find(self, ids: Sequence[EntryId]) -> dict[EntryId, StoredEntry]:
        """Those of `ids` that exist."""
        ...


class Growth(Protocol):
    """The tree, which takes every durable leaf in order."""

    async def load(self, size: int) -> None:
        """Take the leaves that are stored but not known, up to `size`. Raises FencedError."""
        ...

    def extend(self, leaf_hashes: Sequence[bytes], time: int) -> None:
        """Take the next leaves, recorded at `time`."""
        ...

    def check(self, time: int) -> None:
        """Raises LOG_UNAVAILABLE when no checkpoint could be published for too long."""
        ...


class _Submission(NamedTuple):
    """Entries that came together and are answered together."""

    entries: list[SealedEntry]
    size: int
    answer: "asyncio.Future[list[Acknowledgement]]"


class Sequencer:
    """Takes entries; `run` is the task that writes them."""

    def __init__(
        self,
        *,
        sessions: Callable[[int | None], AbstractAsyncContextManager[Writer]],
        sealer: Sealer,
        receipts: Receipts,
        tree: Growth,
        clock: Clock,
        limits: Limits = Limits(),
    ) -> None:
        self._sessions = sessions
        self._sealer = sealer
        self._receipts = receipts
        self._tree = tree
        self._clock = clock
        self._limits = limits
        self._head: Head | None = None
        self._time = 0
        self._waiting: deque[_Submission] = deque()
        self._entries = 0
        self._bytes = 0
        self._flying: list[_Submission] = []
        self._arrived = asyncio.Event()
        self._opened = asyncio.Event()
        self._begun = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether entries are taken at this moment."""
        return self._opened.is_set()

    async def opened(self) -> None:
        """Wait until entries are taken: a standby waits here for the log's lock."""
        await self._opened.wait()

    async def begun(self) -> None:
        """Wait until the log has its first entry, the genesis."""
        await self._begun.wait()

    @property
    def size(self) -> int:
        """How many entries are durable, as far as this sequencer knows."""
        return self._head.size if self._head else 0

    @property
    def time(self) -> int:
        """The time of the last entry, in microseconds: the log's own, which never goes back."""
        return self._time

    async def append(self, entries: Sequence[NewEntry]) -> list[Acknowledgement]:
        """Append entries; what became of each, in their order, once they are durable.

        Raises INVALID_ARGUMENT (nothing is appended), OVERLOADED, LOG_UNAVAILABLE.
        """
        if not entries:
            return []
        size = sum(entry.size for entry in entries)
        self._check_room(len(entries), size)
        for place, entry in enumerate(entries):
            try:
                check_sections(entry)
            except ValueError as error:
                raise invalid(f"entries[{place}]", str(error)) from None
        self._time = max(self._time, microseconds(self._clock.now()))
        self._tree.check(self._time)
        sealed = self._sealer.seal(entries, self._time)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Acknowledgement]] = loop.create_future()
        self._waiting.append(_Submission(sealed, size, answer))
        self._entries += len(sealed)
        self._bytes += size
        self._arrived.set()
        return await answer

    async def run(self) -> None:
        """Write what arrives; never ends by itself. Raises FencedError."""
        delay, longest = BACKOFF_SECONDS
        while True:
            try:
                epoch = self._head.epoch if self._head else None
                async with self._sessions(epoch) as writer:
                    await self._take_over(writer)
                    delay = BACKOFF_SECONDS[0]
                    await self._serve(writer)
            except CrossroadsError as error:
                if self.open:
                    _logger.warning("the log can't be written: %s", error.message)
                self._refuse()
                await asyncio.sleep(delay)
                delay = min(delay * 2, longest)
            except BaseException:
                self._refuse()
                raise

    async def _take_over(self, writer: Writer) -> None:
        head = await writer.take_over(self._head.epoch if self._head else None)
        if head is None:
            raise FencedError("another sequencer took the log over")
        await self._load(writer, head.size)
        self._head = head
        self._time = max(self._time, head.recorded_at)
        if not self.open:
            _logger.info("sequencing from entry %d in epoch %d", head.size, head.epoch)
            self._opened.set()
        if head.size:
            self._begun.set()

    async def _load(self, writer: Writer, size: int) -> None:
        """Load the tree, however long it takes."""
        loading = asyncio.ensure_future(self._tree.load(size))
        try:
            while not (await asyncio.wait({loading}, timeout=BEAT_SECONDS))[0]:
                await writer.beat()
        finally:
            loading.cancel()
            await asyncio.wait({loading})  # never two at once
        loading.result()

    async def _serve(self, writer: Writer) -> None:
        """Write batches until it is time for another connection."""
        until = self._clock.monotonic() + SESSION_SECONDS
        while self._clock.monotonic() < until:
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._arrived.wait()
            except TimeoutError:
                await writer.beat()
                continue
            while batch := self._take():
                self._flying = batch
                await self._commit(writer, batch)
                self._flying = []
            self._arrived.clear()

    def _take(self) -> list[_Submission]:
        """The next batch: whole submissions, without those whose callers have gone."""
        batch: list[_Submission] = []
        room = self._limits.batch_entries
        while self._waiting and (not batch or len(self._waiting[0].entries) <= room):
            submission = self._waiting.popleft()
            self._entries -= len(submission.entries)
            self._bytes -= submission.size
            if not submission.answer.done():
                batch.append(submission)
                room -= len(submission.entries)
        return batch

    async def _commit(self, writer: Writer, batch: list[_Submission]) -> None:
        entries = [entry for submission in batch for entry in submission.entries]
        fresh: dict[EntryId, SealedEntry] = {}
        for entry in entries:  # one entry id twice in a batch: the first stands
            fresh.setdefault(entry.entry.id, entry)
        placed = await self._append(writer, list(fresh.values()))
        stored: dict[EntryId, StoredEntry] = {}
        if len(placed) < len(entries):
            stored = await writer.find([e.entry.id for e in entries if id(e) not in placed])
        for submission in batch:
            try:
                answers = [
                    placed.get(id(entry)) or await self._repeated(entry, stored)
                    for entry in submission.entries
                ]
            except CrossroadsError as error:  # a receipt that can't be made again at this moment
                _fail(submission, error)
            else:
                if not submission.answer.done():
                    submission.answer.set_result(answers)

    async def _append(
        self, writer: Writer, entries: list[SealedEntry]
    ) -> dict[int, Acknowledgement]:
        """Append those whose id is new; their acknowledgements by the identity of the object."""
        try:
            return await self._write(writer, entries)
        except DuplicateError:
            known = await writer.find([entry.entry.id for entry in entries])
            entries = [entry for entry in entries if entry.entry.id not in known]
        return await self._write(writer, entries) if entries else {}

    async def _write(
        self, writer: Writer, entries: list[SealedEntry]
    ) -> dict[int, Acknowledgement]:
        assert self._head is not None
        head, start = self._head, self._head.size
        writing = asyncio.ensure_future(writer.append(head, entries))
        try:
            # While the database works, receipts are signed; they are handed out only afterwards.
            await asyncio.sleep(0)
            placed = {
                id(entry): Acknowledgement(
                    Outcome.APPENDED,
                    start + offset,
                    entry.leaf_hash,
                    self._receipts.issue(entry, start + offset) if entry.entry.receipt else None,
                )
                for offset, entry in enumerate(entries)
            }
            moved = await writing
        finally:
            writing.cancel()
        if not moved:
            raise FencedError("the head of the log was moved by another sequencer")
        self._head = replace(head, size=start + len(entries))
        self._begun.set()
        self._tree.extend([entry.leaf_hash for entry in entries], entries[-1].recorded_at)
        return placed

    async def _repeated(
        self, sealed: SealedEntry, stored: dict[EntryId, StoredEntry]
    ) -> Acknowledgement:
        """The answer to an entry whose id exists: the appender's own repeat, or a duplicate."""
        known = stored[sealed.entry.id]
        if known.nonce != sealed.entry.nonce:
            return Acknowledgement(
                Outcome.DUPLICATE,
                known.index,
                known.leaf_hash,
                None,
                known.question_mac,
                known.nonce,
                known.last_attempt,
            )
        receipt = None
        if sealed.entry.receipt:
            opened = await self._sealer.open(known.data_key_id, known.leaf_hash, known.evidence)
            receipt = self._receipts.issue_again(sealed.entry.id.kind, known, opened)
        return Acknowledgement(Outcome.APPENDED, known.index, known.leaf_hash, receipt)

    def _check_room(self, entries: int, size: int) -> None:
        if not self.open:
            raise _unavailable()
        limits = self._limits
        if (
            self._entries + entries > limits.waiting_entries
            or self._bytes + size > limits.waiting_bytes
        ):
            raise CrossroadsError(
                Reason.OVERLOADED, "too many entries wait to be logged; retry", retry_after=0.5
            )

    def _refuse(self) -> None:
        """Take no more entries, and acknowledge nothing of what waits or was under way."""
        self._opened.clear()
        for submission in (*self._flying, *self._waiting):
            _fail(submission, _unavailable())
        self._flying = []
        self._waiting.clear()
        self._entries = self._bytes = 0


def _fail(submission: _Submission, error: CrossroadsError) -> None:
    if not submission.answer.done():
        submission.answer.set_exception(error)


def _unavailable() -> CrossroadsError:
    return CrossroadsError(
        Reason.LOG_UNAVAILABLE,
        "the log can't take entries at this moment; nothing was released; retry",
        retry_after=1.0,
    )
