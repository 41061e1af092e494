"""The receipts that an institution keeps: what it can prove of its exchanges.

Contract: a receipt is checked before it is kept: it hashes to its leaf, one of the log's keys
signed it, and it is about this exchange. Kept ones are JSON lines, one file for each application,
only ever appended to; `read` gives them back.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from crossroads.logging.v1 import logging_service_pb2 as api
from services.proof.receipt import Receipt, from_json, key_id, verify_receipt
from services.proof.record import Kind


def receipt_of(message: api.Receipt) -> Receipt:
    """The receipt in an API message."""
    time = message.time
    return Receipt(
        origin=message.origin,
        index=message.index,
        leaf_hash=message.leaf_hash,
        kind=message.kind,
        hour=message.hour,
        party=message.party,
        party_salt=message.party_salt,
        subject_hash=message.subject_hash,
        audit_hash=message.audit_hash,
        time=time.seconds * 1_000_000 + time.nanos // 1000,
        key_id=message.key_id,
        signature=message.signature,
    )


class ReceiptKeys:
    """The public keys (Ed25519, 32 octets) by which the log signs receipts."""

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes] = {}

    def add(self, public_key: bytes) -> None:
        """This key is one of the log's."""
        self._keys[key_id(public_key)] = public_key

    def knows(self, receipt: Receipt) -> bool:
        """Whether the key that the receipt names is here."""
        return receipt.key_id in self._keys

    def verify(self, receipt: Receipt, expected: Mapping[str, Any]) -> None:
        """Check the receipt and that its party section says `expected`; ValueError says why not."""
        public_key = self._keys.get(receipt.key_id)
        if public_key is None:
            raise ValueError("receipt: signed by a key that is none of the log's")
        verify_receipt(receipt, public_key)
        if receipt.kind != Kind.RELEASE:
            raise ValueError("receipt: not that of a release")
        party = receipt.party_section()
        for name, value in expected.items():
            if party.get(name) != value:
                raise ValueError(f"receipt: its {name} is not that of the exchange")


class ReceiptFile:
    """The receipts of one application, in one file."""

    def __init__(self, *, path: Path) -> None:
        self._path = path

    def append(self, receipt: Receipt) -> None:
        """Keep one. Raises OSError."""
        line = orjson.dumps(orjson.loads(receipt.to_json())) + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # One write at the end of the file: processes that share it don't mix their lines.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def read(path: Path) -> Iterator[Receipt]:
    """The receipts in a file. Raises OSError, ValueError."""
    with path.open("rb") as lines:
        for line in lines:
            yield from_json(line)
