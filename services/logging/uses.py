"""Who used my data: the log in the words of the person whom it is about.

Contract: one use for each outcome of an exchange and each act about the person, with the time, what
was done and why, by which institution and application, on which deliberation, and which categories
of data; never a value, never another person: neither who acted nor who else was in the exchange.
Grouped by institution and purpose. A use that a deferral covers is left out until its date. Each
look is in the log, under the person, before it is answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from services.logging.deferrals import Deferrals, Standing
from services.logging.evidence_model import Criteria, Reader, Record
from services.logging.finder import Finder
from services.logging.model import HOUR
from services.logging.search import PAGE_ENTRIES, Searches
from services.proof import record as form
from services.proof.record import Kind, Section
from services.runtime.clock import Clock

SHOWN = frozenset({Kind.RELEASE, Kind.REFUSAL, Kind.ABANDONED, Kind.ADMINISTRATIVE})


class Action(Enum):
    """What became of a use."""

    RELEASED = "released"
    REFUSED = "refused"
    ABANDONED = "abandoned"
    DECLARED = "declared"
    LOOKED_UP = "looked_up"
    DEFERRED = "deferred"
    OTHER = "other"


_OUTCOMES = {
    Kind.RELEASE: Action.RELEASED,
    Kind.REFUSAL: Action.REFUSED,
    Kind.ABANDONED: Action.ABANDONED,
}
_ACTS = {
    "integration.declare": Action.DECLARED,
    "logging.defer": Action.DEFERRED,
    "logging.search": Action.LOOKED_UP,
    "logging.uses": Action.LOOKED_UP,
}

_SENTENCES: Mapping[Action, Mapping[str, str]] = {
    Action.RELEASED: {
        "fr": "{service}: données transmises, pour {purpose}",
        "nl": "{service}: gegevens meegedeeld, voor {purpose}",
        "de": "{service}: Daten übermittelt, für {purpose}",
        "en": "{service}: data passed on, for {purpose}",
    },
    Action.REFUSED: {
        "fr": "{service}: demandé pour {purpose}, et refusé",
        "nl": "{service}: gevraagd voor {purpose}, en geweigerd",
        "de": "{service}: angefragt für {purpose}, und abgelehnt",
        "en": "{service}: asked for {purpose}, and refused",
    },
    Action.ABANDONED: {
        "fr": "{service}: demandé pour {purpose}, resté sans réponse",
        "nl": "{service}: gevraagd voor {purpose}, onbeantwoord gebleven",
        "de": "{service}: angefragt für {purpose}, unbeantwortet geblieben",
        "en": "{service}: asked for {purpose}, never answered",
    },
    Action.DECLARED: {
        "fr": "a déclaré qu'elle a un dossier à votre nom",
        "nl": "heeft verklaard een dossier over u te hebben",
        "de": "hat erklärt, eine Akte über Sie zu führen",
        "en": "stated that it has a file on you",
    },
    Action.LOOKED_UP: {
        "fr": "a consulté le journal de l'utilisation de vos données",
        "nl": "heeft het logboek van het gebruik van uw gegevens geraadpleegd",
        "de": "hat das Protokoll der Nutzung Ihrer Daten eingesehen",
        "en": "looked up in the log how your data were used",
    },
    Action.DEFERRED: {
        "fr": "une autorité a différé l'affichage d'utilisations de vos données",
        "nl": "een overheid heeft het tonen van gebruik van uw gegevens uitgesteld",
        "de": "eine Behörde hat die Anzeige von Nutzungen Ihrer Daten aufgeschoben",
        "en": "an authority deferred the disclosure of uses of your data",
    },
    Action.OTHER: {"fr": "{act}", "nl": "{act}", "de": "{act}", "en": "{act}"},
}


class Words(Protocol):
    """What codes mean, in fr, nl, de or en; a readable form of the code where that is not known."""

    def purpose(self, code: str, language: str) -> str: ...
    def service(self, service: str, version: int, language: str) -> str: ...
    def element(self, element: str, language: str) -> str: ...


@dataclass(frozen=True, slots=True)
class SubjectProof:
    """The subject section with what hashes with it to the leaf."""

    index: int
    kind: Kind
    hour: int
    party_hash: bytes
    subject: bytes
    subject_salt: bytes
    audit_hash: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Use:
    """One use. `time` in microseconds; `categories` are (element, label)."""

    time: int
    action: Action
    reason: str
    institution: str
    application: str
    purpose: str
    deliberations: tuple[str, ...]
    categories: tuple[tuple[str, str], ...]
    exchange_id: bytes
    deferred_until: datetime | None
    proof: SubjectProof


@dataclass(frozen=True, slots=True)
class UseGroup:
    """Uses by one institution for one purpose, the latest first."""

    institution: str
    purpose: str
    purpose_text: str
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of uses. `before`: where the next goes on."""

    groups: tuple[UseGroup, ...]
    before: int | None
    log_index: int


