"""The institution's side of an exchange: asks, retries, checks the receipt and keeps it.

Contract: errors are CrossroadsError. What may succeed later is tried again with the same
request_id, so that it stays one exchange, until the time is up. A receipt that does not verify is
an error (ReceiptError): the platform did not do what it says. Needs neither Vault nor a database.

    async with CrossroadsClient(certificates=..., platform=pem, routing="host:port") as client:
        result = await client.exchange(
            "employment_periods", 1, subject=niss, purpose="UNEMPLOYMENT_BENEFIT",
            question=EmploymentPeriodsQuestion(), answer=EmploymentPeriodsAnswer)
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from google.protobuf.message import DecodeError, Message

from crossroads.logging.v1 import logging_service_pb2
from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from crossroads.routing.v1 import reference_directory_service_pb2 as directory_api
from crossroads.routing.v1 import routing_service_pb2 as api
from crossroads.routing.v1.reference_directory_service_pb2_grpc import (
    ReferenceDirectoryServiceStub,
)
from crossroads.routing.v1.routing_service_pb2_grpc import RoutingServiceStub
from services.institution.receipts import ReceiptFile, ReceiptKeys, receipt_of
from services.proof.receipt import Receipt
from services.runtime.certificates import Certificates
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError
from services.runtime.ids import Ids, SystemIds
from services.runtime.telemetry import Telemetry

TIMEOUT_SECONDS = 10.0
ATTEMPT_SECONDS = 5.0
BACKOFF_SECONDS = (0.1, 2.0)
DECLARED_AT_ONCE = 1000

A = TypeVar("A", bound=Message)
T = TypeVar("T")


class ReceiptError(Exception):
    """The receipt does not show what it should: report it to the operator."""


class Outcome(StrEnum):
    """How a source fared."""

    ANSWERED = "answered"
    NOTHING = "nothing"
    FAILED = "failed"


@dataclass(frozen=True)
class SourceAnswer(Generic[A]):
    """What one source ("<institution>/<application>") said; `message` None unless it answered."""

    source: str
    outcome: Outcome
    payload: bytes
    message: A | None


@dataclass(frozen=True)
class ExchangeResult(Generic[A]):
    """An answered exchange. `current_key` is set when the key that was asked had been replaced."""

    exchange_id: str
    attempt: int
    request_id: str
    answers: tuple[SourceAnswer[A], ...]
    elements: tuple[str, ...]
    deliberations: tuple[str, ...]
    current_key: str
    not_integrated: bool
    receipt: Receipt | None


@dataclass(frozen=True)
class Integration:
    """ "We have a file on this person": `until` is the first day after, None while it is open."""

    subject: str
    capacity: str
    start: date
    until: date | None = None
    phase: int = 0


class CrossroadsClient:
    """A client of the platform for one application of an institution.

    `platform` is the PEM of the intermediate that issues to the platform's services; `routing` and
    `logging` are host:port, `logging` for the keys that receipts are checked with ("" and no
    `receipt_keys`: they are not checked). `receipts` keeps them. Use it as a context manager.
    """

    def __init__(
        self,
        *,
        certificates: Certificates,
        platform: bytes,
        routing: str,
        logging: str = "",
        receipt_keys: Iterable[bytes] = (),
        receipts: ReceiptFile | None = None,
        ids: Ids | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._certificates = certificates
        self._platform = platform
        self._addresses = {"routing": routing, "logging": logging}
        self._keys = ReceiptKeys()
        self._given = tuple(receipt_keys)
        for each in self._given:
            self._keys.add(each)
        self._receipts = receipts
        self._ids = ids or SystemIds()
        self._telemetry = telemetry or Telemetry()
        self._channels: dict[str, Channel] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._routing: Any = None
        self._directory: Any = None

    async def __aenter__(self) -> Self:
        await self._certificates.start()
        self._renewing = asyncio.create_task(self._certificates.run(), name="certificates")
        channel: Any = self._channel("routing")
        self._routing = RoutingServiceStub(channel)
        self._directory = ReferenceDirectoryServiceStub(channel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()

    async def exchange(
        self,
        service: str,
        version: int,
        *,
        subject: str,
        purpose: str,
        question: Message | bytes = b"",
        answer: type[A] | None = None,
        elements: Sequence[str] = (),
        period: tuple[date | None, date | None] | None = None,
        request_id: str = "",
        ticket: str = "",
        timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109 - the deadline of a call, in seconds
    ) -> ExchangeResult[A]:
        """Ask about one subject. `period` is its first and last day, None where open.

        Raises CrossroadsError, and ReceiptError.
        """
        request = api.ExchangeRequest(
            request_id=request_id or str(self._ids.uuid()),
            service=service,
            version=version,
            subject=subject,
            purpose=purpose,
            elements=elements,
            question=question if isinstance(question, bytes) else question.SerializeToString(),
            ticket=ticket,
        )
        if period is not None:
            _set_period(request.period, *period)
        response = await _persistently(
            lambda seconds: self._routing.Exchange(request, timeout=seconds), timeout
        )
        return await self._result(request, response, answer)

    async def declare_integrations(
        self,
        integrations: Iterable[Integration],
        *,
        institution: str = "",
        timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109
    ) -> int:
        """Declare whom this institution (or one that it manages) has a file on; how many.

        Sent in parts of a thousand, each with `timeout`. Raises CrossroadsError.
        """
        declared = list(integrations)
        for start in range(0, len(declared), DECLARED_AT_ONCE):
            part = [_integration(each) for each in declared[start : start + DECLARED_AT_ONCE]]
            request = directory_api.DeclareIntegrationsRequest(
                institution=institution, integrations=part
            )

            async def declare(
                seconds: float, request: directory_api.DeclareIntegrationsRequest = request
            ) -> Any:
                return await self._directory.DeclareIntegrations(request, timeout=seconds)

            await _persistently(declare, timeout)
        return len(declared)

    async def list_integrations(
        self,
        subject: str,
        *,
        timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109
    ) -> tuple[Integration, ...]:
        """What this institution has declared about a person. Raises CrossroadsError."""
        request = directory_api.ListIntegrationsRequest(subject=subject)
        response = await _persistently(
            lambda seconds: self._directory.ListIntegrations(request, timeout=seconds), timeout
        )
        return tuple(
            Integration(
                each.subject,
                each.capacity,
                date.fromisoformat(getattr(each, "from")),
                date.fromisoformat(each.until) if each.until else None,
                each.phase,
            )
            for each in response.integrations
        )

    def _channel(self, name: str) -> Channel:
        if name not in self._channels:
            self._channels[name] = Channel(
                target=self._addresses[name],
                name=name,
                certificates=self._certificates,
                trust=self._platform,
                telemetry=self._telemetry,
            )
        return self._channels[name]

    async def _result(
        self, request: api.ExchangeRequest, response: api.ExchangeResponse, cls: type[A] | None
    ) -> ExchangeResult[A]:
        receipt = None
        if response.HasField("receipt"):
            receipt = receipt_of(response.receipt)
            await self._check(request, response, receipt)
            if self._receipts is not None:
                self._receipts.append(receipt)
        return ExchangeResult(
            exchange_id=response.exchange_id.hex(),
            attempt=response.attempt,
            request_id=request.request_id,
            answers=tuple(_answer(each, cls) for each in response.answers),
            elements=tuple(response.elements),
            deliberations=tuple(response.deliberations),
            current_key=response.current_key,
            not_integrated=response.not_integrated,
            receipt=receipt,
        )

    async def _check(
        self, request: api.ExchangeRequest, response: api.ExchangeResponse, receipt: Receipt
    ) -> None:
        """The receipt is the log's, and about this exchange. Raises ReceiptError."""
        if not self._keys.knows(receipt) and self._addresses["logging"]:
            channel: Any = self._channel("logging")
            stub: Any = LoggingServiceStub(channel)
            checkpoint = await stub.GetCheckpoint(logging_service_pb2.GetCheckpointRequest())
            for each in checkpoint.receipt_keys:
                self._keys.add(each)
        elif not self._given and not self._addresses["logging"]:
            return
        expected = {
            "attempt": response.attempt,
            "deliberations": list(response.deliberations),
            "elements": list(response.elements),
            "exchange_id": response.exchange_id.hex(),
            "purpose": request.purpose,
            "request_id": request.request_id,
            "service": request.service,
            "ticket": request.ticket,
            "version": request.version,
        }
        try:
            self._keys.verify(receipt, expected)
        except ValueError as error:
            raise ReceiptError(str(error)) from None


