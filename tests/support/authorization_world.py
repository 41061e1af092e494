"""Authorization's operations over a store in memory, with a log, a catalogue and persons."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.authorization.deliberations import Deliberations
from services.authorization.dossiers import Dossiers
from services.authorization.grants import Grants
from services.authorization.lifecycle import Act, Actor, Dossier, Draft, Step
from services.authorization.model import (
    Asker,
    Chamber,
    Deliberation,
    Grant,
    PublishedGrant,
    Scope,
)
from services.authorization.publishing import Alteration
from services.authorization.standing import Standing
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authorization_store import MemoryAuthorizationStore

CHAMBER = Chamber.SOCIAL_SECURITY_AND_HEALTH
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
APPLICATION = Asker("capac", "payments", "")
ACTORS = {
    "officer": Actor("officer", "capac"),
    "other-officer": Actor("other-officer", "onss"),
    "member-1": Actor("member-1", "", frozenset({CHAMBER}), committee=True),
    "member-2": Actor("member-2", "", frozenset({CHAMBER}), committee=True),
    "member-3": Actor("member-3", "", frozenset({CHAMBER}), committee=True),
    "bound": Actor("bound", "capac", frozenset({CHAMBER}), committee=True),
    "gaining": Actor("gaining", "onem", frozenset({CHAMBER}), committee=True),
    "federal": Actor("federal", "", frozenset({Chamber.FEDERAL_AUTHORITY}), committee=True),
    "outside": Actor("outside", "", committee=True),
    "auditor": Actor("auditor", ""),
}
"""Who there is; five sit in the chamber, one acts for the applicant, one for another that gains."""


class TestClock:
    __test__ = False

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def pass_(self, **amount: float) -> None:
        self.time += timedelta(**amount)


class CountingIds:
    def __init__(self) -> None:
        self._count = 0

    def uuid(self) -> UUID:
        self._count += 1
        return UUID(int=self._count)

    def token(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")


class MemoryJournal:
    """A log that says what was done by whom; `down` refuses everything."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str]] = []
        self.down = False

    def _log(self, what: str, by: str) -> int:
        if self.down:
            raise CrossroadsError(Reason.LOG_UNAVAILABLE, "down")
        self.acts.append((what, by))
        return len(self.acts) - 1

    async def submitted(self, deliberation: Deliberation, act_id: bytes, digest: bytes) -> int:
        return self._log("submit", deliberation.submitted_by)

    async def published(self, deliberation: Deliberation, person: str, digest: bytes) -> int:
        return self._log("publish", person)

    async def ended(self, act_id: bytes, grant: PublishedGrant, person: str, reason: str) -> int:
        return self._log("revoke", person)

    async def altered(self, act_id: bytes, what: str, alteration: Alteration) -> int:
        return self._log(what, alteration.person)

    async def acted(self, dossier: Dossier, act: Act) -> int:
        return self._log(f"dossier.{act.step}", act.by)


class MemoryRegistry:
    """The catalogue and the persons."""

    def __init__(self) -> None:
        self.actors = dict(ACTORS)
        self.closed: set[str] = set()
        self.declared_elements = {"e.start", "e.end", "e.wage"}

    def require(self) -> None:
        """What is known here is always current."""

    def institution_active(self, institution: str) -> bool | None:
        if institution not in {"capac", "onem", "onss"}:
            return None
        return institution not in self.closed

    def application_active(self, institution: str, application: str) -> bool | None:
        return True if application in {"payments", "benefits"} else None

    def elements(self, service: str, version: int) -> frozenset[str] | None:
        return frozenset(self.declared_elements) if service == "employment" else None

    def declared(self, element: str) -> bool:
        return element in self.declared_elements

    def deprecated(self, element: str) -> bool:
        return element == "e.old"

    def actor(self, person: str) -> Actor:
        return self.actors.get(person, Actor(person, "?"))

    def sitting(self, chamber: Chamber) -> Mapping[str, Actor]:
        return {name: each for name, each in self.actors.items() if chamber in each.chambers}

    def institution_of(self, person: str) -> str | None:
        found = self.actors.get(person)
        return None if found is None else found.institution

    def reads_drafts(self, person: str) -> bool:
        return person in self.actors

    def audits(self, person: str) -> bool:
        return person == "auditor"


class NoSubscribers:
    async def confirmed_by(self, version: int, seconds: float) -> Mapping[str, int]:
        return {"routing": version - 1, "authorization": version}


def term(**changes: Any) -> Grant:
    """A row of a draft: CAPAC may read when employments start."""
    values: dict[str, Any] = {
        "id": "#1",
        "institution": "capac",
        "service": "employment",
        "elements": ("e.start",),
        "purpose": "BENEFIT",
        "ways": ("ONLINE",),
    }
    return Grant(**{**values, **changes})


def draft(*grants: Grant, **changes: Any) -> Draft:
    """A draft with these rows."""
    values: dict[str, Any] = {
        "title_fr": "titre",
        "title_nl": "titel",
        "title_de": "Titel",
        "title_en": "title",
        "text_fr": "texte",
        "text_nl": "tekst",
        "text_de": "Text",
        "chamber": CHAMBER,
        "scope": Scope(
            recipients=("capac", "onem"), elements=("e.start", "e.end"), purposes=("BENEFIT",)
        ),
        "grants": grants or (term(), term(id="#2", institution="onem")),
    }
    return Draft(**{**values, **changes})


class AuthorizationWorld:
    """All of it, and acts carried out in it."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.store = MemoryAuthorizationStore()
        self.journal = MemoryJournal()
        self.registry = MemoryRegistry()
        given: dict[str, Any] = {
            "store": self.store,
            "journal": self.journal,
            "persons": self.registry,
            "clock": self.clock,
            "ids": CountingIds(),
        }
        self.grants = Grants(subscribers=NoSubscribers(), **given)
        given["catalogue"] = self.registry
        self.dossiers = Dossiers(**given)
        self.standing = Standing(**given)
        self.deliberations = Deliberations(**given)

    async def act(self, dossier: UUID, step: Step, who: str, outcome: str = "") -> None:
        """One act by a person, or by CAPAC's application where `who` is ""."""
        asker = Asker(person=who) if who else APPLICATION
        text = "because" if step is not Step.VOTE else ""
        if step is Step.CLOSE:
            await self.dossiers.close(str(dossier), asker)
        elif step is Step.PUBLISH:
            await self.dossiers.publish(str(dossier), asker)
        elif step is Step.DRAFT:
            await self.dossiers.draft(draft(), str(dossier), asker)
        else:
            await self.dossiers.act(str(dossier), step, asker, outcome=outcome, text=text)

    async def advised(self, asked: Draft | None = None) -> UUID:
        """A dossier on which the chamber may vote."""
        dossier = await self.dossiers.draft(asked or draft(), "", APPLICATION)
        await self.act(dossier, Step.OPINION, "officer", "favourable")
        await self.act(dossier, Step.ADMIT, "member-1", "admissible")
        await self.act(dossier, Step.ADVICE, "auditor", "unfavourable")
        return dossier

    async def adopted(self, asked: Draft | None = None) -> UUID:
        """A dossier that the chamber adopted."""
        dossier = await self.advised(asked)
        for member in ("member-1", "member-2", "member-3"):
            await self.act(dossier, Step.VOTE, member, "in_favour")
        await self.act(dossier, Step.CLOSE, "member-1")
        return dossier

    async def published(self, asked: Draft | None = None) -> str:
        """The number of a deliberation that went the whole way."""
        dossier = await self.adopted(asked)
        done = await self.dossiers.publish(str(dossier), Asker(person="outside"))
        return done.deliberation.number
