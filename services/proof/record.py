"""The record of the log: three salted sections, the leaf that commits to them, and its hash.

    leaf = version(1) | kind(1) | hour(4, big-endian) | SHA-256(H_party | H_subject | H_audit)
    H    = SHA-256(tag | salt | RFC 8785 JSON of the section)

(architecture.md, "The log".) Each section has its own random salt of 32 bytes, so that one can be
shown without telling anything of the others. The leaf hash is that of RFC 6962, section 2.1.
Sections are JSON objects of strings, integers (at most 2**53 - 1 in magnitude), booleans, null,
lists and objects, at most 32 deep; keys are ASCII; floats are refused: nothing in the log is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

VERSION = 1
SALT_SIZE = 32
HASH_SIZE = 32
LEAF_SIZE = 38
MAX_DEPTH = 32

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)


class Kind(IntEnum):
    """What an entry is about."""

    REQUEST = 1
    RELEASE = 2
    REFUSAL = 3
    ABANDONED = 4
    ADMINISTRATIVE = 5
    GENESIS = 6
    KEY = 7
    COUNT = 8


class Section(StrEnum):
    """The parts of a record: what the caller, the citizen and the auditor may see."""

    PARTY = "party"
    SUBJECT = "subject"
    AUDIT = "audit"


TAGS: Mapping[Section, bytes] = {s: f"crossroads/log/v1/{s}\n".encode() for s in Section}
"""What goes before the salt, so that no section can pass for another."""

_PARTY, _SUBJECT, _AUDIT = (TAGS[s] for s in Section)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf, read. `hour` counts from 1970-01-01T00:00Z; `digest` commits to the sections."""

    kind: Kind
    hour: int
    digest: bytes


class Encoded(NamedTuple):
    """A record ready for the log: the leaf, its hash, the sections' hashes and canonical JSON.

    A named tuple because two are made for every exchange, and a frozen dataclass takes 2 us more.
    """

    leaf: bytes
    leaf_hash: bytes
    party_hash: bytes
    subject_hash: bytes
    audit_hash: bytes
    party: bytes
    subject: bytes
    audit: bytes


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """RFC 8785 JSON of an object; ValueError if it holds what a section may not.

    Sorting by bytes is sorting by UTF-16 code units (section 3.2.3) because keys are ASCII.
    """
    if type(value) is not dict:
        raise ValueError("not canonical JSON: must be an object")
    try:
        _require_plain(value, MAX_DEPTH)
        return orjson.dumps(value, option=_OPTIONS)
    except TypeError as error:  # orjson's error is one; a key that is no string gives another
        raise ValueError(f"not canonical JSON: {error}") from None


def _require_plain(value: Any, depth: int) -> None:
    """Refuse what orjson would write and RFC 8785, or a reader, would not agree on."""
    items: Iterable[Any] = value
    if type(value) is dict:
        if not "".join(value).isascii():
            raise ValueError("not canonical JSON: keys must be ASCII")
        items = value.values()
    for item in items:
        kind = type(item)
        # str first: it is most of what a section holds, and this runs for every entry.
        if kind is str or item is None or kind is int or kind is bool:
            continue
        if kind is not list and kind is not dict:
            raise ValueError(f"not canonical JSON: {kind.__name__} is not allowed")
        if not depth:
            raise ValueError(f"not canonical JSON: deeper than {MAX_DEPTH}")
        if item:
            _require_plain(item, depth - 1)


def parse_canonical(encoded: bytes) -> dict[str, Any]:
    """The object that `canonical_json` wrote; ValueError if these are not its bytes."""
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        raise ValueError("section: not JSON") from None
    if canonical_json(value) != encoded:
        raise ValueError("section: not canonical JSON")
    plain: dict[str, Any] = value
    return plain


def section_hash(section: Section, salt: bytes, encoded: bytes) -> bytes:
    """H of a section given as canonical JSON; ValueError if the salt is not 32 bytes long."""
    if len(salt) != SALT_SIZE:
        raise ValueError(f"salt: must be {SALT_SIZE} bytes long")
    return sha256(TAGS[section] + salt + encoded).digest()


def leaf(kind: int, hour: int, party_hash: bytes, subject_hash: bytes, audit_hash: bytes) -> bytes:
    """The 38 bytes of a leaf; ValueError if a hash is not 32 bytes long or the hour not 32 bits."""
    sections = party_hash + subject_hash + audit_hash
    if not len(party_hash) == len(subject_hash) == len(audit_hash) == HASH_SIZE:
        raise ValueError(f"section hashes: must be {HASH_SIZE} bytes long")
    if not 0 <= hour < 1 << 32:
        raise ValueError("hour: must fit 32 bits")
    return bytes((VERSION, kind)) + hour.to_bytes(4, "big") + sha256(sections).digest()


def parse_leaf(data: bytes) -> Leaf:
    """Read a leaf; ValueError if it is none of version 1."""
    if len(data) != LEAF_SIZE or data[0] != VERSION:
        raise ValueError(f"leaf: must be {LEAF_SIZE} bytes of version {VERSION}")
    try:
        kind = Kind(data[1])
    except ValueError:
        raise ValueError("leaf: unknown kind") from None
    return Leaf(kind, int.from_bytes(data[2:6], "big"), data[6:])


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (RFC 6962, section 2.1)."""
    return sha256(b"\x00" + data).digest()


def encode(
    kind: Kind,
    hour: int,
    *,
    party: Mapping[str, Any],
    subject: Mapping[str, Any],
    audit: Mapping[str, Any],
    salts: bytes,
) -> Encoded:
    """Encode a record from its sections and `salts`: 96 random bytes, 32 for each section in turn.

    ValueError as `canonical_json`, `section_hash` and `leaf`.
    """
    return encode_json(
        kind,
        hour,
        party=canonical_json(party),
        subject=canonical_json(subject),
        audit=canonical_json(audit),
        salts=salts,
    )


def encode_json(
    kind: Kind, hour: int, *, party: bytes, subject: bytes, audit: bytes, salts: bytes
) -> Encoded:
    """As `encode`, from sections that are canonical JSON already (`parse_canonical` checks it)."""
    if len(salts) != 3 * SALT_SIZE:
        raise ValueError(f"salts: must be {3 * SALT_SIZE} bytes long")
    party_hash = sha256(_PARTY + salts[:32] + party).digest()
    subject_hash = sha256(_SUBJECT + salts[32:64] + subject).digest()
    audit_hash = sha256(_AUDIT + salts[64:] + audit).digest()
    data = leaf(kind, hour, party_hash, subject_hash, audit_hash)
    return Encoded(
        data, leaf_hash(data), party_hash, subject_hash, audit_hash, party, subject, audit
    )


def salts_apart(salts: bytes) -> tuple[bytes, bytes, bytes]:
    """The salts of party, subject and audit out of the 96 bytes that `encode` took."""
    if len(salts) != 3 * SALT_SIZE:
        raise ValueError(f"salts: must be {3 * SALT_SIZE} bytes long")
    return salts[:32], salts[32:64], salts[64:]