async def _persistently(call: Callable[[float], Awaitable[T]], seconds: float) -> T:
    """Make the call, and make it again while its error says that this may help."""
    until = time.monotonic() + seconds
    backoff, longest = BACKOFF_SECONDS
    while True:
        left = until - time.monotonic()
        try:
            return await call(min(left, ATTEMPT_SECONDS))
        except CrossroadsError as error:
            # Spread out, so that many clients don't come back together.
            wait = (error.retry_after or backoff) * random.uniform(0.75, 1.25)  # noqa: S311
            if not error.retryable or time.monotonic() + wait >= until:
                raise
            await asyncio.sleep(wait)
            backoff = min(backoff * 2, longest)


def _answer(message: api.Answer, cls: type[A] | None) -> SourceAnswer[A]:
    outcome = Outcome(
        api.SourceOutcome.Name(message.outcome).removeprefix("SOURCE_OUTCOME_").lower()
    )
    parsed = None
    if outcome is Outcome.ANSWERED and cls is not None:
        try:
            parsed = cls.FromString(message.payload)
        except DecodeError as error:
            raise ValueError(f"the answer is no {cls.DESCRIPTOR.full_name}") from error
    return SourceAnswer(message.source, outcome, message.payload, parsed)


def _set_period(period: api.Period, start: date | None, until: date | None) -> None:
    period.until = "" if until is None else until.isoformat()
    setattr(period, "from", "" if start is None else start.isoformat())  # a keyword in Python


def _integration(integration: Integration) -> directory_api.Integration:
    message = directory_api.Integration(
        subject=integration.subject,
        capacity=integration.capacity,
        phase=integration.phase,
        until="" if integration.until is None else integration.until.isoformat(),
    )
    setattr(message, "from", integration.start.isoformat())
    return message
