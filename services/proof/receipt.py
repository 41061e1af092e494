"""Receipts: what a party to an exchange keeps, to prove later what the log holds about it.

Contract: a receipt shows the party section of its entry, and of the two others only the hashes,
from which the leaf can be hashed anew. The log signs it with a key whose public half is itself a
leaf (architecture.md, "Receipt"). `verify_receipt` raises ValueError with the reason; it does not
show that the leaf is in the tree: the inclusion proof for `index` does, once a checkpoint is out.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.proof import record
from services.proof.note import decode_base64
from services.proof.record import HASH_SIZE, Section

KEY_ID_SIZE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt. `hour` counts hours and `time` microseconds since 1970-01-01T00:00Z.

    `party` is the section's RFC 8785 JSON; `origin` names the log.
    """

    origin: str
    index: int
    leaf_hash: bytes
    kind: int
    hour: int
    party: bytes
    party_salt: bytes
    subject_hash: bytes
    audit_hash: bytes
    time: int
    key_id: bytes
    signature: bytes

    def party_section(self) -> dict[str, Any]:
        """The party section; ValueError if it is not canonical JSON."""
        return record.parse_canonical(self.party)

    def to_json(self) -> bytes:
        """The receipt as a JSON object, bytes in base64, the party section as text."""
        return orjson.dumps(
            {
                "origin": self.origin,
                "index": self.index,
                "kind": self.kind,
                "hour": self.hour,
                "time": self.time,
                "party": self.party.decode(),
                **{name: b64encode(getattr(self, name)).decode() for name in _BYTES},
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )


_BYTES = ("leaf_hash", "party_salt", "subject_hash", "audit_hash", "key_id", "signature")
_NUMBERS = ("index", "kind", "hour", "time")
_TEXTS = ("origin", "party")


def from_json(data: bytes) -> Receipt:
    """The receipt that `to_json` wrote; ValueError if it is none."""
    try:
        fields: Mapping[str, Any] = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ValueError("receipt: not JSON") from None
    if not isinstance(fields, dict) or set(fields) != {*_BYTES, *_NUMBERS, *_TEXTS}:
        raise ValueError("receipt: not the fields of a receipt")
    texts, numbers = (*_TEXTS, *_BYTES), _NUMBERS
    if any(type(fields[n]) is not str for n in texts) or any(
        type(fields[n]) is not int for n in numbers
    ):
        raise ValueError("receipt: a field is of another type")
    decoded = {name: decode_base64(fields[name], f"receipt: {name}") for name in _BYTES}
    return Receipt(**(dict(fields) | decoded | {"party": fields["party"].encode()}))


def key_id(public_key: bytes) -> bytes:
    """What a receipt calls its key: the first eight bytes of the key's SHA-256."""
    return sha256(public_key).digest()[:KEY_ID_SIZE]


def message(*, origin: str, index: int, leaf_hash: bytes, time: int) -> bytes:
    """What is signed. The leaf hash stands for all sections; ValueError if a field cannot be."""
    if not origin or "\n" in origin:
        raise ValueError("receipt: the origin must be one line that is not empty")
    if len(leaf_hash) != HASH_SIZE or index < 0 or time < 0:
        raise ValueError("receipt: index, leaf hash and time must be those of an entry")
    encoded = b64encode(leaf_hash).decode()
    return f"crossroads receipt v1\n{origin}\n{index}\n{encoded}\n{time}\n".encode()


def verify_receipt(receipt: Receipt, public_key: bytes) -> None:
    """Check that the receipt is whole and signed by this Ed25519 key (32 bytes)."""
    record.parse_canonical(receipt.party)
    party_hash = record.section_hash(Section.PARTY, receipt.party_salt, receipt.party)
    leaf = record.leaf(
        receipt.kind, receipt.hour, party_hash, receipt.subject_hash, receipt.audit_hash
    )
    record.parse_leaf(leaf)
    if record.leaf_hash(leaf) != receipt.leaf_hash:
        raise ValueError("receipt: its sections do not hash to its leaf")
    if receipt.key_id != key_id(public_key):
        raise ValueError("receipt: signed by another key")
    signed = message(
        origin=receipt.origin,
        index=receipt.index,
        leaf_hash=receipt.leaf_hash,
        time=receipt.time,
    )
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(receipt.signature, signed)
    except (InvalidSignature, ValueError):
        raise ValueError("receipt: the signature does not verify") from None
