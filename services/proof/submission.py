"""What a log sends to a witness, as C2SP tlog-witness (add-checkpoint): pure text.

Contract: `parse` is strict and says nothing about trust; ValueError with the reason.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from services.proof.merkle import HASH_SIZE
from services.proof.note import decode_base64

MAX_HASHES = 63
MAX_SIZE = 256 * 1024
SIZE_TYPE = "text/x.tlog.size"
"""The content type of a 409, whose body is the size that the witness knows."""

_DECIMAL = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint (its note) with the proof that it continues the tree of `old` leaves."""

    old: int
    proof: tuple[bytes, ...]
    note: str


def format_submission(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of add-checkpoint."""
    lines = [f"old {old}\n", *(f"{b64encode(each).decode()}\n" for each in proof), "\n", note]
    return "".join(lines).encode()


def parse_submission(body: bytes) -> Submission:
    """Read the body of add-checkpoint."""
    if len(body) > MAX_SIZE:
        raise ValueError(f"submission: larger than {MAX_SIZE} octets")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise ValueError("submission: not UTF-8") from None
    head, gap, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    if not gap or not first.startswith("old "):
        raise ValueError("submission: must be the old size, a proof, an empty line and a note")
    if len(lines) > MAX_HASHES:
        raise ValueError(f"submission: more than {MAX_HASHES} hashes")
    proof = tuple(decode_base64(line, "submission") for line in lines)
    if any(len(each) != HASH_SIZE for each in proof):
        raise ValueError(f"submission: a hash is not {HASH_SIZE} octets long")
    return Submission(decimal(first.removeprefix("old "), "submission"), proof, note)


def decimal(text: str, what: str) -> int:
    """A number in its one decimal form; ValueError otherwise."""
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError(f"{what}: not a decimal number in its one form")
    return int(text)
