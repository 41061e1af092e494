"""LoggingService over gRPC: proto to model, one operation, and back."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.logging.v1 import logging_service_pb2 as api
from services.logging.model import (
    ATTEMPT_MAX,
    Acknowledgement,
    EntryId,
    LoggedEntry,
    NewEntry,
    Outcome,
)
from services.logging.proofs import Proofs
from services.logging.sequencer import Sequencer
from services.proof.receipt import Receipt
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, invalid

DEADLINE_MAX = 253_402_300_800_000_000
"""Microseconds since 1970 at the end of the year 9999."""

QUESTION_MAC_MAX = 64
SUBJECT_KEY_MAX = 64
STREAM_ENTRIES = 1000
"""How many entries one message of AppendStream may hold (as AppendRequest's rule)."""


class LoggingServicer:
    """The API of one log.

    Between the first entry of a log and `listed` (the key of receipts is a leaf, and its row says
    which), no entry is taken: one that followed the key would say that it was in use.
    """

    def __init__(
        self, *, sequencer: Sequencer, proofs: Proofs, listed: asyncio.Event | None = None
    ) -> None:
        self._sequencer = sequencer
        self._proofs = proofs
        self._listed = listed

    async def Append(self, request: api.AppendRequest, context: object) -> api.AppendResponse:
        """Entries in, their acknowledgements out, once they are durable."""
        if self._listed and self._sequencer.size:
            await self._listed.wait()
        done = await self._sequencer.append(_entries(request.entries))
        return api.AppendResponse(acknowledgements=_acknowledgements(done))

    async def AppendStream(
        self, requests: AsyncIterator[api.AppendStreamRequest], context: object
    ) -> AsyncIterator[api.AppendStreamResponse]:
        """The same over a stream; a batch that is refused does not end it."""
        async for request in requests:
            if self._listed and self._sequencer.size:
                await self._listed.wait()
            try:
                done = await self._sequencer.append(_entries(request.entries))
            except CrossroadsError as error:
                yield api.AppendStreamResponse(batch=request.batch, refused=error.reason)
            else:
                yield api.AppendStreamResponse(
                    batch=request.batch, acknowledgements=_acknowledgements(done)
                )

    async def GetCheckpoint(
        self, request: api.GetCheckpointRequest, context: object
    ) -> api.GetCheckpointResponse:
        """The newest checkpoint, and the keys to verify it and receipts with."""
        published = await self._proofs.checkpoint()
        return api.GetCheckpointResponse(
            checkpoint=published.checkpoint.note,
            verifier_keys=published.verifier_keys,
            receipt_keys=published.receipt_keys,
        )

    async def GetInclusionProof(
        self, request: api.GetInclusionProofRequest, context: object
    ) -> api.GetInclusionProofResponse:
        """The proof for one leaf."""
        proof = await self._proofs.inclusion(request.index, request.tree_size)
        return api.GetInclusionProofResponse(
            tree_size=proof.tree_size,
            leaf_hash=proof.leaf_hash,
            hashes=proof.hashes,
            checkpoint=proof.checkpoint,
        )

    async def GetConsistencyProof(
        self, request: api.GetConsistencyProofRequest, context: object
    ) -> api.GetConsistencyProofResponse:
        """The proof between two sizes."""
        hashes = await self._proofs.consistency(request.first_size, request.second_size)
        return api.GetConsistencyProofResponse(hashes=hashes)

    async def FindExchange(
        self, request: api.FindExchangeRequest, context: object
    ) -> api.FindExchangeResponse:
        """The entries of one exchange."""
        found = await self._proofs.exchange(request.exchange_id)
        return api.FindExchangeResponse(entries=[_logged(entry) for entry in found])


def _acknowledgements(done: list[Acknowledgement]) -> list[api.Acknowledgement]:
    return [
        api.Acknowledgement(
            outcome=api.OUTCOME_APPENDED, index=each.index, leaf_hash=each.leaf_hash
        )
        if each.outcome is Outcome.APPENDED and each.receipt is None
        else _acknowledgement(each)
        for each in done
    ]


def _acknowledgement(done: Acknowledgement) -> api.Acknowledgement:
    return api.Acknowledgement(
        outcome=api.Outcome.ValueType(done.outcome),
        index=done.index,
        leaf_hash=done.leaf_hash,
        receipt=_receipt(done.receipt) if done.receipt else None,
        question_mac=done.question_mac,
        nonce=done.nonce,
        last_attempt=done.last_attempt,
    )


def _entries(entries: Sequence[api.Entry]) -> list[NewEntry]:
    """The entries of a message. Raises INVALID_ARGUMENT.

    The rules that the proto's comments give are checked here: protovalidate takes longer for an
    entry than logging it, and what a column can't hold must never reach the sequencer.
    """
    if not 0 < len(entries) <= STREAM_ENTRIES:
        raise invalid("entries", f"must be 1 to {STREAM_ENTRIES}")
    return [_entry(place, entry) for place, entry in enumerate(entries)]


def _entry(place: int, entry: api.Entry) -> NewEntry:
    exchange_id, kind, attempt, nonce = entry.exchange_id, entry.kind, entry.attempt, entry.nonce
    deadline = None
    if kind == api.KIND_REQUEST:
        due = entry.deadline
        deadline = due.seconds * 1_000_000 + due.nanos // 1000
    if (
        len(exchange_id) != 16
        or not 1 <= kind <= len(Kind)
        or not 1 <= attempt <= ATTEMPT_MAX
        or len(nonce) != 8
        or not (deadline is None or 0 < deadline < DEADLINE_MAX)
        or len(entry.question_mac) > QUESTION_MAC_MAX
        or len(entry.subject_key) > SUBJECT_KEY_MAX
    ):
        raise _fault(place, entry, deadline)
    return NewEntry(
        EntryId(exchange_id, kind, attempt),
        nonce,
        entry.party,
        entry.subject,
        entry.audit,
        entry.question_mac,
        entry.subject_key,
        deadline,
        entry.receipt,
    )


def _fault(place: int, entry: api.Entry, deadline: int | None) -> CrossroadsError:
    """The error for the first field that breaks its rule."""
    rules = (
        (len(entry.exchange_id) == 16, "exchange_id", "must be 16 octets"),
        (1 <= entry.kind <= len(Kind), "kind", "must be one that this log knows"),
        (1 <= entry.attempt <= ATTEMPT_MAX, "attempt", "must be from 1 to 2147483647"),
        (len(entry.nonce) == 8, "nonce", "must be 8 octets"),
        (
            deadline is None or 0 < deadline < DEADLINE_MAX,
            "deadline",
            "must say when the outcome of a request is due",
        ),
        (len(entry.question_mac) <= QUESTION_MAC_MAX, "question_mac", "must be at most 64 octets"),
        (False, "subject_key", "must be at most 64 characters"),
    )
    field, rule = next((field, rule) for kept, field, rule in rules if not kept)
    return invalid(f"entries[{place}].{field}", rule)


def _receipt(receipt: Receipt) -> api.Receipt:
    return api.Receipt(
        origin=receipt.origin,
        index=receipt.index,
        leaf_hash=receipt.leaf_hash,
        kind=api.Kind.ValueType(receipt.kind),
        hour=receipt.hour,
        party=receipt.party,
        party_salt=receipt.party_salt,
        subject_hash=receipt.subject_hash,
        audit_hash=receipt.audit_hash,
        time=_timestamp(receipt.time),
        key_id=receipt.key_id,
        signature=receipt.signature,
    )


def _logged(entry: LoggedEntry) -> api.LoggedEntry:
    return api.LoggedEntry(
        index=entry.index,
        kind=api.Kind.ValueType(entry.id.kind),
        attempt=entry.id.attempt,
        leaf_hash=entry.leaf_hash,
        recorded_at=_timestamp(entry.recorded_at),
    )


def _timestamp(time: int) -> Timestamp:
    return Timestamp(seconds=time // 1_000_000, nanos=time % 1_000_000 * 1000)
