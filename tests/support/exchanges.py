"""An exchange without the world: what surrounds the operations, held in memory."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from services.policy.index import GrantTable
from services.policy.model import Grant, Way
from services.proof.record import Kind
from services.routing.answers import Answers
from services.routing.course import Offer
from services.routing.early import EarlyRefusals
from services.routing.inquiries import Inquiries
from services.routing.model import Caller, Inquiry, Integration, Logged, Question, Reply, Service
from services.routing.operations import Exchanges
from services.routing.records import Entry
from services.runtime.errors import CrossroadsError, Reason

CAPAC = Caller("capac", "payments")
ONSS = Caller("onss", "dmfa")
KNOWN = "85073003328"
STRANGER = "00010100105"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


class TestClock:
    """A clock that the test moves."""

    __test__ = False

    def __init__(self) -> None:
        self.at = NOW
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


class TestIds:
    """Octets that differ each time."""

    __test__ = False

    def __init__(self) -> None:
        self._count = 0

    def uuid(self) -> UUID:
        return uuid4()

    def token(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")


class MemoryLog:
    """A log that knows duplicates by exchange, kind and attempt."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.down = False
        self.before_release: Any = None

    async def append(self, entry: Entry, deadline: float) -> Logged:
        await asyncio.sleep(0)
        if self.down:
            raise CrossroadsError(Reason.LOG_UNAVAILABLE, "down")
        if entry.kind is Kind.RELEASE and self.before_release is not None:
            self.before_release()
        same = [
            e for e in self.entries if (e.exchange_id, e.kind) == (entry.exchange_id, entry.kind)
        ]
        for each in same:
            if each.attempt == entry.attempt:
                last = max(e.attempt for e in same)
                return Logged(True, 0, question_mac=each.question_mac, last_attempt=last)
        self.entries.append(entry)
        return Logged(False, len(self.entries) - 1, f"receipt {len(self.entries) - 1}")

    @property
    def kinds(self) -> list[Kind]:
        return [each.kind for each in self.entries]

    def sections(self, place: int) -> dict[str, Any]:
        """Party, subject and audit of one entry."""
        entry = self.entries[place]
        names = ("party", "subject", "audit")
        return {name: orjson.loads(getattr(entry, name)) for name in names}


class MemoryTables:
    """The replicas."""

    def __init__(self, grants: Sequence[Grant], service: Service) -> None:
        self.grants = GrantTable.of(grants, 1, b"\x01" * 32)
        self.service = service
        self.schema = TextSchema()
        self.replaced: dict[str, str] = {}
        self.current = True
        self.callers_active = True

    def require(self) -> None:
        if not self.current:
            raise CrossroadsError(Reason.LEASE_EXPIRED, "no lease")

    def offer(self, service: str, version: int) -> Offer | None:
        if (service, version) != (self.service.id, self.service.version):
            return None
        return Offer(self.service, self.schema)

    def current_key(self, key: str) -> str:
        return self.replaced.get(key, key)

    def keys_of(self, current: str) -> Sequence[str]:
        return (current, *(old for old, new in self.replaced.items() if new == current))

    def active(self, caller: Caller) -> bool:
        return self.callers_active

    def versions(self) -> Mapping[str, tuple[int, bytes]]:
        return {"grants": (self.grants.version, self.grants.digest)}

    def set_grants(self, *grants: Grant) -> None:
        self.grants = GrantTable.of(grants, self.grants.version + 1, b"\x02" * 32)


class TextSchema:
    """An answer is "element=value" by lines."""

    def check_question(self, payload: bytes) -> None:
        if payload == b"nonsense":
            raise CrossroadsError(Reason.INVALID_PAYLOAD, "not the message")

    def filter(self, payload: bytes, elements: frozenset[str]) -> bytes:
        if payload == b"nonsense":
            raise CrossroadsError(Reason.SOURCE_INVALID, "not the message")
        lines = payload.decode().split("\n")
        return "\n".join(line for line in lines if line.split("=")[0] in elements).encode()


class MemoryDirectory:
    """The reference directory."""

    def __init__(self, *integrations: Integration) -> None:
        self.integrations = list(integrations)
        self.lookups: list[Sequence[tuple[str, str]]] = []
        self.down = False

    async def lookup(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Integration]:
        self.lookups.append(pairs)
        if self.down:
            raise CrossroadsError(Reason.STORE_UNAVAILABLE, "down")
        return [each for each in self.integrations if (each.subject, each.institution) in pairs]


