"""Dossiers: from an institution's draft to the publication of what a chamber decided.

Contract: every act is durable in the log before anything of it is visible; whose turn it is and who
may not is lifecycle's. One act at a time: the store's transaction holds the lock.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from services.authorization.lifecycle import (
    Act,
    Actor,
    Count,
    Dossier,
    Draft,
    Stage,
    Step,
    after,
    compiled,
    count,
    require_may,
    require_turn,
)
from services.authorization.model import (
    Asker,
    Chamber,
    Deliberation,
    Publication,
    State,
    binds_everybody,
    bound,
)
from services.authorization.publishing import PublishingJournal, PublishingTransaction, enact
from services.authorization.validation import Catalogue, validate
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason, invalid
from services.runtime.ids import Ids

DEFAULT_PAGE = 100


class Wanted(NamedTuple):
    """Which dossiers: of which applicant, at which stage (None: any); those that were opened before
    (instant, id), so many."""

    institution: str | None
    stage: Stage | None
    before: tuple[str, UUID]
    limit: int


class Transaction(PublishingTransaction, Protocol):
    """One transaction that holds the lock; rolled back when its block raises."""

    async def dossier(self, dossier: UUID) -> Dossier | None:
        """A dossier with its acts."""
        ...

    async def keep(self, dossier: Dossier) -> None:
        """Record a dossier as it is after its last act."""
        ...

    async def next_number(self, year: int) -> str:
        """The first number of that year that no deliberation has, nor any after it."""
        ...

    async def holders(self) -> frozenset[str]:
        """The institutions that have a grant on record, or one that is suspended."""
        ...


class Store(Protocol):
    """Where dossiers are kept."""

    def exclusive(self) -> AbstractAsyncContextManager[Transaction]:
        """The one transaction that may change anything."""
        ...

    async def dossier(self, dossier: UUID) -> Dossier | None:
        """A dossier with its acts."""
        ...

    async def dossiers(self, wanted: Wanted) -> list[Dossier]:
        """Dossiers with their first act, newest first."""
        ...


class Journal(PublishingJournal, Protocol):
    """The log. Raises LOG_UNAVAILABLE where it can't be known that the entry is durable."""

    async def acted(self, dossier: Dossier, act: Act) -> int:
        """Log the next act on a dossier; its index."""
        ...


class Persons(Protocol):
    """What registry says of persons who act."""

    def actor(self, person: str) -> Actor:
        """Who that is; of no institution "?" and in no chamber where nobody knows."""
        ...

    def sitting(self, chamber: Chamber) -> Mapping[str, Actor]:
        """The members of a chamber by id."""
        ...

    def reads_drafts(self, person: str) -> bool:
        """Whether a person works on deliberations that are not published yet."""
        ...

    def require(self) -> None:
        """Raise LEASE_EXPIRED if what is known here may be out of date."""
        ...


class Published(NamedTuple):
    """What the publication of a dossier gave."""

    deliberation: Deliberation
    publication: Publication


