"""Deferred disclosure: uses that their subject is to see only later, for an investigation.

Contract: a deferral names an authority, a case and a date at most two years ahead, from which on
the uses show by themselves: nobody has to remember. It hides nothing from auditors, and nothing in
the log: only the answer to "who used my data". The acts that belong to it are hidden with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from services.logging.evidence import Evidence
from services.logging.evidence_model import UNLOGGED, Criteria, Deferral, Record, criteria_of
from services.logging.journal import Journal
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason, invalid
from services.runtime.ids import Ids

LONGEST = timedelta(days=731)


class DeferralTables(Protocol):
    """Where deferrals are kept."""

    async def keep_deferral(self, deferral: Deferral) -> None: ...
    async def deferrals(self) -> list[Deferral]: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A deferral with what it covers."""

    deferral: Deferral
    criteria: Criteria

    def covers(self, record: Record) -> bool:
        """Whether this use, or act of the same case, is deferred."""
        own = record.audit.get("deferral") == str(self.deferral.deferral_id)
        return own or self.criteria.fits(record)


class Deferrals:
    """Makes, ends and applies deferrals."""

    def __init__(
        self, *, store: DeferralTables, evidence: Evidence, journal: Journal, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._criteria: dict[UUID, Criteria] = {}

    async def defer(
        self, *, by: str, authority: str, reason: str, until: datetime, criteria: Criteria
    ) -> Deferral:
        """Defer what fits, now and from now on, until that date. Raises INVALID_ARGUMENT."""
        if not criteria.bounded:
            raise invalid("criteria", "must name a subject, an exchange, a ticket or a trace id")
        now = self._clock.now()
        if not now < until <= now + LONGEST:
            raise invalid("until", "must be in the future, at most two years ahead")
        deferral_id = self._ids.uuid()
        await self._store.keep_deferral(Deferral(deferral_id, UNLOGGED, until))  # as for holds
        subject = criteria.subjects[0] if criteria.subjects else ""
        index = await self._journal.act(
            deferral_id.bytes,
            "logging.defer",
            by=[by],
            audit={
                "authority": authority,
                "criteria": criteria.to_json(),
                "deferral": str(deferral_id),
                "reason": reason,
                "until": until.isoformat(),
            },
            subject={"act": "logging.defer", "subjects": list(criteria.subjects)},
            subject_key=subject,
        )
        deferral = Deferral(deferral_id, index, until)
        await self._store.keep_deferral(deferral)
        return deferral

    async def end(self, deferral_id: UUID, *, by: str, reason: str) -> int:
        """Let what a deferral covers be seen from now on; the act's index. Raises NOT_FOUND."""
        now = self._clock.now()
        found = [each for each in await self._store.deferrals() if each.deferral_id == deferral_id]
        if not found or found[0].until <= now:
            raise CrossroadsError(Reason.NOT_FOUND, "no such deferral, or it is over already")
        index = await self._journal.act(
            self._ids.uuid().bytes,
            "logging.defer_end",
            by=[by],
            audit={"deferral": str(deferral_id), "reason": reason},
        )
        await self._store.keep_deferral(Deferral(deferral_id, found[0].index, now))
        return index

    async def every(self) -> Sequence[Standing]:
        """All deferrals, those that are over too."""
        standing = []
        for each in await self._store.deferrals():
            criteria = self._criteria.get(each.deferral_id)
            if criteria is None:
                (record,) = await self._evidence.records([each.index])
                if record.opened is None:
                    continue  # older than anything that it could cover
                criteria = criteria_of(
                    record.audit["criteria"], tuple(record.subject.get("subjects", ()))
                )
                self._criteria[each.deferral_id] = criteria
            standing.append(Standing(each, criteria))
        return standing