class MemoryVolumes:
    """How often grants with a volume were used."""

    def __init__(self) -> None:
        self.used: Counter[tuple[str, str, date]] = Counter()
        self.down = False

    async def take(self, institution: str, limits: Mapping[str, int], day: date) -> frozenset[str]:
        if self.down:
            raise CrossroadsError(Reason.STORE_UNAVAILABLE, "down")
        wanted = {grant: (grant, institution, day) for grant in limits}
        over = frozenset(each for each, place in wanted.items() if self.used[place] >= limits[each])
        if not over:
            self.used.update(wanted.values())
        return over


class MemorySources:
    """Sources, each with what it says, or how it fails."""

    def __init__(self) -> None:
        self.says: dict[Caller, bytes | CrossroadsError | None] = {}
        self.asked: list[tuple[Caller, Inquiry, float]] = []
        self.reached = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.meanwhile: Any = None

    async def ask(self, source: Caller, inquiry: Inquiry, patience: float) -> bytes | None:
        self.asked.append((source, inquiry, patience))
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.meanwhile is not None:
            self.meanwhile()
        said = self.says[source]
        if isinstance(said, CrossroadsError):
            raise said
        return said


def grant(**changes: Any) -> Grant:
    """CAPAC may read employment periods, for unemployment benefit."""
    values: dict[str, Any] = {
        "id": "20/096#1",
        "deliberation": "20/096",
        "institution": "capac",
        "service": "employment_periods",
        "elements": frozenset({"employment.start", "employment.end"}),
        "purpose": "unemployment_benefit",
        "caller_capacities": frozenset({"18/1"}),
        "ways": frozenset({Way.ONLINE}),
        "valid_from": datetime(2020, 1, 1, tzinfo=UTC),
        "recorded_from": datetime(2020, 1, 1, tzinfo=UTC),
    }
    return Grant(**{**values, **changes})


def integration(institution: str, subject: str = KNOWN, **changes: Any) -> Integration:
    """Open since 2020, in the capacity that the grant demands of the caller."""
    made = Integration(institution, subject, "18/1", 0, date(2020, 1, 1), None)
    return made._replace(**changes)


class World:
    """All of it, and exchanges carried out in it."""

    def __init__(self, *grants: Grant, sources: tuple[Caller, ...] = (ONSS,)) -> None:
        self.clock = TestClock()
        self.log = MemoryLog()
        service = Service("employment_periods", 1, sources, 2.0)
        self.tables = MemoryTables(grants or (grant(),), service)
        self.directory = MemoryDirectory(integration("capac"), integration("onss"))
        self.volumes = MemoryVolumes()
        self.sources = MemorySources()
        self.sources.says = dict.fromkeys(sources, b"employment.start=2021\nemployment.wage=1200")
        self.early = EarlyRefusals(clock=self.clock)
        self.answers = Answers(clock=self.clock)
        self.steps: list[str] = []
        self.exchanges = Exchanges(
            tables=self.tables,
            directory=self.directory,
            volumes=self.volumes,
            log=self.log,
            inquiries=Inquiries(sources=self.sources),
            answers=self.answers,
            early=self.early,
            check_key=lambda key: key in {KNOWN, STRANGER} or key in self.tables.replaced,
            mac_key=b"k" * 32,
            clock=self.clock,
            ids=TestIds(),
        )

    def step(self, name: str) -> AbstractContextManager[object]:
        self.steps.append(name)
        return nullcontext()

    async def ask(self, request_id: str = "r1", seconds: float = 10.0, **changes: Any) -> Reply:
        """CAPAC asks about somebody it knows, unless told otherwise."""
        values: dict[str, Any] = {
            "request_id": request_id,
            "service": "employment_periods",
            "version": 1,
            "subject": KNOWN,
            "purpose": "unemployment_benefit",
        }
        return await self.exchanges.exchange(
            CAPAC,
            Question(**{**values, **changes}),
            deadline=self.clock.monotonic() + seconds,
            trace_id="",
            steps=self.step,
        )


async def refused(world: World, *arguments: Any, **changes: Any) -> CrossroadsError:
    """The error of an exchange that must not succeed."""
    with pytest.raises(CrossroadsError) as raised:
        await world.ask(*arguments, **changes)
    return raised.value
