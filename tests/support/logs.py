"""A log put together for tests: everything that the service wires, on a store of the test's choice.

`Safe` stands in for Vault Transit where a test is not about Vault.
"""

import asyncio
import os
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.logging.model import EntryId, NewEntry, ReceiptKey, microseconds
from services.logging.parts import Parts
from services.logging.sequencer import Limits
from services.proof.record import Kind, canonical_json
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import SystemIds
from services.runtime.vault import KeyVersions

ORIGIN = "crossroads.test/log"
SUBJECT = "85073003328"
"""A synthetic person's key."""


class StoppedClock:
    """A clock that a test sets; its monotonic half runs, for what waits."""

    def __init__(self, now: datetime | None = None) -> None:
        self.time = now or datetime.now(UTC)

    def now(self) -> datetime:
        """The set instant."""
        return self.time

    def monotonic(self) -> float:
        """The loop's clock."""
        return asyncio.get_running_loop().time()

    def advance(self, **duration: float) -> None:
        """Move on by a timedelta's arguments."""
        self.time += timedelta(**duration)


class Safe:
    """Transit in memory. `away` makes it refuse, as Vault does when it is down."""

    def __init__(self) -> None:
        self.versions = [Ed25519PrivateKey.generate()]
        self.signs_from = 1
        self.data_keys: dict[str, bytes] = {}
        self.away = False

    def _check(self) -> None:
        if self.away:
            raise CrossroadsError(Reason.UNAVAILABLE, "Vault is away")

    async def create_key(self, key: str, *, kind: str = "aes256-gcm96") -> None:
        """Make a key."""
        self._check()
        self.data_keys.setdefault(key, AESGCM.generate_key(256))

    async def key_exists(self, key: str) -> bool:
        """Whether it was not erased."""
        self._check()
        return key in self.data_keys

    async def delete_key(self, key: str) -> None:
        """Erase a key."""
        self._check()
        del self.data_keys[key]

    async def data_key(self, key: str) -> tuple[bytes, str]:
        """A new data key."""
        self._check()
        secret, nonce = os.urandom(32), os.urandom(12)
        wrapped = nonce + AESGCM(self.data_keys[key]).encrypt(nonce, secret, None)
        return secret, f"safe:v1:{b64encode(wrapped).decode()}"

    async def unwrap(self, key: str, wrapped: str) -> bytes:
        """A data key."""
        self._check()
        if key not in self.data_keys:
            raise CrossroadsError(Reason.UNAVAILABLE, "Vault: no such key")
        try:
            sealed = b64decode(wrapped.removeprefix("safe:v1:"), validate=True)
            return AESGCM(self.data_keys[key]).decrypt(sealed[:12], sealed[12:], None)
        except (InvalidTag, ValueError):
            raise CrossroadsError(Reason.UNAVAILABLE, "Vault: can't be unwrapped") from None

    @property
    def key(self) -> Ed25519PrivateKey:
        """The newest version of the signing key."""
        return self.versions[-1]

    async def sign(self, key: str, data: bytes, *, version: int = 0) -> bytes:
        """A signature."""
        self._check()
        if version and version < self.signs_from:
            raise CrossroadsError(Reason.UNAVAILABLE, "Vault: this version signs no more")
        return self.versions[version - 1].sign(data)

    async def key_versions(self, key: str) -> KeyVersions:
        """The public halves."""
        self._check()
        halves = [each.public_key().public_bytes_raw() for each in self.versions]
        return KeyVersions(dict(enumerate(halves, 1)), len(halves), self.signs_from)

    def rotate(self) -> None:
        """Begin another version."""
        self.versions.append(Ed25519PrivateKey.generate())


class NoteInMemory:
    """The copy of the newest checkpoint; `full` makes writing fail."""

    def __init__(self) -> None:
        self.note = ""
        self.full = False
        self.written = asyncio.Event()

    async def read(self) -> str:
        """The note."""
        return self.note

    async def write(self, note: str) -> None:
        """Replace the note."""
        if self.full:
            raise CrossroadsError(Reason.UNAVAILABLE, "the disk is full")
        self.note = note
        self.written.set()


class Log(Parts):
    """All parts of one log."""

    def __init__(
        self,
        store: Any,
        *,
        clock: StoppedClock | None = None,
        safe: Any = None,
        origin: str = ORIGIN,
        copy: NoteInMemory | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self.store = store
        self.origin = origin
        self.clock = clock or StoppedClock()
        self.safe = safe or Safe()
        self.copy = copy or NoteInMemory()
        super().__init__(
            store=store,
            vault=self.safe,
            copy=self.copy,
            origin=origin,
            checkpoint_key="log-checkpoint",
            limits=limits,
            clock=self.clock,
            ids=SystemIds(),
        )
        self.task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self, *, key: bool = False) -> AsyncIterator["Log"]:
        """The sequencer at work (checkpoints are published by the test). `key`: log its key."""
        await self.keys.prepare(self.clock.now())
        self.task = asyncio.create_task(self.sequencer.run())
        opened = asyncio.create_task(self.sequencer.opened())
        try:
            await asyncio.wait({self.task, opened}, return_when=asyncio.FIRST_COMPLETED)
            if self.task.done():
                self.task.result()
            if key:
                (done,) = await self.sequencer.append([self.receipts.key_entry()])
                await self.store.keep_receipt_key(ReceiptKey(done.index, self.receipts.public_key))
            yield self
        finally:
            opened.cancel()
            self.task.cancel()
            await asyncio.wait({self.task, opened})

    def entry(
        self,
        *,
        exchange_id: bytes | None = None,
        kind: Kind = Kind.REFUSAL,
        attempt: int = 1,
        nonce: bytes | None = None,
        question_mac: bytes = b"",
        receipt: bool = False,
        due: timedelta = timedelta(seconds=10),
        subject_key: str = SUBJECT,
    ) -> NewEntry:
        """A well-formed entry; a new exchange unless one is named."""
        exchange_id = exchange_id or os.urandom(16)
        return NewEntry(
            id=EntryId(exchange_id, int(kind), attempt),
            nonce=nonce or os.urandom(8),
            party=canonical_json({"exchange_id": exchange_id.hex(), "kind": int(kind)}),
            subject=canonical_json({"subject": subject_key}),
            audit=canonical_json({"versions": [1, 2]}),
            question_mac=question_mac,
            subject_key=subject_key,
            deadline=microseconds(self.clock.now() + due) if kind is Kind.REQUEST else None,
            receipt=receipt,
        )
