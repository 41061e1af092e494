"""Logged decisions, brought from the log to authorization: replayed, or held against a draft.

Contract: an auditor reads the log with a reason (the search is logged before it is answered), and
gives authorization `request` and `decision` of each entry alone: it never sees whom they are about.
Raises CrossroadsError, PlatformError.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from crossroads.authorization.v1 import decision_service_pb2 as decisions
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from crossroads.authorization.v1.decision_service_pb2_grpc import DecisionServiceStub
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from crossroads.logging.v1 import evidence_service_pb2 as evidence
from crossroads.logging.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from services.cli.connections import Connections, patiently
from services.cli.platform.home import Home, PlatformError
from services.proof.record import canonical_json

PAGE_ENTRIES, AT_ONCE = 1000, 500


class Reading(NamedTuple):
    """What is read of the log: by which auditor, why, and how many exchanges (or those under one
    deliberation, if it is named)."""

    auditor: str
    reason: str
    last: int
    deliberation: str = ""


@dataclass(frozen=True, slots=True)
class Logged:
    """A decision of the log. `audit` is what authorization may see of its entry."""

    index: int
    exchange_id: str
    audit: bytes

    @property
    def request(self) -> dict[str, Any]:
        """What was asked, without about whom."""
        request: dict[str, Any] = json.loads(self.audit)["request"]
        return request


class Read(NamedTuple):
    """Decisions, newest first, and where the log says that they were read."""

    decisions: tuple[Logged, ...]
    log_indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """How often the same came out, and for the rest what differs."""

    exchanges: int
    decisions: int
    different: tuple[tuple[Logged, tuple[str, ...]], ...]
    log_indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """An exchange that would be decided otherwise."""

    logged: Logged
    permitted_now: bool
    permitted_then: bool
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a draft would change in logged exchanges; of each five hundred at most a hundred are
    told."""

    exchanges: int
    newly_permitted: int
    newly_refused: int
    altered: int
    unchanged: int
    changes: tuple[Change, ...]
    log_indices: tuple[int, ...]


async def replay(home: Home, reading: Reading) -> Replayed:
    """Take the decisions of the last exchanges again: every entry of each."""
    async with Connections(home=home) as connections:
        found = await read(connections, reading)
        stub = await connections.person(reading.auditor, "authorization", DecisionServiceStub)
        different: list[tuple[Logged, tuple[str, ...]]] = []
        for part in _parts(found.decisions):
            request = decisions.ReplayRequest(audits=[each.audit for each in part])
            done = (await patiently(stub.Replay, request)).replayed
            different += [
                (each, tuple(one.differences))
                for each, one in zip(part, done, strict=True)
                if not one.same
            ]
    exchanges = len({each.exchange_id for each in found.decisions})
    return Replayed(exchanges, len(found.decisions), tuple(different), found.log_indices)


async def simulate(home: Home, draft: life.Draft, reading: Reading) -> Simulated:
    """What a draft, in force, would change in the last exchanges; each counts once."""
    async with Connections(home=home) as connections:
        found = await read(connections, reading)
        newest: dict[str, Logged] = {}
        for each in found.decisions:
            newest.setdefault(each.exchange_id, each)
        stub = await connections.person(reading.auditor, "authorization", DeliberationServiceStub)
        total = life.SimulateDraftResponse()
        changes: list[Change] = []
        for part in _parts(list(newest.values())):
            request = life.SimulateDraftRequest(draft=draft, audits=[one.audit for one in part])
            done = await patiently(stub.SimulateDraft, request)
            for field in ("newly_permitted", "newly_refused", "altered", "unchanged"):
                setattr(total, field, getattr(total, field) + getattr(done, field))
            changes += [_change(part[one.audit], one) for one in done.changes]
    return Simulated(
        len(newest),
        total.newly_permitted,
        total.newly_refused,
        total.altered,
        total.unchanged,
        tuple(changes),
        found.log_indices,
    )


async def read(connections: Connections, reading: Reading) -> Read:
    """The decisions of the last exchanges; PlatformError if this reader sees none."""
    found, looks = await _search(connections, reading)
    if not found:
        raise PlatformError(
            "the log has no such exchange, or shows its decision to auditors only; name one by --as"
        )
    return Read(tuple(found), tuple(looks))


async def _search(
    connections: Connections, reading: Reading
) -> tuple[Sequence[Logged], Sequence[int]]:
    stub = await connections.person(reading.auditor, "logging", EvidenceServiceStub)
    request = evidence.SearchRequest(
        criteria=evidence.Criteria(deliberation=reading.deliberation),
        reason=reading.reason,
        page_size=PAGE_ENTRIES,
    )
    found: list[Logged] = []
    looks: list[int] = []
    exchanges: set[str] = set()
    while True:
        page = await patiently(stub.Search, request)
        looks.append(page.log_index)
        for logged in decided(page.entries):
            exchanges.add(logged.exchange_id)
            if len(exchanges) > reading.last:
                return found, looks
            found.append(logged)
        if not page.next_page_token:
            return found, looks
        request.page_token = page.next_page_token


def decided(entries: Sequence[evidence.FoundEntry]) -> Iterator[Logged]:
    """Those of entries that hold a decision, without whom they are about."""
    for each in entries:
        section = json.loads(each.audit) if each.audit else {}
        if section.get("decision") and section.get("request"):
            audit = {name: section[name] for name in ("decision", "request")}
            yield Logged(each.index, each.exchange_id.hex(), canonical_json(audit))


def _parts(found: Sequence[Logged]) -> Iterator[Sequence[Logged]]:
    for start in range(0, len(found), AT_ONCE):
        yield found[start : start + AT_ONCE]


def _change(logged: Logged, told: life.SimulatedChange) -> Change:
    return Change(
        logged, told.permitted_now, told.permitted_then, tuple(told.gained), tuple(told.lost)
    )
