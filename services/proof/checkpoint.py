"""Checkpoints of a log: signed statements of its size and root, as C2SP tlog-checkpoint.

Contract: a checkpoint's body is the origin, the size and the root, a line each; it is signed as a
note whose key is named like the origin. `parse` reads what is claimed, `verify` also whether a
known key says so. ValueError with the reason for everything malformed.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from services.proof import note as notes
from services.proof.merkle import HASH_SIZE
from services.proof.note import Signature, VerifierKey, decode_base64, parse_verifier_key

_SIZE = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says. `extensions` are further lines, which we never write."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def body(origin: str, size: int, root: bytes) -> str:
    """The text that is signed."""
    if not origin or "\n" in origin:
        raise ValueError("checkpoint: the origin must be one line that is not empty")
    if size < 0 or len(root) != HASH_SIZE:
        raise ValueError(f"checkpoint: size must not be negative, root {HASH_SIZE} bytes long")
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n"


def signed(text: str, name: str, public_key: bytes, signature: bytes) -> str:
    """The note of a body with its Ed25519 signature; ValueError if the signature is not that."""
    return signed_by(text, name, [(public_key, signature)])


def signed_by(text: str, name: str, signatures: Iterable[tuple[bytes, bytes]]) -> str:
    """As `signed`, with public keys and signatures of several: while a log changes its key."""
    lines = []
    for public_key, signature in signatures:
        key = VerifierKey(name, public_key)
        key.verify(text, signature)
        lines.append(Signature(name, key.key_id, signature))
    return notes.format_note(text, lines)


def verifier_key(name: str, public_key: bytes) -> str:
    """The C2SP verifier key of a log's key: what a verifier is told beforehand."""
    return VerifierKey(name, public_key).text()


def parse(note: str) -> Checkpoint:
    """What the note claims; its signatures are well formed but not verified."""
    return parse_body(notes.parse(note).text)


def verify(note: str, origin: str, verifier_keys: Iterable[str]) -> Checkpoint:
    """The checkpoint of this origin in a note that one of the keys signed."""
    return verify_keys(note, origin, [parse_verifier_key(key) for key in verifier_keys])


def verify_keys(note: str, origin: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """As `verify`, with keys that were parsed before."""
    verified = notes.verify(note, keys)
    checkpoint = parse_body(verified.text)
    if checkpoint.origin != origin:
        raise ValueError("checkpoint: of another origin")
    return checkpoint


def parse_body(text: str) -> Checkpoint:
    """Read the text of a checkpoint."""
    origin, *lines = text.removesuffix("\n").split("\n")
    if len(lines) < 2 or not origin or not all(lines):
        raise ValueError("checkpoint: must have an origin, a size and a root, a line each")
    size, root, *extensions = lines
    if _SIZE.fullmatch(size) is None:
        raise ValueError("checkpoint: the size is not a decimal number in its one form")
    decoded = decode_base64(root, "checkpoint")
    if len(decoded) != HASH_SIZE:
        raise ValueError(f"checkpoint: the root must be {HASH_SIZE} bytes long")
    return Checkpoint(origin, int(size), decoded, tuple(extensions))
