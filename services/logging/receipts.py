"""Receipts: what the log says about an exchange, signed at once (architecture.md, "Receipt").

Contract: the key lives in this process only; its public half is a leaf of the log (kind KEY) before
the first receipt is signed, so that nobody can make receipts afterwards with a key of their own.
"""

import asyncio
import logging
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.logging.model import (
    HOUR,
    Acknowledgement,
    EntryId,
    NewEntry,
    ReceiptKey,
    SealedEntry,
    StoredEntry,
)
from services.logging.sealing import Opened
from services.proof import receipt as form
from services.proof import record
from services.proof.receipt import Receipt
from services.proof.record import Kind, Section, canonical_json
from services.runtime.errors import CrossroadsError

RETRY_SECONDS = 1.0

_logger = logging.getLogger(__name__)


class Log(Protocol):
    """The sequencer."""

    async def begun(self) -> None:
        """Wait until the log has its first entry."""
        ...

    async def append(self, entries: Sequence[NewEntry]) -> list[Acknowledgement]:
        """Append entries; return when they are durable."""
        ...


class KeyTable(Protocol):
    """Which leaves hold keys."""

    async def keep_receipt_key(self, key: ReceiptKey) -> None:
        """Remember which leaf holds a key."""
        ...


class Receipts:
    """Signs receipts of one log with one key."""

    def __init__(self, *, origin: str, key: Ed25519PrivateKey) -> None:
        self._origin = origin
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()
        self.key_id = form.key_id(self.public_key)
        self.listed = asyncio.Event()
        """Set once the key is a leaf, and its row says which."""

    async def enter(self, log: Log, table: KeyTable) -> None:
        """Make the key a leaf of the log, once the log has begun; tried until it is done."""
        await log.begun()
        while not self.listed.is_set():
            try:
                (done,) = await log.append([self.key_entry()])  # again, it finds itself
                await table.keep_receipt_key(ReceiptKey(done.index, self.public_key))
            except CrossroadsError as error:
                _logger.warning("the key of receipts is not in the log yet: %s", error.message)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.listed.set()

    def key_entry(self) -> NewEntry:
        """The entry that makes the key part of the log."""
        party = {
            "algorithm": "ed25519",
            "key": self.public_key.hex(),
            "kind": "key",
            "use": "receipts",
        }
        digest = sha256(self.public_key).digest()
        return NewEntry(
            id=EntryId(digest[:16], Kind.KEY, 1),
            nonce=digest[16:24],
            party=canonical_json(party),
            subject=canonical_json({}),
            audit=canonical_json({}),
        )

    def issue(self, sealed: SealedEntry, index: int) -> Receipt:
        """The receipt of an entry at its index. To be handed out once the entry is durable."""
        return self._sign(
            index=index,
            leaf_hash=sealed.leaf_hash,
            kind=sealed.entry.id.kind,
            time=sealed.recorded_at,
            party=sealed.entry.party,
            party_salt=sealed.party_salt,
            subject_hash=sealed.subject_hash,
            audit_hash=sealed.audit_hash,
        )

    def issue_again(self, kind: int, stored: StoredEntry, opened: Opened) -> Receipt:
        """The receipt of an entry that its appender sends again: from its evidence."""
        party_salt, subject_salt, audit_salt = record.salts_apart(opened.salts)
        return self._sign(
            index=stored.index,
            leaf_hash=stored.leaf_hash,
            kind=kind,
            time=stored.recorded_at,
            party=opened.party,
            party_salt=party_salt,
            subject_hash=record.section_hash(Section.SUBJECT, subject_salt, opened.subject),
            audit_hash=record.section_hash(Section.AUDIT, audit_salt, opened.audit),
        )

    def _sign(
        self,
        *,
        index: int,
        leaf_hash: bytes,
        kind: int,
        time: int,
        party: bytes,
        party_salt: bytes,
        subject_hash: bytes,
        audit_hash: bytes,
    ) -> Receipt:
        message = form.message(origin=self._origin, index=index, leaf_hash=leaf_hash, time=time)
        return Receipt(
            origin=self._origin,
            index=index,
            leaf_hash=leaf_hash,
            kind=kind,
            hour=time // HOUR,
            party=party,
            party_salt=party_salt,
            subject_hash=subject_hash,
            audit_hash=audit_hash,
            time=time,
            key_id=self.key_id,
            signature=self._key.sign(message),
        )
