"""The door by which every service's acts come into the log.

Contract: `append` gives the index of a durable entry, or raises LOG_UNAVAILABLE. An entry that
stands already with the same content (an answer that was lost, a commit that failed) is not appended
again.
"""

from typing import Any, cast

from crossroads.logging.v1 import logging_service_pb2 as logging
from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from services.proof.act import Act
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, Reason


class Journal:
    """Appends acts over a channel to logging."""

    def __init__(self, *, channel: Channel) -> None:
        self._stub: Any = cast("Any", LoggingServiceStub)(channel)  # it looks like gRPC's

    async def append(
        self, act: Act, kind: logging.Kind.ValueType = logging.KIND_ADMINISTRATIVE
    ) -> int:
        """Log an act; its index."""
        entry = logging.Entry(
            exchange_id=act.id,
            kind=kind,
            attempt=1,
            nonce=act.nonce,
            party=act.party,
            subject=act.subject,
            audit=act.audit,
            subject_key=act.subject_key,
        )
        while True:
            try:
                response = await self._stub.Append(logging.AppendRequest(entries=[entry]))
            except CrossroadsError as error:
                raise CrossroadsError(
                    Reason.LOG_UNAVAILABLE,
                    "the log does not take entries; nothing changed, retry",
                    retry_after=1.0,
                ) from error
            (done,) = response.acknowledgements
            if done.outcome == logging.OUTCOME_APPENDED or done.nonce == act.nonce:
                return int(done.index)
            entry.attempt = done.last_attempt + 1
