"""The privacy half of a log put together for tests, on a real PostgreSQL."""

import os
from datetime import datetime, timedelta
from typing import Any

from services.logging.evidence import Evidence, Finder, Indexer
from services.logging.evidence_store import EvidenceStore
from services.logging.holds import Holds
from services.logging.journal import Journal
from services.logging.model import EntryId, NewEntry, microseconds
from services.logging.retention import Retention, Shredder
from services.logging.store import LogStore
from services.logging.subjects import SubjectRoots
from services.proof.record import Kind, canonical_json
from services.runtime.ids import SystemIds
from tests.support.logs import SUBJECT, Log, StoppedClock

ABOUT: dict[str, Any] = {"elements": ["employment.period"], "service": "employment_periods"}
"""What every exchange of these tests asks for."""


class PrivateLog(Log):
    """A log with its evidence, as a process that has just started has it."""

    def __init__(self, store: LogStore, *, clock: StoppedClock | None = None, safe: Any) -> None:
        super().__init__(store, clock=clock, safe=safe)
        self.tables = EvidenceStore(database=store._database, log_id=store.log_id)
        self.evidence = Evidence(store=self.tables, keys=self.keys, custody=safe)
        self.indexer = Indexer(store=self.tables, keys=self.keys, evidence=self.evidence)
        self.finder = Finder(
            store=self.tables, keys=self.keys, evidence=self.evidence, indexer=self.indexer
        )
        self.journal = Journal(log=self.sequencer)
        self.holds = Holds(
            store=self.tables,
            keys=self.keys,
            custody=safe,
            evidence=self.evidence,
            finder=self.finder,
            journal=self.journal,
            clock=self.clock,
            ids=SystemIds(),
        )
        self.shredder = Shredder(
            store=self.tables,
            keys=self.keys,
            custody=safe,
            holds=self.holds,
            journal=self.journal,
            retention=Retention(),
            clock=self.clock,
        )
        self.roots = SubjectRoots(store=self.tables, journal=self.journal, clock=self.clock)

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
