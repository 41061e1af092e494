"""Searching the log: who may look for what, what they see of it, and the trace that they leave.

Contract: a search is durable in the log before its answer is given, with its criteria, its reason
and how many entries it found; one about a subject under that subject. An auditor sees everything, a
security officer the party section of the own institution's traffic; what another institution asked
of its source, without what is only that institution's (request id, ticket).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from services.keys import enterprise, person
from services.keys.invalid import InvalidKey
from services.logging.evidence_model import Criteria, Reader, Record
from services.logging.finder import Finder
from services.logging.journal import Journal
from services.logging.term_index import Indexer
from services.proof.record import canonical_json
from services.runtime.errors import CrossroadsError, FieldViolation, Reason
from services.runtime.ids import Ids

PAGE_ENTRIES = 50

_SOURCE_SEES = (
    "application",
    "attempt",
    "deliberations",
    "elements",
    "exchange_id",
    "institution",
    "kind",
    "purpose",
    "service",
    "version",
)


class PersonKeys(Protocol):
    """The register of keys."""

    def keys_of(self, subject: str) -> Sequence[str]:
        """All keys of the same person, the current one first. Raises LEASE_EXPIRED."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry as far as its reader may see it: sections as JSON, b"" where not."""

    record: Record
    party: bytes
    subject: bytes = b""
    audit: bytes = b""


@dataclass(frozen=True, slots=True)
class Found:
    """One page. `before`: where the next goes on; `indexed_size`: up to where terms are known."""

    entries: Sequence[Seen]
    before: int | None
    log_index: int
    indexed_size: int


class Searches:
    """Looks for entries on behalf of somebody."""

    def __init__(
        self, *, finder: Finder, indexer: Indexer, keys: PersonKeys, journal: Journal, ids: Ids
    ) -> None:
        self._finder = finder
        self._indexer = indexer
        self._keys = keys
        self._journal = journal
        self._ids = ids

    def subjects(self, subject: str, others: Sequence[str], field: str) -> tuple[str, ...]:
        """All keys to look for, the current one first; none for "". Raises INVALID_KEY."""
        if not subject:
            return ()
        for key in (subject, *others):
            if not well_formed(key):
                raise CrossroadsError(
                    Reason.INVALID_KEY,
                    "the check digits of a key do not fit its other digits; correct the key",
                    fields=[FieldViolation(field, "check digits do not fit")],
                )
        given = (subject, *others)
        return tuple(
            dict.fromkeys([each for key in given for each in self._keys.keys_of(key)] + [*given])
        )

    async def search(
        self,
        reader: Reader,
        criteria: Criteria,
        *,
        reason: str,
        deferral_id: UUID | None = None,
        before: int | None = None,
        limit: int = PAGE_ENTRIES,
    ) -> Found:
        """The newest entries that fit and that the reader may see.

        Raises CALLER_NOT_ALLOWED, LOG_UNAVAILABLE.
        """
        if not reader.auditor:
            if not reader.institution:
                raise CrossroadsError(
                    Reason.CALLER_NOT_ALLOWED,
                    "a security officer sees the traffic of the own institution; this one has none",
                )
            criteria = replace(criteria, involved=reader.institution)
        page = await self._finder.page(criteria, before=before, limit=limit)
        index = await self.logged(
            reader,
            criteria,
            "logging.search",
            {"reason": reason, "results": len(page.records)}
            | ({"deferral": str(deferral_id)} if deferral_id else {})
            | ({"before": before} if before is not None else {}),
        )
        see = _everything if reader.auditor else _own_part(reader.institution)
        return Found(
            [see(record) for record in page.records], page.before, index, self._indexer.size
        )

    async def logged(
        self, reader: Reader, criteria: Criteria, what: str, audit: dict[str, Any]
    ) -> int:
        """Log that somebody looked; the index."""
        about = {"criteria": criteria.to_json(), "institution": reader.institution}
        subject = criteria.subjects[0] if criteria.subjects else ""
        return await self._journal.act(
            self._ids.uuid().bytes,
            what,
            by=[reader.name],
            audit=audit | {name: value for name, value in about.items() if value},
            subject={"act": what, "subjects": list(criteria.subjects)} if subject else None,
            subject_key=subject,
        )


def well_formed(key: str) -> bool:
    """Whether a key can be one: of a person, an enterprise or an establishment unit."""
    for check in (person.check, enterprise.check, enterprise.check_unit):
        try:
            check(key)
        except InvalidKey:
            continue
        return True
    return False


def _everything(record: Record) -> Seen:
    opened = record.opened
    if opened is None:
        return Seen(record, b"")
    return Seen(record, opened.party, opened.subject, opened.audit)


def _own_part(institution: str) -> Callable[[Record], Seen]:
    def see(record: Record) -> Seen:
        if record.opened is None:
            return Seen(record, b"")
        if record.institution == institution:
            return Seen(record, record.opened.party)
        told = {name: record.party[name] for name in _SOURCE_SEES if name in record.party}
        return Seen(record, canonical_json(told))

    return see
