"""Receipts, and the stand-alone verifier's command on files as a client keeps them."""

from __future__ import annotations

import ast
import json
import sys
from base64 import b64encode
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.proof import checkpoint, merkle, receipt, record
from services.proof.receipt import Receipt, from_json, verify_receipt
from services.proof.record import Kind
from tests.unit.proof.trees import leaf_hashes
from tools import verify_log

ORIGIN = "crossroads.example/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
INDEX, SIZE = 5, 12


def issued(index: int = INDEX) -> Receipt:
    """A receipt for a release, as the log issues it."""
    entry = record.encode(
        Kind.RELEASE,
        490_000,
        party={"institution": "capac", "outcome": "released"},
        subject={"purpose": "right"},
        audit={"table_version": 3},
        salts=bytes(range(96)),
    )
    time = 490_000 * 3_600_000_000 + 17
    signed = receipt.message(origin=ORIGIN, index=index, leaf_hash=entry.leaf_hash, time=time)
    return Receipt(
        origin=ORIGIN,
        index=index,
        leaf_hash=entry.leaf_hash,
        kind=Kind.RELEASE,
        hour=490_000,
        party=entry.party,
        party_salt=bytes(range(32)),
        subject_hash=entry.subject_hash,
        audit_hash=entry.audit_hash,
        time=time,
        key_id=receipt.key_id(PUBLIC),
        signature=KEY.sign(signed),
    )


def test_receipt_verifies_by_both_verifiers() -> None:
    verify_receipt(issued(), PUBLIC)
    verify_log.verify_receipt(json.loads(issued().to_json()), PUBLIC)
    assert issued().party_section() == {"institution": "capac", "outcome": "released"}


CHANGES: dict[str, Any] = {
    "origin": "other.example",
    "index": 6,
    "leaf_hash": b"\x01" * 32,
    "kind": 3,
    "hour": 490_001,
    "party": b'{"institution":"onem","outcome":"released"}',
    "party_salt": b"\x01" * 32,
    "subject_hash": b"\x01" * 32,
    "audit_hash": b"\x01" * 32,
    "time": 1,
    "key_id": b"\x01" * 8,
    "signature": b"\x01" * 64,
}


@pytest.mark.parametrize("field", CHANGES)
def test_receipt_with_one_field_changed_is_refused(field: str) -> None:
    changed = replace(issued(), **{field: CHANGES[field]})
    with pytest.raises(ValueError, match="receipt"):
        verify_receipt(changed, PUBLIC)
    with pytest.raises(ValueError, match="receipt"):
        verify_log.verify_receipt(json.loads(changed.to_json()), PUBLIC)


def test_every_field_is_covered() -> None:
    assert set(CHANGES) == {f.name for f in fields(Receipt)}


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 0},
        {"kind": 300},
        {"hour": -1},
        {"party_salt": b""},
        {"subject_hash": b""},
        {"party": b'{"b": 1}'},
        {"party": b"[]"},
        {"signature": b""},
        {"origin": "a\nb"},
        {"index": -1},
        {"leaf_hash": b""},
    ],
    ids=repr,
)
def test_malformed_receipt_is_refused(change: dict[str, Any]) -> None:
    changed = replace(issued(), **change)
    with pytest.raises(ValueError):  # noqa: PT011 - several reasons, each a text of its own
        verify_receipt(changed, PUBLIC)
    with pytest.raises(ValueError):  # noqa: PT011
        verify_log.verify_receipt(json.loads(changed.to_json()), PUBLIC)


@pytest.mark.parametrize("key", [b"", b"\x00" * 31, bytes(range(32))])
def test_another_key_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="another key"):
        verify_receipt(issued(), key)


def test_receipt_is_read_as_it_was_written() -> None:
    assert from_json(issued().to_json()) == issued()


@pytest.mark.parametrize(
    "change",
    [
        {"index": "5"},
        {"index": 5.0},
        {"index": True},
        {"party": 1},
        {"leaf_hash": "!"},
        {"leaf_hash": None},
        {"more": 1},
    ],
    ids=repr,
)
def test_json_that_is_no_receipt_is_refused(change: dict[str, Any]) -> None:
    data = json.loads(issued().to_json()) | change
    with pytest.raises(ValueError, match="receipt"):
        from_json(json.dumps(data).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"{"])
def test_bytes_that_are_no_receipt_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="receipt"):
        from_json(data)


