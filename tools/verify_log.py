#!/usr/bin/env python3
"""Verify what a Crossroads log says, with nothing of Crossroads: one file, to be read and kept.

It needs Python 3.11 and, for signatures, the package `cryptography`. It follows RFC 6962 (tree),
C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-proof, and for leaves and receipts:

    leaf    = version(1) | kind(1) | hour(4) | SHA-256(H_party | H_subject | H_audit)
    H_party = SHA-256("crossroads/log/v1/party" newline | salt | party section)
    receipt = Ed25519 over the lines "crossroads receipt v1", origin, index, leaf hash, time

Every function returns nothing, or what it read, and raises ValueError with the reason. Hashes are
32 bytes; in files and on the command line they are base64, one a line in a proof.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HASH = 32


def verify_inclusion(
    index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """The leaf with this hash is at `index` of the tree with `size` leaves and this root."""
    _numbers("inclusion", index, size)
    if index >= size:
        raise ValueError("inclusion: the index is not in the tree")
    _hashes("inclusion", [leaf_hash, root, *proof])
    if _path(index, size, leaf_hash, list(proof)) != root:
        raise ValueError("inclusion: the proof leads to another root")


def verify_consistency(
    size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """The tree of size2 leaves begins with the tree of size1 leaves."""
    _numbers("consistency", size1, size2)
    if size1 > size2:
        raise ValueError("consistency: the second tree is smaller than the first")
    _hashes("consistency", [root1, root2, *proof])
    if size1 == 0:
        empty = hashlib.sha256().digest()
        if proof or root1 != empty or (size2 == 0 and root2 != empty):
            raise ValueError("consistency: the empty tree has its own root and needs no proof")
        return
    first, second = _subproof(size1, size2, root1, list(proof))
    for which, found, root in (("first", first, root1), ("second", second, root2)):
        if found != root:
            raise ValueError(f"consistency: the proof leads to another {which} root")


def verify_note(text: str, verifier_keys: Iterable[str]) -> None:
    """At least one of the keys signed the note, and none of their signatures is wrong.

    A verifier key is `<name>+<8 hex digits>+<base64>`: Ed25519, of a log or of a witness (type 4).
    Unknown signatures are ignored. Who must have signed is asked one key at a time.
    """
    keys = dict(map(_verifier_key, verifier_keys))
    body, signatures = _note(text)
    known = [(keys[s[:2]], s[2]) for s in signatures if s[:2] in keys]
    if not known:
        raise ValueError("note: not signed by a known key")
    for typed, signature in known:
        when = int.from_bytes(signature[:8], "big")  # a witness looked, in seconds since 1970
        before, at = (f"cosignature/v1\ntime {when}\n", 8) if typed[0] == 4 else ("", 0)
        _ed25519("note", typed[1:], signature[at:], (before + body).encode())


def verify_receipt(receipt: dict[str, Any], public_key: bytes) -> None:
    """The receipt's sections hash to its leaf, and the key signed it. It is not in the tree yet."""
    try:
        name = {k: _base64("receipt", receipt[k]) for k in _RECEIPT_BYTES}
        party = receipt["party"].encode()
        index, time = f"{receipt['index']:d}", f"{receipt['time']:d}"
        kind, hour = receipt["kind"].to_bytes(1, "big"), receipt["hour"].to_bytes(4, "big")
        (origin,) = receipt["origin"].split("\n")
    except (KeyError, TypeError, AttributeError, OverflowError):
        raise ValueError("receipt: a field is missing or of another type") from None
    _hashes("receipt", [name[k] for k in _RECEIPT_BYTES[:4]])
    tag = b"crossroads/log/v1/party\n"
    party_hash = hashlib.sha256(tag + name["party_salt"] + party).digest()
    sections = hashlib.sha256(party_hash + name["subject_hash"] + name["audit_hash"]).digest()
    if hashlib.sha256(b"\0\1" + kind + hour + sections).digest() != name["leaf_hash"]:
        raise ValueError("receipt: its sections do not hash to its leaf")
    if name["key_id"] != hashlib.sha256(public_key).digest()[:8]:
        raise ValueError("receipt: signed by another key")
    encoded = base64.b64encode(name["leaf_hash"]).decode()
    message = f"crossroads receipt v1\n{origin}\n{index}\n{encoded}\n{time}\n"
    _ed25519("receipt", public_key, name["signature"], message.encode())


