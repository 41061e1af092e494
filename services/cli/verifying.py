"""What institutions hold against the log: receipts, proven one by one.

Contract: a receipt is proven when it hashes to its leaf, one of the log's keys signed it, and its
leaf is under a checkpoint that the log's key signed. `receipts` names each receipt that is not.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossroads.logging.v1 import logging_service_pb2 as logging
from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from services.cli.connections import Connections, patiently
from services.institution.receipts import ReceiptKeys, read
from services.proof import checkpoint as checkpoints
from services.proof.merkle import verify_inclusion
from services.proof.receipt import Receipt
from services.runtime.errors import CrossroadsError, Reason


@dataclass(frozen=True)
class Proven:
    """A receipt's place in the log, and the tree that it was proven against."""

    index: int
    size: int
    root: bytes
    hashes: int


@dataclass(frozen=True)
class Finding:
    """One receipt that the log does not bear out."""

    holder: str
    index: int
    why: str


class Verifier:
    """Proves receipts against the log, as the institution that holds them."""

    def __init__(self, *, stub: Any) -> None:
        self._stub = stub
        self._keys = ReceiptKeys()
        self._verifier_keys: tuple[str, ...] = ()

    async def prove(self, receipt: Receipt) -> Proven:
        """Raises ValueError with what does not fit, CrossroadsError when the log can't be asked."""
        if not self._keys.knows(receipt) or not self._verifier_keys:
            published = await patiently(self._stub.GetCheckpoint, logging.GetCheckpointRequest())
            for key in published.receipt_keys:
                self._keys.add(key)
            self._verifier_keys = tuple(published.verifier_keys)
        self._keys.verify(receipt, {})
        proof = await self._proof(receipt.index)
        signed = checkpoints.verify(proof.checkpoint, receipt.origin, self._verifier_keys)
        verify_inclusion(
            receipt.index, signed.size, receipt.leaf_hash, list(proof.hashes), signed.root
        )
        return Proven(receipt.index, signed.size, signed.root, len(proof.hashes))

    async def _proof(self, index: int) -> Any:
        request = logging.GetInclusionProofRequest(index=index)

        async def once() -> Any:
            try:
                return await self._stub.GetInclusionProof(request)
            except CrossroadsError as error:
                if error.reason is Reason.NOT_FOUND and error.retry_after is not None:
                    # The next checkpoint is less than a second away.
                    raise CrossroadsError(
                        Reason.UNAVAILABLE, error.message, retry_after=error.retry_after
                    ) from error
                raise

        return await patiently(once)


async def prove(connections: Connections, holder: str, receipt: Receipt) -> Proven:
    """Prove one receipt of `holder` ("<institution>/<application>")."""
    stub = await connections.application(holder, "logging", LoggingServiceStub)
    return await Verifier(stub=stub).prove(receipt)


async def receipts(connections: Connections) -> AsyncIterator[Finding | Proven]:
    """Every receipt that an institution of this home holds, proven or not."""
    for file in sorted(connections.home.institutions.glob("*/receipts.jsonl")):
        holder = holder_of(file)
        stub = await connections.application(holder, "logging", LoggingServiceStub)
        verifier = Verifier(stub=stub)
        for receipt in read(file):
            try:
                yield await verifier.prove(receipt)
            except ValueError as error:
                yield Finding(holder, receipt.index, str(error))


def holder_of(file: Path) -> str:
    """Whose receipts a file holds, "<institution>/<application>"."""
    return file.parent.name.replace(".", "/", 1)
