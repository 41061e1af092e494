"""What evidence says and how it is searched: records, terms, criteria. Pure.

Contract: a term is what an entry can be found by ("ticket/4711"); `terms` gives those of an entry
and is the only place that knows where they stand in its sections. `Criteria.fits` decides on the
opened entry: the index only says where to look.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from services.logging.model import RetentionClass
from services.logging.sealing import Opened
from services.proof.record import Kind

JSON = Mapping[str, Any]
INSTITUTION, TICKET, TRACE, DELIBERATION = "institution", "ticket", "trace", "deliberation"
SETTLED = timedelta(minutes=5)
"""How long after midnight the last entry of a day has surely arrived."""


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """An entry as it is stored."""

    index: int
    exchange_id: bytes
    kind: Kind
    attempt: int
    recorded_at: int
    leaf_hash: bytes
    data_key_id: int
    evidence: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """An entry, opened: `opened` is None where its evidence was erased."""

    row: EvidenceRow
    opened: Opened | None = None
    party: JSON = field(default_factory=dict)
    subject: JSON = field(default_factory=dict)
    audit: JSON = field(default_factory=dict)

    @property
    def institution(self) -> str:
        """Who asked or declared; "" for what no institution did."""
        party = self.party
        by = party.get("by") or [""]
        return str(party.get("institution") or _institution_in(by[0]))

    @property
    def application(self) -> str:
        """The application of that institution."""
        by = self.party.get("by") or [""]
        return str(self.party.get("application") or by[0].partition("/")[2])

    @property
    def act(self) -> str:
        """What was done, for an administrative act."""
        return str(self.party.get("act", ""))

    @property
    def deliberations(self) -> tuple[str, ...]:
        """The deliberations that it rests on."""
        return deliberations(self.party, self.audit)


@dataclass(frozen=True, slots=True)
class MonthSpan:
    """A data key that may be asked: entries of that month lie in its time."""

    data_key_id: int
    retention_class: RetentionClass
    month: date


@dataclass(frozen=True, slots=True)
class Criteria:
    """What to look for; what is empty does not matter, the rest must all fit.

    `subjects` are all keys of one person or enterprise. `involved` is the institution whose traffic
    it must be, as caller or as source. Times in microseconds, `start` included, `end` not.
    """

    subjects: tuple[str, ...] = ()
    institution: str = ""
    involved: str = ""
    exchange_id: bytes = b""
    ticket: str = ""
    trace_id: str = ""
    deliberation: str = ""
    hold_id: UUID | None = None
    start: int = 0
    end: int | None = None
    kinds: frozenset[Kind] = frozenset()

    @property
    def term(self) -> str:
        """The rarest of the terms that are looked for; "" when there is none."""
        for name, value in (
            (TICKET, self.ticket),
            (TRACE, self.trace_id),
            (DELIBERATION, self.deliberation),
            (INSTITUTION, self.institution or self.involved),
        ):
            if value:
                return f"{name}/{value}"
        return ""

    def fits(self, record: Record) -> bool:
        """Whether an entry is one of those looked for. Of erased ones little can be said."""
        if not self._fits_row(record.row):
            return False
        if record.opened is None:
            return not (self.term or self.subjects)
        found = terms(record.party, record.subject, record.audit)
        wanted = (
            (INSTITUTION, self.involved),
            (TICKET, self.ticket),
            (TRACE, self.trace_id),
            (DELIBERATION, self.deliberation),
        )
        return (
            all(f"{name}/{value}" in found for name, value in wanted if value)
            and self.institution in ("", record.institution)
            and (not self.subjects or record.opened.subject_key in self.subjects)
        )

    def _fits_row(self, row: EvidenceRow) -> bool:
        return (
            self.start <= row.recorded_at
            and (self.end is None or row.recorded_at < self.end)
            and self.exchange_id in (b"", row.exchange_id)
            and (not self.kinds or row.kind in self.kinds)
        )

    @property
    def bounded(self) -> bool:
        """Whether more than a period or an institution is asked for."""
        return bool(self.subjects or self.exchange_id or self.ticket or self.trace_id)

    def to_json(self) -> dict[str, Any]:
        """What an act in the log says about a search: everything but the subject."""
        values = {
            "deliberation": self.deliberation,
            "end": self.end,
            "exchange_id": self.exchange_id.hex(),
            "hold": str(self.hold_id) if self.hold_id else "",
            "institution": self.institution,
            "involved": self.involved,
            "start": self.start or None,
            "ticket": self.ticket,
            "trace_id": self.trace_id,
        }
        return {name: value for name, value in values.items() if value}


def criteria_of(logged: JSON, subjects: tuple[str, ...]) -> Criteria:
    """The criteria that `to_json` wrote; KeyError or ValueError if they are none."""
    values = dict(logged)
    hold = values.pop("hold", "")
    exchange = bytes.fromhex(values.pop("exchange_id", ""))
    return Criteria(
        subjects=subjects,
        exchange_id=exchange,
        hold_id=UUID(hold) if hold else None,
        **values,
    )


def terms(party: JSON, subject: JSON, audit: JSON) -> frozenset[str]:
    """What an entry with these sections is found by, its subject apart."""
    found = {
        f"{INSTITUTION}/{each}"
        for each in (
            party.get("institution"),
            subject.get("institution"),
            audit.get("institution"),
            *(_institution_in(each.get("source", "")) for each in party.get("sources", ())),
            *(_institution_in(each) for each in party.get("by", ())),
        )
        if each
    }
    for name, value in ((TICKET, party.get("ticket")), (TRACE, audit.get("trace_id"))):
        if value:
            found.add(f"{name}/{value}")
    return frozenset(found | {f"{DELIBERATION}/{each}" for each in deliberations(party, audit)})


def deliberations(party: JSON, audit: JSON) -> tuple[str, ...]:
    """The deliberations that an entry rests on, or is about."""
    if party.get("deliberations"):
        return tuple(party["deliberations"])
    decision = audit.get("decision") or {}
    found = {each["deliberation"] for each in decision.get("permissions", ())}
    return tuple(sorted(found | ({audit["deliberation"]} if audit.get("deliberation") else set())))


def _institution_in(name: str) -> str:
    """The institution in "<institution>/<application>"; "" for a person or a service."""
    institution, slash, _ = name.partition("/")
    return institution if slash else ""


def month_after(month: date, months: int = 1) -> date:
    """The first day of the month that many months later."""
    count = month.year * 12 + month.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who wants to read: an auditor, the security officer of `institution`, or a service that asks
    for the subject itself. `name` is what the log says of it."""

    name: str
    auditor: bool = False
    institution: str = ""