class Dossiers:
    """The use cases around a dossier."""

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        catalogue: Catalogue,
        persons: Persons,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._journal = journal
        self._catalogue = catalogue
        self._persons = persons
        self._clock = clock
        self._ids = ids

    async def draft(self, draft: Draft, dossier: str, asker: Asker) -> UUID:
        """Open a dossier, or rewrite one; its id."""
        actor = self._actor(asker)
        now = self._clock.now()
        entry = max(draft.enters_into_force or now, now)
        validate(compiled(draft, "", 1, entry), self._catalogue, draft.scope, "draft")
        async with self._store.exclusive() as tx:
            if dossier:
                found = await _opened(tx, dossier)
            else:
                found = Dossier(id=self._ids.uuid(), institution=actor.institution, draft=draft)
            version = 0
            if draft.amends:
                amended = await tx.deliberation(draft.amends)
                version = _amendable(amended, draft.amends, now).version
            require_turn(found, Step.DRAFT)
            require_may(found, Step.DRAFT, actor)
            found = dataclasses.replace(found, draft=draft, amends_version=version)
            await self._keep(tx, found, Step.DRAFT, actor)
        return found.id

    async def act(
        self, dossier: str, step: Step, asker: Asker, *, outcome: str = "", text: str = ""
    ) -> None:
        """Give an opinion or advice, admit, recuse oneself, vote, withdraw."""
        actor = self._actor(asker)
        async with self._store.exclusive() as tx:
            found = await _opened(tx, dossier)
            require_turn(found, step)
            require_may(found, step, actor)
            await self._keep(tx, found, step, actor, outcome=outcome, text=text)

    async def close(self, dossier: str, asker: Asker) -> Count:
        """Count the votes and decide."""
        actor = self._actor(asker)
        async with self._store.exclusive() as tx:
            found = await _opened(tx, dossier)
            require_turn(found, Step.CLOSE)
            require_may(found, Step.CLOSE, actor)
            await self._amended(tx, found)
            votes = count(found, self._persons.sitting(found.draft.chamber))
            outcome = "adopted" if votes.adopted else "rejected"
            text = f"{votes.in_favour}/{votes.against}/{votes.abstained} of {votes.members}"
            await self._keep(tx, found, Step.CLOSE, actor, outcome=outcome, text=text)
        return votes

    async def publish(self, dossier: str, asker: Asker) -> Published:
        """Give an adopted dossier its number and make its grants apply."""
        actor = self._actor(asker)
        async with self._store.exclusive() as tx:
            found = await _opened(tx, dossier)
            require_turn(found, Step.PUBLISH)
            require_may(found, Step.PUBLISH, actor)
            deliberation = await self._numbered(tx, found, actor)
            validate(deliberation.grants, self._catalogue, deliberation.scope, "draft")
            numbered = dataclasses.replace(found, number=deliberation.number)
            await self._keep(tx, numbered, Step.PUBLISH, actor)
            done = await enact(tx, self._journal, deliberation, self._clock.now())
        return Published(deliberation, done)

    async def get(self, dossier: str, asker: Asker) -> Dossier:
        """A dossier, for the applicant and those who work on deliberations."""
        found = await self._store.dossier(_id(dossier))
        own = self._readable(asker)
        if found is not None and own is not None and found.institution != own:
            found = None
        return _found(found)

    async def list(
        self, stage: Stage | None, page_size: int, token: str, asker: Asker
    ) -> tuple[list[Dossier], str]:
        """Those that the asker may read, newest first, with their first act and without texts and
        grants; the token of the next page ("": none)."""
        size = page_size or DEFAULT_PAGE
        before = _position(token)
        found = await self._store.dossiers(Wanted(self._readable(asker), stage, before, size + 1))
        last = found[size - 1] if len(found) > size else None
        more = "" if last is None else f"{last.acts[0].at.isoformat()}|{last.id}"
        return [_brief(each) for each in found[:size]], more

    def _readable(self, asker: Asker) -> str | None:
        """Whose dossiers the asker may read; None: everybody's."""
        if not asker.person:
            return asker.institution
        self._persons.require()
        actor = self._persons.actor(asker.person)
        works = actor.committee or not actor.institution
        return None if works and self._persons.reads_drafts(actor.id) else actor.institution

    async def _numbered(self, tx: Transaction, dossier: Dossier, actor: Actor) -> Deliberation:
        """The deliberation that a dossier becomes, with its rows."""
        draft, now = dossier.draft, self._clock.now()
        for field in ("title_de", "text_fr", "text_nl", "text_de"):
            if not getattr(draft, field).strip():
                raise invalid(f"draft.{field}", "is missing; what is published is in FR, NL and DE")
        number, version, first = draft.amends, 1, 1
        amended = await self._amended(tx, dossier)
        if amended is not None:
            version, first = amended.version + 1, await tx.last_row(number) + 1
        else:
            number = await tx.next_number(now.year)
        entry = max(draft.enters_into_force or now, now)
        return Deliberation(
            number=number,
            title_fr=draft.title_fr,
            title_nl=draft.title_nl,
            title_de=draft.title_de,
            title_en=draft.title_en,
            text_fr=draft.text_fr,
            text_nl=draft.text_nl,
            text_de=draft.text_de,
            scope=draft.scope,
            chamber=draft.chamber,
            decided_on=next(a.at for a in dossier.acts if a.step is Step.CLOSE).date(),
            grants=compiled(draft, number, first, entry),
            submitted_by=next(a.by for a in dossier.acts if a.step is Step.DRAFT),
            submitted_at=dossier.acts[0].at,
            act_id=UUID(bytes=act_id(dossier.id, Step.PUBLISH)),
            published_by=actor.id,
            version=version,
            state=State.PUBLISHED,
            enters_into_force=entry,
        )

    async def _amended(self, tx: Transaction, dossier: Dossier) -> Deliberation | None:
        """What a dossier amends (None: nothing), as it was when that was drafted: who decides must
        know what ends."""
        number = dossier.draft.amends
        if not number:
            return None
        found = _amendable(await tx.deliberation(number), number, self._clock.now())
        if found.version != dossier.amends_version:
            raise CrossroadsError(
                Reason.FAILED_PRECONDITION,
                f"deliberation {number} was amended since this was drafted, which would undo that; "
                "withdraw this and draft it again",
            )
        return found

    async def _keep(
        self,
        tx: Transaction,
        dossier: Dossier,
        step: Step,
        actor: Actor,
        *,
        outcome: str = "",
        text: str = "",
    ) -> None:
        """Log an act, then record it."""
        act = Act(step=step, by=actor.id, at=self._clock.now(), outcome=outcome, text=text)
        index = await self._journal.acted(dossier, act)
        await tx.keep(after(dossier, dataclasses.replace(act, log_index=index)))

    def _actor(self, asker: Asker) -> Actor:
        self._persons.require()
        if asker.person:
            return self._persons.actor(asker.person)
        return Actor(f"institution/{asker.institution}/{asker.application}", asker.institution)


