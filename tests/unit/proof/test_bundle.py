"""Proofs that are kept (C2SP tlog-proof), and cosignatures of their checkpoints."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.proof import merkle, note
from services.proof.bundle import Bundle, cosigners, format_bundle, parse_bundle, verify_bundle
from services.proof.note import COSIGNATURE, VerifierKey, parse_verifier_key
from tests.support.witnesses import ORIGIN, SignedTree, cosignature, key_of
from tools import verify_log

TREE = SignedTree([bytes([n]) for n in range(7)])
WITNESSES = {name: key_of(name) for name in ("one.test/w", "two.test/w")}
KEYS = [
    VerifierKey(name, key.public_key().public_bytes_raw(), COSIGNATURE)
    for name, key in WITNESSES.items()
]
TEXT = note.parse(TREE.note()).text
COSIGNED = TREE.note() + "".join(
    note.signature_line(cosignature(key, name, TEXT, 1_764_000_000))
    for name, key in WITNESSES.items()
)


def bundle(index: int = 3, checkpoint: str = COSIGNED) -> Bundle:
    proof = merkle.inclusion_proof(index, len(TREE.hashes), TREE.node)
    return parse_bundle(format_bundle(index, proof, checkpoint))


@pytest.mark.parametrize("index", range(7))
def test_a_proof_verifies_with_the_logs_key_and_a_quorum_of_witnesses(index: int) -> None:
    said = verify_bundle(
        bundle(index),
        TREE.hashes[index],
        origin=ORIGIN,
        log=[TREE.verifier],
        witnesses=KEYS,
        quorum=2,
    )
    assert (said.origin, said.size) == (ORIGIN, 7)


def test_the_stand_alone_verifier_reads_the_same_file(tmp_path: Path) -> None:
    text = format_bundle(2, merkle.inclusion_proof(2, 7, TREE.node), COSIGNED, b"more")
    index, proof, checkpoint = verify_log.read_bundle(text)
    assert (index, checkpoint) == (2, COSIGNED)
    for key in (TREE.verifier, *KEYS):
        verify_log.verify_note(checkpoint, [key.text()])
    verify_log.verify_inclusion(index, 7, TREE.hashes[2], proof, TREE.root(7))


def test_without_the_quorum_it_is_refused() -> None:
    alone = COSIGNED.rstrip("\n").rpartition("\n")[0] + "\n"
    with pytest.raises(ValueError, match="witnesses"):
        verify_bundle(
            bundle(checkpoint=alone),
            TREE.hashes[3],
            origin=ORIGIN,
            log=[TREE.verifier],
            witnesses=KEYS,
            quorum=2,
        )


@pytest.mark.parametrize("at", [0, 7, 8, 20, 71])
def test_a_cosignature_that_was_changed_is_refused(at: int) -> None:
    line = note.parse(COSIGNED).signatures[1]
    spoilt = bytearray(line.signature)
    spoilt[at] ^= 1
    changed = TREE.note() + note.signature_line(
        line.__class__(line.name, line.key_id, bytes(spoilt))
    )
    with pytest.raises(ValueError, match=r"does not verify|out of range"):
        cosigners(changed, KEYS)
    with pytest.raises(ValueError, match="does not verify"):
        verify_log.verify_note(changed, [KEYS[0].text()])
    verify_log.verify_note(changed, [TREE.verifier.text()])


def test_a_cosignature_is_not_a_signature_of_the_log() -> None:
    """The same key and name, used both ways, has two ids: one can't pass for the other."""
    key = WITNESSES["one.test/w"]
    plain = VerifierKey("one.test/w", key.public_key().public_bytes_raw())
    assert plain.key_id != KEYS[0].key_id
    with pytest.raises(ValueError, match="not signed by a known key"):
        note.verify(COSIGNED, [plain])


def test_a_witness_s_key_is_written_and_read() -> None:
    key_id = sha256(b"one.test/w\n\x04" + KEYS[0].public_key).digest()[:4].hex()
    text = f"one.test/w+{key_id}+{b64encode(bytes([4]) + KEYS[0].public_key).decode()}"
    assert parse_verifier_key(text) == KEYS[0]
    assert KEYS[0].text() == text


HASH = b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "head",
    [
        "",
        "wrong-header\nindex 0",
        "c2sp.org/tlog-proof@v2\nindex 0",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0",
        "c2sp.org/tlog-proof@v1\nindex notanumber",
        "c2sp.org/tlog-proof@v1\nindex -5",
        "c2sp.org/tlog-proof@v1\nindex 00",
        "c2sp.org/tlog-proof@v1\nindex 0\n!!notbase64!!",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{b64encode(bytes(64)).decode()}",
        f"c2sp.org/tlog-proof@v1\n{HASH}\nindex 0",
        f"c2sp.org/tlog-proof@v1\nindex 0\nextra {HASH}",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + "\n".join([HASH] * 64),
        "c2sp.org/tlog-proof@v1\nindex 0\n" + "a" * (1 << 20),
    ],
)
def test_a_file_of_another_form_is_refused(head: str) -> None:
    """Among them the cases of transparency-dev/formats, proof/tlog_proof_test.go."""
    with pytest.raises(ValueError, match="proof"):
        parse_bundle(f"{head}\n\n{COSIGNED}")


@given(
    st.integers(0, 10**18),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.none() | st.binary(max_size=100),
)
def test_what_was_written_is_read(index: int, proof: list[bytes], extra: bytes | None) -> None:
    read = parse_bundle(format_bundle(index, proof, COSIGNED, extra))
    assert read == Bundle(index, tuple(proof), COSIGNED, extra)


@given(st.text(max_size=200), st.integers(0, len(COSIGNED)))
def test_no_text_does_more_than_be_refused(noise: str, cut: int) -> None:
    whole = format_bundle(3, merkle.inclusion_proof(3, 7, TREE.node), COSIGNED)
    for text in (noise, whole[:cut] + noise + whole[cut:], whole[:cut]):
        try:
            read = parse_bundle(text)
        except ValueError:
            continue
        assert format_bundle(read.index, read.proof, read.checkpoint, read.extra) == text
