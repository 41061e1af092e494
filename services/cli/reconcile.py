"""`crossroads log reconcile`: routing, institutions and the log, compared with each other.

Contract: lists what one knows and another lacks, and changes nothing. What can be compared:

- the receipts that institutions of this home keep: each must stand in the log, and each release of
  theirs in the log should have one (a caller that was cut off got none: "may have been delivered");
- routing keeps nothing durable of an exchange but the log's own entries, on purpose. So of routing
  there are the answers that it still has in memory, each of which must stand in the log; and the
  log's requests, each of which must have an outcome, as each release must have its request.

It reads as an auditor, so that the log holds that somebody did.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crossroads.logging.v1 import evidence_service_pb2 as evidence
from crossroads.logging.v1 import logging_service_pb2 as log
from crossroads.routing.v1 import routing_service_pb2 as routing
from services.proof.receipt import Receipt

PAGE_ENTRIES = 1000
SETTLED = timedelta(minutes=2)
"""What is younger may still be on its way: the outcome of a request, the receipt of a release."""

_OUTCOMES = frozenset({log.KIND_RELEASE, log.KIND_REFUSAL, log.KIND_ABANDONED})


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that one side knows and another lacks. `lost`: the log does not bear it out."""

    known_to: str
    missing_from: str
    index: int
    exchange_id: str
    why: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was compared, and what is missing."""

    entries: int
    receipts: int
    kept: int
    missing: tuple[Missing, ...]

    @property
    def lost(self) -> int:
        """How many the log does not bear out."""
        return sum(each.lost for each in self.missing)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log; `holder` is "<institution>/<application>", "" where that was erased."""

    index: int
    kind: int
    exchange_id: str
    attempt: int
    recorded_at: datetime
    leaf_hash: bytes
    holder: str


class Log:
    """The entries of a period, by what they can be compared with."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.by_index: dict[int, Entry] = {}
        self.requests: dict[tuple[str, int], Entry] = {}
        self.outcomes: set[tuple[str, int]] = set()
        for each in entries:
            self.by_index[each.index] = each
            place = (each.exchange_id, each.attempt)
            if each.kind == log.KIND_REQUEST:
                self.requests[place] = each
            elif each.kind in _OUTCOMES:
                self.outcomes.add(place)

    def lacks(self, index: int, exchange_id: str, leaf_hash: bytes) -> str:
        """Why the log does not bear out what somebody was told; "" when it does."""
        entry = self.by_index.get(index)
        if entry is None:
            return "the log has no such entry"
        if entry.leaf_hash != leaf_hash:
            return "the log has another leaf there"
        if entry.exchange_id != exchange_id:
            return "the log has another exchange there"
        return ""


def compare(
    entries: Iterable[Entry],
    receipts: Mapping[str, Sequence[Receipt]],
    kept: Sequence[routing.KeptExchange],
    *,
    since: datetime,
    until: datetime,
) -> Reconciliation:
    """Compare the entries recorded from `since` on with what others held of that time at `until`.

    `receipts` are those of each holder; `kept` what routing still has in memory.
    """
    known = Log(entries)
    within = {
        holder: [each for each in own if since <= _instant(each.time) < until]
        for holder, own in receipts.items()
    }
    missing = [
        *_without_entry(known, within),
        *_without_receipt(known, within, until),
        *_kept_without_entry(known, kept),
        *_without_counterpart(known, since, until),
    ]
    count = sum(len(own) for own in within.values())
    return Reconciliation(len(known.by_index), count, len(kept), tuple(missing))


def _without_entry(known: Log, receipts: Mapping[str, Sequence[Receipt]]) -> Iterable[Missing]:
    for holder, own in receipts.items():
        for each in own:
            exchange_id = str(each.party_section().get("exchange_id", ""))
            why = known.lacks(each.index, exchange_id, each.leaf_hash)
            if why:
                yield Missing(holder, "log", each.index, exchange_id, f"receipt: {why}", lost=True)


def _without_receipt(
    known: Log, receipts: Mapping[str, Sequence[Receipt]], until: datetime
) -> Iterable[Missing]:
    held = {(holder, each.index) for holder, own in receipts.items() for each in own}
    for each in known.by_index.values():
        asked = each.holder in receipts and each.recorded_at < until - SETTLED
        if each.kind == log.KIND_RELEASE and asked and (each.holder, each.index) not in held:
            why = "released, and no receipt: it may not have been delivered"
            yield Missing("log", each.holder, each.index, each.exchange_id, why, lost=False)


def _kept_without_entry(known: Log, kept: Sequence[routing.KeptExchange]) -> Iterable[Missing]:
    for each in kept:
        exchange_id = each.exchange_id.hex()
        why = known.lacks(each.log_index, exchange_id, each.leaf_hash)
        if why:
            where = each.log_index
            yield Missing("routing", "log", where, exchange_id, f"answered: {why}", lost=True)


def _without_counterpart(known: Log, since: datetime, until: datetime) -> Iterable[Missing]:
    for place, each in known.requests.items():
        if place not in known.outcomes and each.recorded_at < until - SETTLED:
            why = "a request without an outcome"
            yield Missing("log", "log", each.index, each.exchange_id, why, lost=True)
    for each in known.by_index.values():
        place = (each.exchange_id, each.attempt)
        inside = each.recorded_at >= since + SETTLED
        if each.kind == log.KIND_RELEASE and inside and place not in known.requests:
            why = "a release without its request"
            yield Missing("log", "log", each.index, each.exchange_id, why, lost=True)


async def entries_of(stub: Any, since: datetime) -> AsyncIterator[Entry]:
    """The log's entries recorded from `since` on, newest first. `stub`: of EvidenceService."""
    request = evidence.SearchRequest(reason="reconciliation", page_size=PAGE_ENTRIES)
    request.criteria.start.FromDatetime(since)
    while True:
        page = await stub.Search(request)
        for each in page.entries:
            party = json.loads(each.party) if each.party else {}
            holder = f"{party.get('institution', '')}/{party.get('application', '')}"
            yield Entry(
                index=each.index,
                kind=each.kind,
                exchange_id=each.exchange_id.hex(),
                attempt=each.attempt,
                recorded_at=each.recorded_at.ToDatetime(UTC),
                leaf_hash=each.leaf_hash,
                holder=holder,
            )
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def reconcile(
    logs: Any,
    exchanges: Any,
    receipts: Mapping[str, Sequence[Receipt]],
    *,
    since: datetime,
    until: datetime,
) -> Reconciliation:
    """Compare everything from `since` on; `until` is when the receipts were read.

    `logs` and `exchanges` are stubs of EvidenceService and RoutingService, for an auditor. Raises
    CrossroadsError.
    """
    # The log last: what the others have by then is in it.
    kept = (await exchanges.ListKeptExchanges(routing.ListKeptExchangesRequest())).exchanges
    entries = [each async for each in entries_of(logs, since)]
    return compare(entries, receipts, _since(kept, entries), since=since, until=until)


