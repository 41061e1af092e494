"""Signed notes and verifier keys, as C2SP signed-note: Ed25519, plain or as a cosignature.

Contract: parsing is strict (what has two spellings is refused) and says nothing about trust;
`verify` does. Signatures by keys that are not known are ignored, as the specification says; one by
a known key that does not verify makes the whole note invalid. ValueError says why.
"""

from __future__ import annotations

import unicodedata
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = 1
COSIGNATURE = 4
"""Signature types: of a log's note, and of a witness, which adds when it looked."""

TIME_SIZE = 8
MAX_SIZE = 1 << 20
MAX_SIGNATURES = 64
_DASH = "\N{EM DASH}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line: who signed with which key (its 4-byte id), and the signature."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note, read: its text with the last newline, and its signatures, not verified."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 key that signs notes, 32 bytes, the name that it signs under, and how.

    `kind` is ED25519 (the note's text is signed) or COSIGNATURE (a witness's, with its time).
    """

    name: str
    public_key: bytes
    kind: int = ED25519

    def __post_init__(self) -> None:
        _require_name(self.name)
        if self.kind not in (ED25519, COSIGNATURE):
            raise ValueError("verifier key: only Ed25519 (types 1 and 4) is known")
        if len(self.public_key) != 32:
            raise ValueError("verifier key: an Ed25519 public key is 32 bytes long")

    @property
    def key_id(self) -> bytes:
        """Four bytes that, with the name, tell the key."""
        typed = bytes((self.kind,)) + self.public_key
        return sha256(self.name.encode() + b"\n" + typed).digest()[:4]

    def text(self) -> str:
        """`<name>+<hex of key id>+<base64 of type and key>`."""
        typed = bytes((self.kind,)) + self.public_key
        return f"{self.name}+{self.key_id.hex()}+{b64encode(typed).decode()}"

    def verify(self, text: str, signature: bytes) -> None:
        """ValueError unless this is the key's signature of the text."""
        message = text.encode()
        if self.kind == COSIGNATURE:
            time, signature = signature[:TIME_SIZE], signature[TIME_SIZE:]
            message = cosigned(text, int.from_bytes(time, "big"))
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise ValueError(f"note: the signature of {self.name} does not verify") from None


def parse_verifier_key(text: str) -> VerifierKey:
    """The key that `VerifierKey.text` wrote; ValueError if it is none, or of another type."""
    name, plus, rest = text.partition("+")
    key_id, plus_too, encoded = rest.partition("+")
    if not plus or not plus_too:
        raise ValueError("verifier key: must be name, id and key with a plus between them")
    typed = decode_base64(encoded, "verifier key")
    if not typed:
        raise ValueError("verifier key: has no type")
    key = VerifierKey(name, typed[1:], typed[0])
    if key.key_id.hex() != key_id:
        raise ValueError("verifier key: the id is not that of the name and key")
    return key


def cosigned(text: str, time: int) -> bytes:
    """What a witness signs (tlog-cosignature): the text, and when, in seconds since 1970."""
    if not 0 <= time < 1 << 63:
        raise ValueError("cosignature: the time is out of range")
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def signature_line(signature: Signature) -> str:
    """One line of a note, with its newline."""
    _require_name(signature.name)
    encoded = b64encode(signature.key_id + signature.signature).decode()
    return f"{_DASH} {signature.name} {encoded}\n"


def parse_signature_lines(text: str) -> tuple[Signature, ...]:
    """Lines that `signature_line` wrote, one at least."""
    if not text.endswith("\n"):
        raise ValueError("note: a signature line must end with a newline")
    lines = text[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise ValueError(f"note: more than {MAX_SIGNATURES} signatures")
    return tuple(_parse_signature(line) for line in lines)


def format_note(text: str, signatures: Iterable[Signature]) -> str:
    """The note of a text and its signatures; ValueError if the text or a name cannot be in one."""
    _require_text(text)
    return "".join((text, "\n", *map(signature_line, signatures)))


def parse(note: str) -> Note:
    """Read a note; at most 1 MiB and 64 signatures."""
    if len(note) > MAX_SIZE:
        raise ValueError("note: larger than 1 MiB")
    text, gap, tail = note.rpartition("\n\n")
    if not gap or not tail:
        raise ValueError("note: must be a text, an empty line and signature lines")
    text += "\n"
    _require_text(text)
    return Note(text, parse_signature_lines(tail))


def verify(note: str, keys: Iterable[VerifierKey]) -> Note:
    """Read a note and verify it.

    ValueError if no known key signed it, or if a signature by a known key does not verify.
    """
    parsed = parse(note)
    known = {(key.name, key.key_id): key for key in keys}
    verified = 0
    for signature in parsed.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            key.verify(parsed.text, signature.signature)
            verified += 1
    if not verified:
        raise ValueError("note: not signed by a known key")
    return parsed


def decode_base64(text: str, what: str) -> bytes:
    """RFC 4648, section 4, with padding and zero trailing bits; ValueError otherwise."""
    try:
        data = b64decode(text, validate=True)
    except (Error, ValueError):
        raise ValueError(f"{what}: not base64") from None
    if b64encode(data).decode() != text:
        raise ValueError(f"{what}: not base64 in its one form")
    return data


def _parse_signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, gap, encoded = rest.partition(" ")
    if dash != _DASH or not gap:
        raise ValueError("note: not a signature line")
    _require_name(name)
    data = decode_base64(encoded, "note")
    if len(data) < 5:
        raise ValueError("note: a signature is shorter than its key id")
    return Signature(name, data[:4], data[4:])


def _require_text(text: str) -> None:
    if not text.endswith("\n"):
        raise ValueError("note: the text must end with a newline")
    if any(c < " " and c != "\n" for c in text):
        raise ValueError("note: the text holds a control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("note: not UTF-8") from None


def _require_name(name: str) -> None:
    spaces = any(c.isspace() or unicodedata.category(c) in {"Zs", "Cs"} for c in name)
    if not name or spaces or "+" in name or any(c < " " for c in name):
        raise ValueError("note: a key's name must not be empty nor hold spaces or a plus")