@pytest.mark.parametrize("given", [[], {}, {"party": 1}, {"leaf_hash": []}], ids=repr)
def test_stand_alone_verifier_refuses_what_is_no_receipt(given: Any) -> None:
    with pytest.raises(ValueError, match="receipt"):
        verify_log.verify_receipt(given, PUBLIC)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A log of 12 entries of which ours is the sixth, as files of a client."""
    hashes = leaf_hashes(SIZE)
    hashes[INDEX] = issued().leaf_hash
    tree, old = merkle.Tree(), merkle.Tree()
    nodes = {(level, i): h for level, i, h in tree.append(hashes)}
    nodes |= {(0, i): h for i, h in enumerate(hashes)}
    old.append(hashes[:7])

    def encoded(proof: list[bytes]) -> str:
        return "".join(f"{b64encode(h).decode()}\n" for h in proof)

    def read(level: int, index: int) -> bytes:
        return nodes[level, index]

    def signed(size: int, root: bytes) -> str:
        body = checkpoint.body(ORIGIN, size, root)
        return checkpoint.signed(body, ORIGIN, PUBLIC, KEY.sign(body.encode()))

    new = signed(SIZE, tree.root())
    inclusion = encoded(merkle.inclusion_proof(INDEX, SIZE, read))
    contents = {
        "new": new,
        "old": signed(7, old.root()),
        "growth": encoded(merkle.consistency_proof(7, SIZE, read)),
        "bundle": f"c2sp.org/tlog-proof@v1\nindex {INDEX}\n{inclusion}\n{new}",
        "extra": f"c2sp.org/tlog-proof@v1\nextra AAAA\nindex {INDEX}\n{inclusion}\n{new}",
        "moved": f"c2sp.org/tlog-proof@v1\nindex {INDEX - 1}\n{inclusion}\n{new}",
        "nothing": "",
        "receipt": issued().to_json().decode(),
        "elsewhere": issued(index=6).to_json().decode(),
        "deep": "[" * 100_000,
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    return {name: str(tmp_path / name) for name in contents}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["verify_log.py", *arguments])
    return verify_log.main()


LEAF = b64encode(issued().leaf_hash).decode()
RECEIPT_KEY = b64encode(PUBLIC).decode()
GOOD = [
    ("note", "new"),
    ("consistency", "old", "new", "growth"),
    ("inclusion", "bundle"),
    ("inclusion", "extra"),
    ("receipt", "bundle", "receipt"),
]
BAD = [
    ("note", "growth"),
    ("note", "missing"),
    ("consistency", "new", "old", "growth"),
    ("consistency", "old", "new", "nothing"),
    ("inclusion", "moved"),
    ("inclusion", "new"),
    ("inclusion", "nothing"),
    ("receipt", "bundle", "elsewhere"),
    ("receipt", "bundle", "bundle"),
    ("receipt", "bundle", "deep"),
]


@pytest.mark.parametrize("act", GOOD, ids=" ".join)
def test_command_verifies_what_is_true(
    act: tuple[str, ...],
    files: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [files[name] for name in act[1:]]
    keys = ["--key", checkpoint.verifier_key(ORIGIN, PUBLIC)]
    given = [*keys, "--leaf-hash", LEAF, "--receipt-key", RECEIPT_KEY, act[0], *names]
    assert run(monkeypatch, *given) == 0
    assert ORIGIN in capsys.readouterr().out


@pytest.mark.parametrize("act", BAD, ids=" ".join)
def test_command_says_what_is_not_verified(
    act: tuple[str, ...],
    files: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [files.get(name, f"{files['new']}.missing") for name in act[1:]]
    keys = ["--key", checkpoint.verifier_key(ORIGIN, PUBLIC)]
    given = [*keys, "--leaf-hash", LEAF, "--receipt-key", RECEIPT_KEY, act[0], *names]
    assert run(monkeypatch, *given) == 1
    assert capsys.readouterr().err.startswith("NOT VERIFIED: ")


def test_command_trusts_no_key_that_it_was_not_given(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "note", files["new"]) == 1


def test_command_names_its_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "consistency", "one")


def test_stand_alone_verifier_imports_nothing_of_ours_and_is_short() -> None:
    source = Path(verify_log.__file__).read_text()
    imported = set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= sys.stdlib_module_names | {"cryptography"}
    assert len(source.splitlines()) <= 300
