"""A proof that can be kept and verified offline, as C2SP tlog-proof: index, hashes, checkpoint.

Contract: `format_bundle` and `parse_bundle` are each other's inverse; ValueError with the reason.
`verify_bundle` is the specification's "verifying a tlog proof", with k of the known witnesses.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.proof import checkpoint as checkpoints
from services.proof import note as notes
from services.proof.checkpoint import Checkpoint
from services.proof.merkle import HASH_SIZE, verify_inclusion
from services.proof.note import VerifierKey, decode_base64
from services.proof.submission import decimal

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63
MAX_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Bundle:
    """A proof, read. `extra` is opaque and authenticated by nothing."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def format_bundle(
    index: int, proof: Sequence[bytes], checkpoint: str, extra: bytes | None = None
) -> str:
    """The text of a proof; `checkpoint` is its note, as it was signed."""
    lines = [HEADER]
    if extra is not None:
        lines.append(f"extra {b64encode(extra).decode()}")
    lines += [f"index {index}", *(b64encode(each).decode() for each in proof), "", checkpoint]
    return "\n".join(lines)


def parse_bundle(text: str) -> Bundle:
    """Read a proof; its checkpoint is a well-formed one, not verified."""
    if len(text) > MAX_SIZE:
        raise ValueError("proof: larger than 1 MiB")
    head, gap, checkpoint = text.partition("\n\n")
    header, *lines = head.split("\n")
    if header != HEADER or not gap:
        raise ValueError("proof: not a tlog-proof of version 1")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "), "proof")
    if not lines or not lines[0].startswith("index "):
        raise ValueError("proof: has no index")
    index = decimal(lines.pop(0).removeprefix("index "), "proof")
    if len(lines) > MAX_HASHES:
        raise ValueError(f"proof: more than {MAX_HASHES} hashes")
    proof = tuple(decode_base64(line, "proof") for line in lines)
    if any(len(each) != HASH_SIZE for each in proof):
        raise ValueError(f"proof: a hash is not {HASH_SIZE} octets long")
    checkpoints.parse(checkpoint)
    return Bundle(index, proof, checkpoint, extra)


def verify_bundle(
    bundle: Bundle,
    leaf_hash: bytes,
    *,
    origin: str,
    log: Iterable[VerifierKey],
    witnesses: Iterable[VerifierKey] = (),
    quorum: int = 0,
) -> Checkpoint:
    """The checkpoint by which the leaf is in the log, cosigned by `quorum` of `witnesses`."""
    checkpoint = checkpoints.verify_keys(bundle.checkpoint, origin, log)
    if len(cosigners(bundle.checkpoint, witnesses)) < quorum:
        raise ValueError(f"proof: fewer than {quorum} of the known witnesses cosigned")
    verify_inclusion(bundle.index, checkpoint.size, leaf_hash, bundle.proof, checkpoint.root)
    return checkpoint


def cosigners(note: str, witnesses: Iterable[VerifierKey]) -> set[str]:
    """The names of those of `witnesses` who cosigned; ValueError if one's signature is wrong."""
    known = {(key.name, key.key_id): key for key in witnesses}
    parsed = notes.parse(note)
    found: set[str] = set()
    for signature in parsed.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            key.verify(parsed.text, signature.signature)
            found.add(key.name)
    return found
