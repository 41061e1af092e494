"""Published test vectors of RFC 6962 proofs: valid ones and spoilt ones (tests/data says whose)."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from services.proof import merkle
from tools import verify_log

DATA = Path(__file__).parents[2] / "data" / "rfc6962_proofs.json"
VECTORS: dict[str, Any] = json.loads(DATA.read_text("utf-8"))


# There, a proof from the empty tree is a mistake; C2SP tlog-witness has it as the empty proof.
LEFT_OUT = "consistency/additional/size1-is-zero-and-size2-is-not-zero"


def named(kind: str) -> list[Any]:
    return [
        pytest.param(each, id=each["name"]) for each in VECTORS[kind] if each["name"] != LEFT_OUT
    ]


def octets(texts: list[str] | None) -> list[bytes]:
    return [b64decode(each) for each in texts or ()]


def root(text: str | None) -> bytes:
    """A root; ours must have 32 octets, also where the published text does not care."""
    given = b64decode(text or "")
    return sha256(given).digest() if given.startswith(b"don't care") else given


@pytest.mark.parametrize("judge", [merkle.verify_inclusion, verify_log.verify_inclusion])
@pytest.mark.parametrize("vector", named("inclusion"))
def test_an_inclusion_proof_is_judged_as_published(vector: dict[str, Any], judge: Any) -> None:
    arguments = (
        vector["leafIdx"],
        vector["treeSize"],
        b64decode(vector["leafHash"]),
        octets(vector["proof"]),
        root(vector["root"]),
    )
    if vector["wantErr"]:
        with pytest.raises(ValueError, match="inclusion"):
            judge(*arguments)
    else:
        judge(*arguments)


@pytest.mark.parametrize("judge", [merkle.verify_consistency, verify_log.verify_consistency])
@pytest.mark.parametrize("vector", named("consistency"))
def test_a_consistency_proof_is_judged_as_published(vector: dict[str, Any], judge: Any) -> None:
    arguments = (
        vector["size1"],
        vector["size2"],
        octets(vector["proof"]),
        root(vector["root1"]),
        root(vector["root2"]),
    )
    if vector["wantErr"]:
        with pytest.raises(ValueError, match="consistency"):
            judge(*arguments)
    else:
        judge(*arguments)
