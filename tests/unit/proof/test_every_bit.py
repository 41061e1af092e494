"""A proof that is kept, with any bit of it changed, convinces neither verifier."""

import itertools
from collections.abc import Callable

import pytest

from services.proof import merkle, note
from services.proof.bundle import format_bundle, parse_bundle, verify_bundle
from services.proof.note import COSIGNATURE, VerifierKey
from tests.support.witnesses import ORIGIN, SignedTree, cosignature, key_of
from tools import verify_log

Verify = Callable[[bytes], None]
LOG = SignedTree([bytes([n]) for n in range(11)])
NAMES = ("one.test/w", "two.test/w")
WITNESSES = [
    VerifierKey(name, key_of(name).public_key().public_bytes_raw(), COSIGNATURE) for name in NAMES
]
TEXT = note.parse(LOG.note()).text
LINES = [
    note.signature_line(cosignature(key_of(name), name, TEXT, 1_764_000_000)) for name in NAMES
]
INDEX = 6
PROOF = format_bundle(
    INDEX, merkle.inclusion_proof(INDEX, 11, LOG.node), LOG.note() + "".join(LINES)
).encode()


def ours(data: bytes) -> None:
    verify_bundle(
        parse_bundle(data.decode()),
        LOG.hashes[INDEX],
        origin=ORIGIN,
        log=[LOG.verifier],
        witnesses=WITNESSES,
        quorum=2,
    )


def alone(data: bytes) -> None:
    """As the command of the stand-alone verifier does, for an entry whose place is known."""
    index, proof, checkpoint = verify_log.read_bundle(data.decode())
    for key in (LOG.verifier, *WITNESSES):
        verify_log.verify_note(checkpoint, [key.text()])
    origin, size, root = verify_log.read_checkpoint(checkpoint)
    if origin != ORIGIN:
        raise ValueError("of another log")
    verify_log.verify_inclusion(index, size, LOG.hashes[INDEX], proof, root)


@pytest.mark.parametrize("verify", [ours, alone])
def test_any_bit(verify: Verify) -> None:
    verify(PROOF)
    believed = []
    for bit in range(8 * len(PROOF)):
        spoilt = bytearray(PROOF)
        spoilt[bit // 8] ^= 1 << bit % 8
        try:
            verify(bytes(spoilt))
        except ValueError:
            continue
        believed.append((bit, bytes(spoilt[max(0, bit // 8 - 20) : bit // 8 + 20])))
    assert believed == []


@pytest.mark.parametrize("verify", [ours, alone])
def test_any_end_cut_off_or_line_left_out_or_moved(verify: Verify) -> None:
    lines = PROOF.splitlines(keepends=True)
    others = [PROOF[:end] for end in range(len(PROOF))]
    others += [b"".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines))]
    for one, other in itertools.combinations(range(len(lines)), 2):
        moved = [*lines]
        moved[one], moved[other] = moved[other], moved[one]
        # Whose signature comes first says nothing.
        signatures = {lines[one][:4], lines[other][:4]} == {"— ".encode()[:4]}
        if moved != lines and not signatures:
            others.append(b"".join(moved))
    for other_proof in others:
        with pytest.raises(ValueError, match=r"\w"):
            verify(other_proof)
