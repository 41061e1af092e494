"""Signed notes, checkpoints and verifier keys: the specifications' examples, and bad ones."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.proof import checkpoint, note
from services.proof.checkpoint import Checkpoint
from services.proof.merkle import EMPTY_ROOT
from services.proof.note import Signature, VerifierKey, parse_verifier_key
from tools import verify_log

# The example of C2SP signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Z"
    "tg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# The example of C2SP tlog-checkpoint.
CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
    "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NAME = "crossroads.example/log"


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def line(key: Ed25519PrivateKey, text: str, name: str = NAME) -> Signature:
    return Signature(name, VerifierKey(name, public(key)).key_id, key.sign(text.encode()))


def refused(text: str, keys: list[str]) -> None:
    """Both verifiers refuse the note, with a reason."""
    with pytest.raises(ValueError, match=r"note|verifier key"):
        note.verify(text, [parse_verifier_key(k) for k in keys])
    with pytest.raises(ValueError, match=r"note|verifier key"):
        verify_log.verify_note(text, keys)


def test_example_of_the_specification_verifies() -> None:
    key = parse_verifier_key(VKEY)
    assert key.text() == VKEY
    read = note.verify(NOTE, [key])
    assert read.text == "This is an example message.\n"
    assert note.format_note(read.text, read.signatures) == NOTE
    verify_log.verify_note(NOTE, [VKEY])


def test_changed_text_does_not_verify() -> None:
    refused(NOTE.replace("example message", "example massage"), [VKEY])


def test_note_without_a_known_signature_is_refused() -> None:
    refused(NOTE, [])
    refused(NOTE, [VerifierKey("example.com/foo", public(KEY)).text()])
    refused(NOTE, [VerifierKey("example.com/bar", parse_verifier_key(VKEY).public_key).text()])


def test_unknown_signatures_are_ignored_and_known_ones_must_verify() -> None:
    text = "a\n\nb\n"
    good, bad = line(KEY, text), line(OTHER, "another text\n")
    keys = [VerifierKey(NAME, public(KEY))]
    both = note.format_note(text, [bad, good])
    assert note.verify(both, keys).text == text
    verify_log.verify_note(both, [k.text() for k in keys])
    keys.append(VerifierKey(NAME, public(OTHER)))
    refused(both, [k.text() for k in keys])


def test_sixteen_signatures_are_accepted() -> None:
    text = "a\n"
    signatures = [line(KEY, text, f"{NAME}{n}") for n in range(16)]
    keys = [VerifierKey(f"{NAME}15", public(KEY))]
    made = note.format_note(text, signatures)
    assert len(note.verify(made, keys).signatures) == 16
    verify_log.verify_note(made, [keys[0].text()])


SIGNED = note.format_note("text\n", [line(KEY, "text\n")])
KEYS = [VerifierKey(NAME, public(KEY)).text()]
ENCODED = SIGNED.rstrip("\n").rpartition(" ")[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        SIGNED[:-1],
        SIGNED + "\n",
        SIGNED + "x",
        "x" + SIGNED,
        SIGNED.replace("\n\n", "\n"),
        SIGNED.replace("\n", "\r\n"),
        SIGNED.replace("text", "te\txt"),
        SIGNED.replace("text", "te\x00xt"),
        SIGNED.replace("text", "te\ud800xt"),
        SIGNED.replace("— ", "- "),
        SIGNED.replace("— ", "—"),
        SIGNED.replace("— ", "—  "),
        SIGNED.replace(NAME, ""),
        SIGNED.replace(NAME, "a+b"),
        SIGNED.replace(NAME, "a\N{NO-BREAK SPACE}b"),
        SIGNED.replace(ENCODED, ENCODED + "="),
        SIGNED.replace(ENCODED, ENCODED[:-2]),
        SIGNED.replace(ENCODED, ENCODED.replace("=", "")),
        SIGNED.replace(ENCODED, "!" + ENCODED[1:]),
        SIGNED.replace(ENCODED, "AAAAAA=="),
        SIGNED.replace(ENCODED, b64encode(b"key!" + b"s" * 12).decode()),
        SIGNED.replace(ENCODED, ""),
        SIGNED + "— trailing\n",
        "x" * (1 << 20) + SIGNED,
    ],
    ids=range(29),
)
def test_malformed_note_is_refused(text: str) -> None:
    refused(text, KEYS)


def test_more_than_64_signatures_are_refused() -> None:
    many = note.format_note("a\n", [line(KEY, "a\n")] * 65)
    with pytest.raises(ValueError, match="more than 64"):
        note.parse(many)


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "\ud800\n"])
def test_text_that_cannot_be_in_a_note_is_not_written(text: str) -> None:
    with pytest.raises(ValueError, match="note"):
        note.format_note(text, [])


@given(st.text(max_size=200) | st.text("— \n+aB=/09", max_size=60))
def test_any_text_is_refused_or_read_in_its_one_form(text: str) -> None:
    try:
        read = note.parse(text)
    except ValueError:
        pass
    else:
        assert note.format_note(read.text, read.signatures) == text
    try:
        verify_log.verify_note(text, KEYS)
    except ValueError:
        return
    raise AssertionError("a text that nobody signed was verified")


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+530d903a",
        VKEY.replace("530d903a", "530D903A"),
        VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("530d903a", "530d903"),
        VKEY.replace("example.com/foo", "example.com/bar"),
        VKEY.replace("example.com/foo", ""),
        VKEY.replace("example.com/foo", "a b"),
        VKEY.replace("+Aek", "+Bek"),
        VKEY[:-4],
        VKEY + "=",
        VKEY + "+",
    ],
)
def test_malformed_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(ValueError, match=r"verifier key|name"):
        parse_verifier_key(vkey)
    with pytest.raises(ValueError, match="verifier key"):
        verify_log.verify_note(NOTE, [vkey])


def test_checkpoint_of_the_specification_is_read() -> None:
    read = checkpoint.parse(CHECKPOINT)
    assert (read.origin, read.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert (
        checkpoint.body(read.origin, read.size, read.root) == CHECKPOINT.partition("\n\n")[0] + "\n"
    )
    assert verify_log.read_checkpoint(CHECKPOINT) == (read.origin, read.size, read.root)


def test_checkpoint_is_signed_and_verified() -> None:
    text = checkpoint.body(NAME, 0, EMPTY_ROOT)
    made = checkpoint.signed(text, NAME, public(KEY), KEY.sign(text.encode()))
    keys = [checkpoint.verifier_key(NAME, public(KEY))]
    assert checkpoint.verify(made, NAME, keys) == Checkpoint(NAME, 0, EMPTY_ROOT)
    verify_log.verify_note(made, keys)
    with pytest.raises(ValueError, match="another origin"):
        checkpoint.verify(made, "other.example", keys)
    with pytest.raises(ValueError, match="does not verify"):
        checkpoint.signed(text, NAME, public(OTHER), KEY.sign(text.encode()))


def test_extension_lines_are_read() -> None:
    body = checkpoint.body(NAME, 1, EMPTY_ROOT) + "more\n"
    assert checkpoint.parse_body(body).extensions == ("more",)


ROOT = b64encode(EMPTY_ROOT).decode()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n",
        f"{NAME}\n1\n",
        f"\n1\n{ROOT}\n",
        f"{NAME}\n01\n{ROOT}\n",
        f"{NAME}\n-1\n{ROOT}\n",
        f"{NAME}\n+1\n{ROOT}\n",
        f"{NAME}\n1e3\n{ROOT}\n",
        f"{NAME}\n\u0661\n{ROOT}\n",
        f"{NAME}\n{'9' * 30}\n{ROOT}\n",
        f"{NAME}\n1\n{ROOT[:-4]}\n",
        f"{NAME}\n1\n{ROOT[:-1]}\n",
        f"{NAME}\n1\n{ROOT}\n\nmore\n",
    ],
    ids=range(13),
)
def test_malformed_checkpoint_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        checkpoint.parse_body(body)
    with pytest.raises(ValueError, match=r"checkpoint|note"):
        verify_log.read_checkpoint(f"{body}\n— {NAME} {ENCODED}\n")


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 1, EMPTY_ROOT), ("a\nb", 1, EMPTY_ROOT), (NAME, -1, EMPTY_ROOT), (NAME, 1, b"short")],
)
def test_impossible_checkpoint_is_not_written(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        checkpoint.body(origin, size, root)