class Uses:
    """Answers "who used my data"."""

    def __init__(
        self,
        *,
        finder: Finder,
        searches: Searches,
        deferrals: Deferrals,
        words: Words,
        clock: Clock,
    ) -> None:
        self._finder = finder
        self._searches = searches
        self._deferrals = deferrals
        self._words = words
        self._clock = clock

    async def list(
        self,
        reader: Reader,
        subjects: tuple[str, ...],
        *,
        reason: str,
        language: str,
        start: int = 0,
        end: int | None = None,
        before: int | None = None,
        limit: int = PAGE_ENTRIES,
    ) -> Listed:
        """The latest uses of a person's data; `subjects` are all keys of that person.

        Raises LOG_UNAVAILABLE.
        """
        now = self._clock.now()
        standing = await self._deferrals.every()
        active = [] if reader.auditor else [s for s in standing if s.deferral.until > now]
        criteria = Criteria(subjects=subjects, start=start, end=end, kinds=SHOWN)
        page = await self._finder.page(
            criteria,
            before=before,
            limit=limit,
            hidden=lambda record: any(each.covers(record) for each in active),
        )
        index = await self._searches.logged(
            reader, criteria, "logging.uses", {"reason": reason, "results": len(page.records)}
        )
        uses = [self._use(record, standing, language) for record in page.records]
        return Listed(self._grouped(uses, language), page.before, index)

    def _grouped(self, uses: Sequence[Use], language: str) -> tuple[UseGroup, ...]:
        groups: dict[tuple[str, str], list[Use]] = {}
        for use in uses:
            groups.setdefault((use.institution, use.purpose), []).append(use)
        return tuple(
            UseGroup(
                institution,
                purpose,
                self._words.purpose(purpose, language) if purpose else "",
                tuple(each),
            )
            for (institution, purpose), each in groups.items()
        )

    def _use(self, record: Record, standing: Sequence[Standing], language: str) -> Use:
        row, subject = record.row, record.subject
        action = _OUTCOMES.get(row.kind) or _ACTS.get(record.act, Action.OTHER)
        deferred = [each.deferral.until for each in standing if each.covers(record)]
        return Use(
            time=row.recorded_at,
            action=action,
            reason=self._sentence(record, action, language),
            institution=record.institution or str(record.audit.get("institution", "")),
            application=record.application,
            purpose=str(subject.get("purpose", "")),
            deliberations=record.deliberations,
            categories=tuple(
                (each, self._words.element(each, language)) for each in subject.get("elements", ())
            ),
            exchange_id=row.exchange_id,
            deferred_until=max(deferred, default=None),
            proof=_proof(record),
        )

    def _sentence(self, record: Record, action: Action, language: str) -> str:
        party = record.party
        service = str(party.get("service", ""))
        return _SENTENCES[action][language].format(
            act=record.act.replace(".", " ").replace("_", " "),
            service=self._words.service(service, int(party.get("version", 0)), language),
            purpose=self._words.purpose(str(party.get("purpose", "")), language),
        )


def _proof(record: Record) -> SubjectProof:
    opened, row = record.opened, record.row
    assert opened is not None  # erased entries have no subject by which they were found
    party_salt, subject_salt, audit_salt = form.salts_apart(opened.salts)
    return SubjectProof(
        index=row.index,
        kind=row.kind,
        hour=row.recorded_at // HOUR,
        party_hash=form.section_hash(Section.PARTY, party_salt, opened.party),
        subject=opened.subject,
        subject_salt=subject_salt,
        audit_hash=form.section_hash(Section.AUDIT, audit_salt, opened.audit),
        leaf_hash=row.leaf_hash,
    )
