"""Hashing, encryption and the keys of a month: what turns an entry into something to store.

Contract: evidence is AES-256-GCM under a key of its own for each record; the subject index is an
HMAC. Both keys come from one data key per retention class and month, wrapped by the Transit key of
that class and month, so that deleting the Transit key erases both (architecture.md, "The log").
"""

import hmac
import struct
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple, Protocol

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.logging.model import (
    HOUR,
    DataKey,
    EntryId,
    NewEntry,
    RetentionClass,
    SealedEntry,
    instant,
    retention_class,
)
from services.proof import record
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import Ids

AHEAD = timedelta(days=7)
"""How long before a month its keys exist, so that Vault may be away when it begins."""

BEHIND = timedelta(days=1)
"""How long after a month its keys are kept for entries that were recorded in it."""

BORROWED = timedelta(hours=1)
"""How long the keys of other months stay in memory once evidence was opened with them."""

SALTS = 3 * record.SALT_SIZE
ROW = struct.Struct("!16sBIqq")
"""The columns of an entry that its leaf says nothing of: exchange, kind, attempt, times."""

NAMED_SIZE = 16
_EVIDENCE = b"crossroads/log/v1/evidence"
_RECORD = b"crossroads/log/v1/record"
_SUBJECT_INDEX = b"crossroads/log/v1/subject-index"
_TERM_INDEX = b"crossroads/log/v1/term-index"
_NONCE = bytes(12)  # each key encrypts one record: the leaf hash, from which it comes, has salts
_DAY = 24 * HOUR
KINDS = {int(kind): kind for kind in record.Kind}
# Digits are alike, and so is what may stand before a number.
_ALIKE = bytes.maketrans(b"123456789,[-", b"000000000:::")
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class Custody(Protocol):
    """What the key ring needs of Vault (Transit)."""

    async def create_key(self, key: str, *, kind: str = "aes256-gcm96") -> None:
        """Make a Transit key unless it exists."""
        ...

    async def data_key(self, key: str) -> tuple[bytes, str]:
        """A new 256-bit key, in clear and wrapped."""
        ...

    async def unwrap(self, key: str, wrapped: str) -> bytes:
        """What `wrapped` holds."""
        ...


class DataKeys(Protocol):
    """Where wrapped keys are kept."""

    async def find_data_key(self, retention: RetentionClass, month: str) -> DataKey | None:
        """The key of a class and month (YYYY-MM-01)."""
        ...

    async def get_data_key(self, data_key_id: int) -> DataKey:
        """The key of that id. Raises NOT_FOUND."""
        ...

    async def keep_data_key(
        self, retention: RetentionClass, month: str, transit_key: str, wrapped: str
    ) -> DataKey:
        """Keep a new key, unless another was kept for that class and month meanwhile: then that."""
        ...


class MonthKey(NamedTuple):
    """The keys of one class and month, in clear, in memory."""

    id: int
    evidence: bytes
    subject_index: bytes


class Opened(NamedTuple):
    """Evidence in clear. `row` and `named` are what `row_of` and `named_by` gave for the entry."""

    salts: bytes
    party: bytes
    subject: bytes
    audit: bytes
    subject_key: str
    row: bytes
    named: bytes