def _since(
    kept: Sequence[routing.KeptExchange], entries: Sequence[Entry]
) -> Sequence[routing.KeptExchange]:
    """Those of the period: one that is older than all entries was answered before it."""
    first = min((each.index for each in entries), default=0)
    return [each for each in kept if each.log_index >= first]


def _instant(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)


async def at_home(home: Any, auditor: str, hours: float) -> Reconciliation:
    """Reconcile the platform of a home, that many hours back, as one of its auditors ("": the
    demo's first)."""
    from crossroads.logging.v1.evidence_service_pb2_grpc import (  # noqa: PLC0415 - gRPC
        EvidenceServiceStub,
    )
    from crossroads.routing.v1.routing_service_pb2_grpc import (  # noqa: PLC0415
        RoutingServiceStub,
    )
    from services.cli.connections import Connections  # noqa: PLC0415
    from services.cli.verifying import holder_of  # noqa: PLC0415
    from services.institution.receipts import read  # noqa: PLC0415
    from services.institution.sector import load  # noqa: PLC0415

    auditor = auditor or load().with_role("auditor")[0].id
    until = datetime.now(UTC)
    since = until - timedelta(hours=hours)
    receipts = {
        holder_of(file): list(read(file))
        for file in sorted(home.institutions.glob("*/receipts.jsonl"))
    }
    async with Connections(home=home) as connections:
        logs = await connections.person(auditor, "logging", EvidenceServiceStub)
        exchanges = await connections.person(auditor, "routing", RoutingServiceStub)
        return await reconcile(logs, exchanges, receipts, since=since, until=until)


def as_text(found: Reconciliation) -> str:
    """One line for each that is missing, and a summary."""
    lines = [
        f"{each.missing_from} lacks what {each.known_to} knows: entry {each.index}, exchange"
        f" {each.exchange_id or '?'}: {each.why}"
        for each in found.missing
    ]
    return "\n".join(
        [
            *lines,
            f"{found.entries:,} entries, {found.receipts:,} receipts, {found.kept:,} answers in"
            f" routing: {found.lost:,} not borne out by the log,"
            f" {len(found.missing) - found.lost:,} without a receipt",
        ]
    )


def as_json(found: Reconciliation) -> dict[str, Any]:
    """The same as a JSON document."""
    return asdict(found) | {"lost": found.lost}
