"""The witness's own key: Ed25519, in one file that only its owner reads."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from services.proof.note import COSIGNATURE, VerifierKey


def make_key(file: Path) -> None:
    """A new key in a new file of mode 0600. Raises FileExistsError: a key is never replaced."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(stream.fileno())


def load_key(file: Path) -> Ed25519PrivateKey:
    """The key in a file. Raises OSError, and ValueError when it holds none."""
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError):
        raise ValueError(f"{file}: not a private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{file}: not an Ed25519 key")  # noqa: TRY004 - the content, not a type
    return key


def verifier_key(name: str, file: Path) -> str:
    """What verifiers and logs are told of the witness that signs as `name` with this key."""
    public = load_key(file).public_key().public_bytes_raw()
    return VerifierKey(name, public, COSIGNATURE).text()