class KeyRing:
    """The keys of this month and the next, and of earlier ones when evidence is opened."""

    def __init__(self, *, custody: Custody, store: DataKeys) -> None:
        self._custody = custody
        self._store = store
        self._by_id: dict[int, MonthKey] = {}
        self._by_month: dict[tuple[RetentionClass, str], MonthKey] = {}
        self._by_day: dict[tuple[RetentionClass, int], MonthKey] = {}
        self._borrowed: dict[int, datetime] = {}

    async def prepare(self, now: datetime) -> None:
        """Have the keys for now and for a week ahead, and no others for long.

        Raises UNAVAILABLE, STORE_UNAVAILABLE.
        """
        self._give_back(now)
        for day in (now, now + AHEAD):
            for retention in RetentionClass:
                if (retention, month_of(day)) not in self._by_month:
                    await self._prepare(retention, month_of(day))

    def at(self, retention: RetentionClass, time: int) -> MonthKey:
        """The key for an entry recorded at `time`. Raises LOG_UNAVAILABLE when there is none."""
        day = time // _DAY
        key = self._by_day.get((retention, day))
        if key is None:
            key = self._by_month.get((retention, month_of(instant(time))))
            if key is None:
                raise CrossroadsError(
                    Reason.LOG_UNAVAILABLE, "the keys of this month are missing", retry_after=5.0
                )
            self._by_day = {
                kept: each for kept, each in self._by_day.items() if kept[1] >= day - 1
            } | {(retention, day): key}
        return key

    async def get(self, data_key_id: int) -> MonthKey:
        """A key by its id, fetched and unwrapped when it is not in memory."""
        if data_key_id not in self._by_id:
            await self._take(await self._store.get_data_key(data_key_id))
        return self._by_id[data_key_id]

    def forget(self, data_key_id: int) -> None:
        """Keep a key in memory no longer: it was erased."""
        self._by_id.pop(data_key_id, None)
        self._by_month = {at: key for at, key in self._by_month.items() if key.id != data_key_id}
        self._by_day = {at: key for at, key in self._by_day.items() if key.id != data_key_id}

    def _give_back(self, now: datetime) -> None:
        """Forget the keys of months that are over, and borrowed ones after a while."""
        oldest = month_of(now - BEHIND)
        self._by_month = {place: key for place, key in self._by_month.items() if place[1] >= oldest}
        own = {key.id for key in self._by_month.values()}
        for data_key_id in self._by_id.keys() - own:
            if now - self._borrowed.setdefault(data_key_id, now) > BORROWED:
                self._by_id.pop(data_key_id)
        self._borrowed = {i: since for i, since in self._borrowed.items() if i in self._by_id}

    async def _prepare(self, retention: RetentionClass, month: str) -> None:
        kept = await self._store.find_data_key(retention, month)
        if kept is None:
            name = transit_key_of(retention, month)
            await self._custody.create_key(name)
            _, wrapped = await self._custody.data_key(name)
            kept = await self._store.keep_data_key(retention, month, name, wrapped)
        key = await self._take(kept)
        self._by_month[(retention, month)] = key

    async def _take(self, kept: DataKey) -> MonthKey:
        secret = await self._custody.unwrap(kept.transit_key, kept.wrapped)
        key = self._by_id[kept.id] = month_key(kept.id, secret)
        return key


class Sealer:
    """Turns entries into sealed ones, and evidence back into what it says."""

    def __init__(self, *, keys: KeyRing, ids: Ids) -> None:
        self._keys = keys
        self._ids = ids

    def seal(self, entries: Sequence[NewEntry], time: int) -> list[SealedEntry]:
        """Hash and encrypt entries recorded at `time` (microseconds).

        Raises INVALID_ARGUMENT when a section is not canonical JSON: then none is sealed.
        """
        salts = self._ids.token(SALTS * len(entries))
        hour = time // HOUR
        return [
            self._seal(entry, time, hour, salts[at : at + SALTS])
            for entry, at in zip(entries, range(0, len(salts), SALTS), strict=True)
        ]

    def _seal(self, entry: NewEntry, time: int, hour: int, salts: bytes) -> SealedEntry:
        kind = entry.id.kind
        key = self._keys.at(retention_class(kind), time)
        encoded = record.encode_json(
            KINDS[kind],
            hour,
            party=entry.party,
            subject=entry.subject,
            audit=entry.audit,
            salts=salts,
        )
        leaf_hash = encoded.leaf_hash
        cipher = AESGCM(_expand(key.evidence, _RECORD + leaf_hash))
        subject_key = entry.subject_key.encode()
        return SealedEntry(
            entry=entry,
            recorded_at=time,
            leaf_hash=leaf_hash,
            party_salt=salts[: record.SALT_SIZE],
            subject_hash=encoded.subject_hash,
            audit_hash=encoded.audit_hash,
            data_key_id=key.id,
            evidence=cipher.encrypt(_NONCE, _plaintext(entry, time, subject_key, salts), None),
            subject_mac=subject_mac(key, subject_key) if subject_key else None,
        )

    async def open(self, data_key_id: int, leaf_hash: bytes, evidence: bytes) -> Opened:
        """What evidence says. Raises INTERNAL when it is not what was stored with that leaf."""
        key = await self._keys.get(data_key_id)
        try:
            return open_evidence(key, leaf_hash, evidence)
        except ValueError:
            raise CrossroadsError(
                Reason.INTERNAL, "the evidence of an entry was altered; run fsck"
            ) from None


def open_evidence(key: MonthKey, leaf_hash: bytes, evidence: bytes) -> Opened:
    """What evidence says. Raises ValueError when it is not what was stored with that leaf."""
    cipher = AESGCM(_expand(key.evidence, _RECORD + leaf_hash))
    try:
        return _parse(cipher.decrypt(_NONCE, evidence, None))
    except (InvalidTag, ValueError):
        raise ValueError("the evidence is not what was sealed with this leaf") from None


