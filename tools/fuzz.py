#!/usr/bin/env python3
"""Feed rubbish to everything that reads what others wrote: it may refuse (ValueError), never crash.

`python -m tools.fuzz --seconds 60` mutates good inputs at random; `target(data)` is also the entry
for a coverage-guided fuzzer: its first octet chooses the reader, the rest is the input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from services.proof import (
    bundle,
    checkpoint,
    merkle,
    note,
    policy,
    receipt,
    record,
    submission,
    tiles,
)
from services.witness.model import RefusalError
from services.witness.operations import Witness
from services.witness.store import MemoryFile
from tools import verify_log

Reader = Callable[[bytes], object]
HASH = merkle.HASH_SIZE
TOKENS = (b"\n", b"\n\n", b"0", b"-1", b"9" * 30, b"\xff", b"+", b"=", b"[" * 5000)
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
# The examples of C2SP signed-note and tlog-checkpoint.
NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2O"
    "NncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv"
    "2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


RECEIPT = receipt.Receipt(
    origin="example.com/log",
    index=7,
    leaf_hash=bytes(HASH),
    kind=1,
    hour=490_000,
    party=record.canonical_json({"institution": "x"}),
    party_salt=bytes(HASH),
    subject_hash=bytes(HASH),
    audit_hash=bytes(HASH),
    time=1_764_000_000_000_000,
    key_id=bytes(8),
    signature=bytes(64),
).to_json()


def _text(reader: Callable[[str], object]) -> Reader:
    return lambda data: reader(data.decode("utf-8", "surrogateescape"))


def _proof(verify: Callable[..., None]) -> Reader:
    """Two numbers of two octets each, then hashes: two that are compared, and the proof."""

    def read(data: bytes) -> None:
        one, two = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
        hashes = [data[at : at + HASH] for at in range(4, len(data), HASH)]
        first, last, *proof = [*hashes, b"", b""][: max(2, len(hashes))]
        if verify in (merkle.verify_inclusion, verify_log.verify_inclusion):
            verify(one, two, first, proof, last)
        else:
            verify(one, two, proof, first, last)

    return read


def _node(data: bytes) -> None:
    level, index, width = (*data[:3], 0, 0, 0)[:3]
    tiles.node_in(data[3:], tiles.Tile(0, index // 2, width or 256), level % 9, index)


def _submit(data: bytes) -> None:
    """A witness that keeps nothing: what it would cosign is refused one step before."""
    key = note.parse_verifier_key(VKEY)
    witness = Witness(
        name="fuzz.example/w",
        public_key=key.public_key,
        sign=lambda _: bytes(64),
        logs={"example.com/behind-the-sofa": [key]},
        memory=MemoryFile(path=Path("/nonexistent/fuzz")),
        clock=lambda: 0,
    )
    try:
        asyncio.run(witness.add_checkpoint(data))
    except RefusalError as error:
        raise ValueError(str(error)) from None


def _receipt(data: bytes) -> None:
    receipt.verify_receipt(receipt.from_json(data), bytes(32))


def _alone(data: bytes) -> None:
    try:
        fields = json.loads(data)
    except RecursionError:  # as the command has it
        raise ValueError("too deep") from None
    verify_log.verify_receipt(fields, bytes(32))


READERS: Sequence[tuple[Reader, bytes]] = (
    (_text(lambda t: note.verify(t, [note.parse_verifier_key(VKEY)])), NOTE.encode()),
    (_text(lambda t: verify_log.verify_note(t, [VKEY])), NOTE.encode()),
    (_text(note.parse_verifier_key), VKEY.encode()),
    (_text(lambda t: verify_log.verify_note(NOTE, [t])), VKEY.encode()),
    (_text(note.parse_signature_lines), NOTE.rpartition("\n\n")[2].encode()),
    (_text(checkpoint.parse), CHECKPOINT.encode()),
    (_text(verify_log.read_checkpoint), CHECKPOINT.encode()),
    (submission.parse_submission, submission.format_submission(7, [bytes(32)], CHECKPOINT)),
    (_submit, submission.format_submission(0, [], CHECKPOINT)),
    (_text(bundle.parse_bundle), bundle.format_bundle(7, [bytes(32)], CHECKPOINT, b"x").encode()),
    (_text(verify_log.read_bundle), bundle.format_bundle(7, [bytes(32)], CHECKPOINT).encode()),
    (_text(policy.parse_policy), f"log {VKEY} http://x/\nquorum none\n".encode()),
    (_text(tiles.parse_path), b"tile/0/x001/x234/067.p/12"),
    (tiles.parse_bundle, tiles.bundle([b"one", b"two"])),
    (_node, bytes([2, 1, 8]) + bytes(8 * HASH)),
    (_proof(merkle.verify_inclusion), bytes([0, 2, 0, 5]) + bytes(5 * HASH)),
    (_proof(verify_log.verify_inclusion), bytes([0, 2, 0, 5]) + bytes(5 * HASH)),
    (_proof(merkle.verify_consistency), bytes([0, 2, 0, 5]) + bytes(5 * HASH)),
    (_proof(verify_log.verify_consistency), bytes([0, 2, 0, 5]) + bytes(5 * HASH)),
    (record.parse_leaf, record.leaf(1, 7, bytes(32), bytes(32), bytes(32))),
    (record.parse_canonical, record.canonical_json({"a": [1, {"b": None}], "c": "x"})),
    (_receipt, RECEIPT),
    (_alone, RECEIPT),
)


def target(data: bytes) -> None:
    """Read `data`; anything but a refusal is raised."""
    if data:
        reader, _ = READERS[data[0] % len(READERS)]
        try:
            reader(data[1:])
        except ValueError:
            return


def inputs(chance: random.Random) -> Iterator[bytes]:
    """Good inputs, spoilt a little or a lot, for ever."""
    while True:
        choice = chance.randrange(len(READERS))
        data = bytearray(READERS[choice][1])
        for _ in range(chance.choice((0, 1, 1, 2, 4, 16))):
            _spoil(data, chance)
        yield bytes([choice]) + bytes(data)


def _spoil(data: bytearray, chance: random.Random) -> None:
    at, count = chance.randrange(len(data) + 1), chance.choice((1, 1, 2, 8, 64))
    how = chance.randrange(5)
    if how == 0:
        del data[at : at + count]
    elif how == 1:
        data[at:at] = chance.randbytes(count)
    elif how == 2 and data:
        data[at % len(data)] ^= 1 << chance.randrange(8)
    elif how == 3:
        data[at:at] = data[at : at + count]
    else:
        data[at : at + count] = chance.choice(TOKENS)


def main() -> int:
    """The command: 0 when nothing crashed; else the input is printed, in hexadecimal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="the same seed, the same inputs")
    arguments = parser.parse_args()
    seed = (
        arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    )
    until, count = time.monotonic() + arguments.seconds, 0
    for data in inputs(random.Random(seed)):  # noqa: S311 - inputs, no secrets
        if time.monotonic() > until:
            break
        try:
            target(data)
        except Exception:
            print(f"seed {seed}, input {count}: {data.hex()}", file=sys.stderr)
            raise
        count += 1
    print(f"{count:,} inputs of seed {seed} were read or refused")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