@dataclass(frozen=True, slots=True)
class Erasure:
    """A class and month that was erased: when, and from when on no snapshot holds its key."""

    data_key_id: int
    retention_class: RetentionClass
    month: date
    erased_at: datetime
    final_at: datetime
    index: int
    final_index: int | None = None


UNLOGGED = -1
"""The index of a hold or deferral of which no entry is known to say it: it is not in force."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold and its key, wrapped; its act, at `index`, bears its id."""

    hold_id: UUID
    index: int
    placed_at: datetime
    transit_key: str
    wrapped: str
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Deferral:
    """Uses that their subject sees only from `until` on; the entry at `index` says which."""

    deferral_id: UUID
    index: int
    until: datetime


def beside(found: Iterable[tuple[int, UUID]]) -> dict[str, Any]:
    """What an erasure says of the holds and deferrals (index of the act, id) that there are: it
    outlives their own acts, so that a row can't be removed unseen once those are erased."""
    acts: dict[UUID, int] = {}
    for index, each in found:
        acts[each] = min(index, acts.get(each, index))
    ids = b"".join(sorted(each.bytes for each in acts))
    return {
        "before": max(acts.values(), default=-1) + 1,
        "digest": sha256(ids).hexdigest(),
        "rows": len(acts),
    }


@dataclass(frozen=True, slots=True)
class SubjectRoot:
    """The root of one day's pairs in the subject index: entries [first, until)."""

    day: date
    first: int
    until: int
    pairs: int
    root: bytes
    index: int = -1