def seal_again(key: MonthKey, other: MonthKey, leaf_hash: bytes, evidence: bytes) -> bytes:
    """The same evidence under another key, which must never have sealed another entry's leaf.

    Raises ValueError when it is not what was stored with that leaf.
    """
    info = _RECORD + leaf_hash
    try:
        clear = AESGCM(_expand(key.evidence, info)).decrypt(_NONCE, evidence, None)
    except InvalidTag:
        raise ValueError("the evidence is not what was sealed with this leaf") from None
    return AESGCM(_expand(other.evidence, info)).encrypt(_NONCE, clear, None)


def month_key(data_key_id: int, secret: bytes) -> MonthKey:
    """The keys that come from the data key `secret`."""
    return MonthKey(data_key_id, _expand(secret, _EVIDENCE), _expand(secret, _SUBJECT_INDEX))


def transit_key_of(retention: RetentionClass, month: str) -> str:
    """The Transit key that wraps the data key of a class and month (YYYY-MM-01)."""
    return f"log-month-{retention}-{month[:7]}"


def row_of(entry_id: EntryId, recorded_at: int, deadline: int | None) -> bytes:
    """What an entry's row says beside its leaf, sealed in the evidence so that fsck can compare.

    Without it nobody could tell that a time or an attempt was changed in the database.
    """
    exchange_id, kind, attempt = entry_id
    return ROW.pack(exchange_id, kind, attempt, recorded_at, deadline or 0)


def named_by(nonce: bytes, question_mac: bytes) -> bytes:
    """A digest of what tells a repeat of this entry from another one: 16 octets."""
    return sha256(nonce + question_mac).digest()[:NAMED_SIZE]


def check_sections(entry: NewEntry) -> None:
    """Refuse an entry whose sections are not RFC 8785 JSON. Raises ValueError with the reason.

    `record.parse_canonical` looks at every value, which costs as much as hashing and encrypting the
    entry. For nearly all entries it is enough that a JSON library with sorted keys would write the
    same octets: what else it looks for (`_is_plain`) is ruled out by searching the text.
    """
    sections = (entry.party, entry.subject, entry.audit)
    plain = _is_plain(b"".join(sections))
    for section in sections:
        if not (plain and _is_written_so(section)):
            record.parse_canonical(section)


def _is_plain(text: bytes) -> bool:
    """Whether JSON has, for sure, only ASCII keys, little nesting, and no number but integers.

    In shortest form, any other number has a digit before a point, or one digit and an exponent.
    """
    if not text.isascii() or text.count(b"{") + text.count(b"[") > record.MAX_DEPTH:
        return False
    alike = text.translate(_ALIKE)
    return b"0." not in alike and b":0e" not in alike


def _is_written_so(section: bytes) -> bool:
    """Whether these are the octets of an object with sorted keys."""
    try:
        value = orjson.loads(section)
        return type(value) is dict and orjson.dumps(value, option=_SORTED) == section
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False


def subject_mac(key: MonthKey, subject_key: bytes) -> bytes:
    """What stands in the subject index for a key of a person or enterprise: 32 octets."""
    return hmac.digest(key.subject_index, subject_key, "sha256")


def term_key(key: MonthKey) -> bytes:
    """The key under which terms other than the subject stand in the index of that month."""
    return _expand(key.subject_index, _TERM_INDEX)


def _expand(secret: bytes, info: bytes) -> bytes:
    """HKDF-Expand (RFC 5869, section 2.3) with SHA-256 to 32 octets: one block.

    `secret` is uniformly random already, so the extraction step is left out (section 3.3).
    """
    return hmac.digest(secret, info + b"\x01", "sha256")


def _plaintext(entry: NewEntry, time: int, subject_key: bytes, salts: bytes) -> bytes:
    """salts | row | named | length(4) party | length(4) subject | length(4) audit | subject key."""
    return b"".join(
        (
            salts,
            row_of(entry.id, time, entry.deadline),
            named_by(entry.nonce, entry.question_mac),
            len(entry.party).to_bytes(4, "big"),
            entry.party,
            len(entry.subject).to_bytes(4, "big"),
            entry.subject,
            len(entry.audit).to_bytes(4, "big"),
            entry.audit,
            subject_key,
        )
    )


def _parse(plaintext: bytes) -> Opened:
    salts, row, named, rest = _cut(plaintext, SALTS, ROW.size, NAMED_SIZE)
    sections = []
    for _ in range(3):
        end = 4 + int.from_bytes(rest[:4], "big")
        if end > len(rest):
            raise ValueError("evidence: cut short")
        sections.append(rest[4:end])
        rest = rest[end:]
    return Opened(salts, sections[0], sections[1], sections[2], rest.decode(), row, named)


def _cut(data: bytes, *sizes: int) -> list[bytes]:
    """Pieces of these sizes, and what follows them."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def month_of(day: datetime) -> str:
    """The month that a data key is for: YYYY-MM-01."""
    return f"{day:%Y-%m}-01"
