"""One exchange as an institution makes it, with all that can be shown of it.

Contract: `ask` uses the institution's own client and certificate, checks the receipt, proves it
against the log's checkpoint, and traces the call. Refusals are raised as they came.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.cli.connections import Connections, patiently
from services.cli.otlp import SpanRecord, fetch
from services.cli.payload import decode_answer, encode_question
from services.cli.platform.home import PlatformError
from services.cli.verifying import Proven, prove
from services.institution.client import CrossroadsClient
from services.institution.receipts import ReceiptFile
from services.proof.receipt import Receipt
from services.runtime.otlp import OtlpExporter
from services.runtime.telemetry import INTERNAL, Telemetry, start_span

TRACE_SECONDS, TRACE_POLL_SECONDS = 5.0, 0.1
RECEIPTS = "receipts.jsonl"


@dataclass(frozen=True)
class Question:
    """What is asked: `asker` is "<institution>/<application>", `question` JSON of its message."""

    asker: str
    service: str
    subject: str
    purpose: str
    version: int = 1
    question: str = ""
    elements: tuple[str, ...] = ()
    period: tuple[date | None, date | None] | None = None
    request_id: str = ""
    ticket: str = ""


@dataclass(frozen=True)
class Answered:
    """An exchange that was answered. `answers` hold JSON types under "answer", None if nothing."""

    exchange_id: str
    request_id: str
    attempt: int
    trace_id: str
    answers: tuple[dict[str, Any], ...]
    elements: tuple[str, ...]
    deliberations: tuple[str, ...]
    current_key: str
    not_integrated: bool
    receipt: Receipt
    proven: Proven


class Tracing:
    """Traces what this command does, to the platform's receiver of spans."""

    def __init__(self, *, address: str) -> None:
        """`address` is the receiver's host:port."""
        self._address = address
        self.telemetry = Telemetry(sample_ratio=1.0)
        self._exporter = OtlpExporter(
            endpoint=address,
            service="institution",
            instance="cli",
            metrics=self.telemetry.metrics,
        )
        self.telemetry.sink = self._exporter
        self._sending = asyncio.create_task(self._exporter.run())

    async def close(self) -> None:
        """Send what waits."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        await self._exporter.close()

    async def spans(self, trace_id: str) -> list[SpanRecord]:
        """The spans of a trace, once no more come. Raises PlatformError."""
        loop = asyncio.get_running_loop()
        until, found, quiet = loop.time() + TRACE_SECONDS, -1, 0
        spans: list[SpanRecord] = []
        while loop.time() < until and quiet < 8:  # every process sends twice a second
            spans = await fetch(self._address, trace_id)
            quiet = quiet + 1 if len(spans) == found and spans else 0
            found = len(spans)
            await asyncio.sleep(TRACE_POLL_SECONDS)
        return spans


async def services(connections: Connections, asker: str) -> list[registry.ExchangeService]:
    """The catalogue, as an application sees it."""
    stub = await connections.application(asker, "registry", RegistryServiceStub)
    found: list[registry.ExchangeService] = []
    request = registry.ListExchangeServicesRequest()
    while True:
        page = await patiently(stub.ListExchangeServices, request)
        found += page.services
        if not page.next_page_token:
            return found
        request = registry.ListExchangeServicesRequest(page_token=page.next_page_token)


def find(
    catalogue: Sequence[registry.ExchangeService], service: str, version: int
) -> registry.ExchangeService:
    """One service of the catalogue. Raises PlatformError that names what there is."""
    for each in catalogue:
        if (each.id, each.version) == (service, version):
            return each
    versions = ", ".join(str(each.version) for each in catalogue if each.id == service)
    if versions:
        raise PlatformError(f"{service} has no version {version}; there are: {versions}")
    known = ", ".join(sorted({each.id for each in catalogue}))
    raise PlatformError(f"no exchange service {service}; there are: {known}")


async def ask(
    connections: Connections, tracing: Tracing, described: registry.ExchangeService, asked: Question
) -> Answered:
    """Carry one exchange out. Raises CrossroadsError, ReceiptError, ValueError, PlatformError."""
    payload = encode_question(described, asked.question)
    folder = connections.folder(asked.asker)
    client = CrossroadsClient(
        certificates=await connections.certificates(folder),
        platform=connections.platform,
        routing=connections.address("routing"),
        logging=connections.address("logging"),
        receipts=ReceiptFile(path=folder / RECEIPTS),
        telemetry=tracing.telemetry,
    )
    async with client:
        with start_span("exchange", INTERNAL, tracing.telemetry.begin()) as span:
            result: Any = await client.exchange(
                asked.service,
                asked.version,
                subject=asked.subject,
                purpose=asked.purpose,
                question=payload,
                elements=asked.elements,
                period=asked.period,
                request_id=asked.request_id,
                ticket=asked.ticket,
            )
    assert result.receipt is not None  # the client has checked it
    return Answered(
        exchange_id=result.exchange_id,
        request_id=result.request_id,
        attempt=result.attempt,
        trace_id=span.trace.trace_id,
        answers=tuple(_answer(described, each) for each in result.answers),
        elements=result.elements,
        deliberations=result.deliberations,
        current_key=result.current_key,
        not_integrated=result.not_integrated,
        receipt=result.receipt,
        proven=await prove(connections, asked.asker, result.receipt),
    )


def as_json(answered: Answered) -> dict[str, Any]:
    """What `--json` prints of an exchange."""
    proven = answered.proven
    return {
        "exchange_id": answered.exchange_id,
        "request_id": answered.request_id,
        "attempt": answered.attempt,
        "trace_id": answered.trace_id,
        "answers": list(answered.answers),
        "elements": list(answered.elements),
        "deliberations": list(answered.deliberations),
        "current_key": answered.current_key,
        "not_integrated": answered.not_integrated,
        "receipt": json.loads(answered.receipt.to_json()),
        "log": {"index": proven.index, "tree_size": proven.size, "root": proven.root.hex()},
    }


def _answer(described: registry.ExchangeService, answer: Any) -> dict[str, Any]:
    payload = answer.payload
    return {
        "source": answer.source,
        "outcome": str(answer.outcome),
        "answer": decode_answer(described, payload) if answer.outcome == "answered" else None,
    }