async def _opened(tx: Transaction, dossier: str) -> Dossier:
    """A dossier, with whom the prohibitions of what it amends bind: those that they name, and where
    one names nobody, everybody who has a grant that it may take something from."""
    found = _found(await tx.dossier(_id(dossier)))
    if not found.draft.amends:
        return found
    rows = [row.grant for row in await tx.live(found.draft.amends)]
    holders = await tx.holders() if any(map(binds_everybody, rows)) else frozenset()
    return dataclasses.replace(found, bound=bound(rows) | holders)


def act_id(dossier: UUID, step: str) -> bytes:
    """The 16 bytes that an act on a dossier is found by in the log."""
    return hashlib.sha256(dossier.bytes + step.encode()).digest()[:16]


def _amendable(found: Deliberation | None, number: str, now: datetime) -> Deliberation:
    if found is None or found.state is State.SUBMITTED:  # not for everybody to know of
        raise CrossroadsError(Reason.NOT_FOUND, f"no deliberation {number} to amend")
    found = found.standing(now)
    if found.state is not State.PUBLISHED:
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION,
            f"deliberation {number} is {found.state}; only a published one is amended",
        )
    return found


def _found(dossier: Dossier | None) -> Dossier:
    if dossier is None:
        raise CrossroadsError(Reason.NOT_FOUND, "no such dossier; DraftDeliberation opens one")
    return dossier


def _brief(dossier: Dossier) -> Dossier:
    draft = dataclasses.replace(dossier.draft, text_fr="", text_nl="", text_de="", grants=())
    return dataclasses.replace(dossier, draft=draft, acts=dossier.acts[:1])


def _position(token: str) -> tuple[str, UUID]:
    if not token:
        return ("infinity", UUID(int=0))
    at, _, last = token.partition("|")
    try:
        datetime.fromisoformat(at)
        return at, UUID(last)
    except ValueError:
        raise invalid("page_token", "is none of this list; leave it empty to begin again") from None


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise invalid("dossier_id", "is no id of a dossier") from None
