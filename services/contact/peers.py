"""Other services behind what contact's operations need: the log."""

from typing import Any, cast

from crossroads.logging.v1 import logging_service_pb2 as logging
from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, Reason

EXCHANGES = frozenset(
    {logging.KIND_REQUEST, logging.KIND_RELEASE, logging.KIND_REFUSAL, logging.KIND_ABANDONED}
)
"""Kinds of entries that an exchange leaves; acts and keys stand in the log under ids too."""


class LoggedExchanges:
    """Asks logging about exchanges. `channel` leads to logging."""

    def __init__(self, *, channel: Channel) -> None:
        self._stub: Any = cast("Any", LoggingServiceStub)(channel)  # it looks like gRPC's

    async def has_exchange(self, exchange_id: bytes) -> bool:
        """Whether the log has entries of that exchange. Raises LOG_UNAVAILABLE."""
        request = logging.FindExchangeRequest(exchange_id=exchange_id)
        try:
            found = await self._stub.FindExchange(request)
        except CrossroadsError as error:
            if error.reason is Reason.NOT_FOUND:
                return False
            raise CrossroadsError(
                Reason.LOG_UNAVAILABLE,
                "the log can't be asked about this exchange; nothing was recorded, retry",
                retry_after=1.0,
            ) from error
        return any(entry.kind in EXCHANGES for entry in found.entries)