def read_checkpoint(text: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint. Verify the note first."""
    lines = _note(text)[0].split("\n")[:-1]
    if len(lines) < 3 or not all(lines):
        raise ValueError("checkpoint: must have an origin, a size and a root, a line each")
    size, root = _decimal("checkpoint", lines[1]), _base64("checkpoint", lines[2])
    _hashes("checkpoint", [root])
    return lines[0], size, root


def read_bundle(text: str) -> tuple[int, list[bytes], str]:
    """Index, inclusion proof and checkpoint of a C2SP tlog-proof file."""
    head, _, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise ValueError("bundle: not a tlog-proof of version 1")
    if lines and lines[0].startswith("extra "):
        _base64("bundle", lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise ValueError("bundle: has no index")
    index = _decimal("bundle", lines.pop(0).removeprefix("index "))
    return index, [_base64("bundle", line) for line in lines], checkpoint


_RECEIPT_BYTES = ["leaf_hash", "party_salt", "subject_hash", "audit_hash", "key_id", "signature"]


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below a size of at least two."""
    return 1 << ((size - 1).bit_length() - 1)


def _path(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:
    """The root that PATH(index, D[size]) of RFC 6962, 2.1.1 leads to; consumes the proof."""
    if size == 1:
        if proof:
            raise ValueError("inclusion: the proof is too long")
        return leaf
    if not proof:
        raise ValueError("inclusion: the proof is too short")
    sibling, k = proof.pop(), _split(size)
    if index < k:
        return _node(_path(index, k, leaf, proof), sibling)
    return _node(sibling, _path(index - k, size - k, leaf, proof))


def _subproof(m: int, n: int, known: bytes | None, proof: list[bytes]) -> tuple[bytes, bytes]:
    """The roots of D[m] and D[n] by SUBPROOF of RFC 6962, 2.1.2; consumes the proof.

    `known` is the root of D[m] where the verifier has it, None where the proof must give it.
    """
    if m == n:
        given = [known] if known is not None else proof[:1]
        if len(proof) > (known is None):
            raise ValueError("consistency: the proof is too long")
        if not given:
            raise ValueError("consistency: the proof is too short")
        return given[0], given[0]
    if not proof:
        raise ValueError("consistency: the proof is too short")
    sibling, k = proof.pop(), _split(n)
    if m <= k:
        first, second = _subproof(m, k, known, proof)
        return first, _node(second, sibling)
    first, second = _subproof(m - k, n - k, None, proof)
    return _node(sibling, first), _node(sibling, second)


def _note(text: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text of a note and its signatures: name, key id, signature."""
    body, gap, tail = text.rpartition("\n\n")
    if not gap or not tail.endswith("\n") or len(text) > 1 << 20:
        raise ValueError("note: must be a text, an empty line and signature lines")
    if re.search("[\x00-\x09\x0b-\x1f\ud800-\udfff]", text):
        raise ValueError("note: holds a control character or is not UTF-8")
    signatures = []
    for line in tail[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\N{EM DASH}" or not _is_name(parts[1]):
            raise ValueError("note: not a signature line")
        data = _base64("note", parts[2])
        if len(data) < 5:
            raise ValueError("note: a signature is shorter than its key id")
        signatures.append((parts[1], data[:4], data[4:]))
    return body + "\n", signatures


def _verifier_key(text: str) -> tuple[tuple[str, bytes], bytes]:
    """(name, key id) of a verifier key, and its type (one byte) with its Ed25519 key."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _is_name(parts[0]):
        raise ValueError("verifier key: must be name, id and key with a plus between them")
    typed = _base64("verifier key", parts[2])
    if typed[:1] not in (b"\1", b"\4") or len(typed) != 33:
        raise ValueError("verifier key: only Ed25519 is known")
    key_id = hashlib.sha256(parts[0].encode() + b"\n" + typed).digest()[:4]
    if key_id.hex() != parts[1]:
        raise ValueError("verifier key: the id is not that of the name and key")
    return (parts[0], key_id), typed


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not re.search(r"\s", name)


def _ed25519(what: str, key: bytes, signature: bytes, message: bytes) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - trees need none
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise ValueError(f"{what}: a signature does not verify") from None


def _numbers(what: str, *numbers: int) -> None:
    if not all(0 <= n < 1 << 63 for n in numbers):
        raise ValueError(f"{what}: an index or size is out of range")


def _hashes(what: str, hashes: Iterable[bytes]) -> None:
    if any(len(h) != HASH for h in hashes):
        raise ValueError(f"{what}: hashes must be {HASH} bytes long")


def _base64(what: str, text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if base64.b64encode(data).decode() != text:
        raise ValueError(f"{what}: not base64 in its one form")
    return data


def _decimal(what: str, text: str) -> int:
    if re.fullmatch(r"0|[1-9][0-9]{0,18}", text) is None:
        raise ValueError(f"{what}: not a decimal number in its one form")
    return int(text)


def _run(a: argparse.Namespace) -> str:
    """Carry out one command; says what was verified."""

    def checkpoint(text: str) -> tuple[str, int, bytes]:
        for keys in (a.key, *([witness] for witness in a.witness)):
            verify_note(text, keys)
        return read_checkpoint(text)

    files = [Path(name).read_bytes().decode() for name in a.files]
    if a.act == "note":
        return "signed: {}, {} entries".format(*checkpoint(files[0])[:2])
    if a.act == "consistency":
        old, new = checkpoint(files[0]), checkpoint(files[1])
        if old[0] != new[0]:
            raise ValueError("consistency: checkpoints of different logs")
        proof = [_base64("proof", line) for line in files[2].split()]
        verify_consistency(old[1], new[1], proof, old[2], new[2])
        return f"consistent: {old[0]} grew from {old[1]} to {new[1]} entries"
    index, hashes, note = read_bundle(files[0])
    origin, size, root = checkpoint(note)
    leaf_hash = _base64("leaf hash", a.leaf_hash) if a.leaf_hash else b""
    if a.act == "receipt":
        receipt = json.loads(files[1])
        verify_receipt(receipt, _base64("receipt key", a.receipt_key or ""))
        leaf_hash = _base64("receipt", receipt["leaf_hash"])
        if (receipt["origin"], receipt["index"]) != (origin, index):
            raise ValueError("receipt: of another log or index than the proof")
    verify_inclusion(index, size, leaf_hash, hashes, root)
    return f"included: entry {index} of {origin} at {size} entries"


def main() -> int:
    """The command: 0 and one line when all is well, 1 and the reason when not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--key", action="append", default=[], help="verifier key of the log")
    parser.add_argument("--witness", action="append", default=[], help="that must have cosigned")
    parser.add_argument("--leaf-hash", help="inclusion: the leaf's hash in base64")
    parser.add_argument("--receipt-key", help="receipt: the Ed25519 key in base64")
    forms = "note NOTE, inclusion BUNDLE, receipt BUNDLE RECEIPT, consistency OLD NEW PROOF"
    counts = {"note": 1, "inclusion": 1, "receipt": 2, "consistency": 3}
    parser.add_argument("act", choices=counts, help=forms)
    parser.add_argument("files", nargs="+", help="a BUNDLE is a C2SP tlog-proof")
    arguments = parser.parse_args()
    if len(arguments.files) != counts[arguments.act]:
        parser.error(f"the forms are: {forms}")
    try:
        print(_run(arguments))
    except (ValueError, OSError, RecursionError) as error:
        print(f"NOT VERIFIED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
