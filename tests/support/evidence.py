"""The privacy half of a log put together for tests, on a real PostgreSQL."""

import os
from datetime import datetime, timedelta
from typing import Any

from services.logging.evidence_wiring import EvidenceSide
from services.logging.model import EntryId, NewEntry, microseconds
from services.logging.retention import Retention
from services.logging.store import LogStore
from services.proof.record import Kind, canonical_json
from services.runtime.ids import SystemIds
from tests.support.logs import SUBJECT, Log, StoppedClock

ABOUT: dict[str, Any] = {"elements": ["employment.period"], "service": "employment_periods"}
"""What every exchange of these tests asks for."""


class OwnKeys:
    """A register of keys in which none was ever replaced."""

    def keys_of(self, subject: str) -> list[str]:
        """The key."""
        return [subject]


class PlainWords:
    """Codes as they are, in the language that was asked."""

    def purpose(self, code: str, language: str) -> str:
        """A purpose."""
        return f"{language}:{code}"

    def service(self, service: str, version: int, language: str) -> str:
        """A service."""
        return f"{language}:{service}/{version}"

    def element(self, element: str, language: str) -> str:
        """An element."""
        return f"{language}:{element}"


class PrivateLog(Log):
    """A log with its evidence, as a process that has just started has it."""

    def __init__(self, store: LogStore, *, clock: StoppedClock | None = None, safe: Any) -> None:
        super().__init__(store, clock=clock, safe=safe)
        self.replaced: dict[str, str] = {}
        side = EvidenceSide(
            store=store,
            keys=self.keys,
            vault=safe,
            log=self.sequencer,
            person_keys=self,
            words=PlainWords(),
            retention=Retention(),
            clock=self.clock,
            ids=SystemIds(),
        )
        self.side = side
        self.tables, self.journal = side.tables, side.journal
        self.evidence, self.indexer, self.finder = side.evidence, side.indexer, side.finder
        self.holds, self.shredder, self.roots = side.holds, side.shredder, side.roots
        self.deferrals, self.searches, self.uses = side.deferrals, side.searches, side.uses

    def keys_of(self, subject: str) -> list[str]:
        """All keys of the same person, by what a test says was replaced."""
        current = self.replaced.get(subject, subject)
        return [current, *(old for old, new in self.replaced.items() if new == current)]

    def restarted(self) -> "PrivateLog":
        """The same log in a process that knows nothing yet."""
        return PrivateLog(self.store, clock=self.clock, safe=self.safe)

    async def go_to(self, now: datetime) -> None:
        """Let the clock stand there, with the keys of that month."""
        self.clock.time = now
        await self.keys.prepare(now)
        await self.checkpoints.publish()

    async def later(self, **duration: float) -> None:
        """Let that much time pass."""
        await self.go_to(self.clock.time + timedelta(**duration))


def exchange(
    kind: Kind = Kind.RELEASE,
    *,
    institution: str = "capac",
    source: str = "onss",
    subject: str = SUBJECT,
    ticket: str = "T-1",
    trace_id: str = "0af7651916cd43dd8448eb211c80319c",
    deliberation: str = "20/096",
    purpose: str = "UNEMPLOYMENT_BENEFIT",
    exchange_id: bytes | None = None,
    due: datetime | None = None,
) -> NewEntry:
    """An entry as routing writes it (services/routing/records.py)."""
    exchange_id = exchange_id or os.urandom(16)
    about = ABOUT | {"institution": institution, "kind": kind.name.lower(), "purpose": purpose}
    party = about | {
        "application": "dossier",
        "attempt": 1,
        "exchange_id": exchange_id.hex(),
        "request_id": "r-1",
        "sources": [{"source": f"{source}/dimona"}],
        "ticket": ticket,
        "version": 1,
    }
    if kind is Kind.RELEASE:
        party["deliberations"] = [deliberation]
    audit = {
        "asked_subject": subject,
        "decision": {"permissions": [{"deliberation": deliberation, "grant": f"{deliberation}#1"}]},
        "trace_id": trace_id,
    }
    return NewEntry(
        id=EntryId(exchange_id, int(kind), 1),
        nonce=os.urandom(8),
        party=canonical_json(party),
        subject=canonical_json(about | {"subject": subject}),
        audit=canonical_json(audit),
        subject_key=subject,
        deadline=microseconds(due) if due else None,
    )
