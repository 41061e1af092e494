"""What becomes of a published deliberation: suspension, its lifting, withdrawal.

Contract: what narrows access needs one person and works at once; what widens it again needs two,
neither of whom acts for an institution that gains. So a suspension takes grants off the record, not
prohibitions; and where these stand there is no withdrawal. Each act is logged before it works.
"""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from services.authorization.model import Deliberation, Grant, Publication, State, gaining
from services.authorization.publishing import (
    Alteration,
    PublishingJournal,
    PublishingTransaction,
    reopening,
)
from services.authorization.validation import Catalogue, validate
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import Ids


class Store(Protocol):
    """Where deliberations are kept."""

    def exclusive(self) -> AbstractAsyncContextManager[PublishingTransaction]:
        """The one transaction that may change anything."""
        ...


class Persons(Protocol):
    """What registry says of persons who act."""

    def institution_of(self, person: str) -> str | None:
        """Whom a person acts for; "" for the platform, None for a stranger."""
        ...

    def require(self) -> None:
        """Raise LEASE_EXPIRED if what is known here may be out of date."""
        ...


class Lifting(NamedTuple):
    """How far the lifting of a suspension is: persons still missing, and what the last one gave."""

    missing: int
    publication: Publication | None


class Standing:
    """The use cases around a published deliberation."""

    def __init__(
        self,
        *,
        store: Store,
        journal: PublishingJournal,
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

    async def suspend(self, number: str, reason: str, person: str) -> Publication:
        """Take its grants off the record until the suspension is lifted."""
        async with self._store.exclusive() as tx:
            await self._require(tx, number, State.PUBLISHED)
            giving = [row.grant for row in await tx.live(number) if not row.grant.prohibition]
            ending = frozenset(grant.id for grant in giving)
            alteration = Alteration(number, person, reason, (), State.SUSPENDED, ending)
            return await self._alter(tx, "suspend", alteration)

    async def withdraw(self, number: str, reason: str, person: str) -> Publication:
        """End it for good."""
        async with self._store.exclusive() as tx:
            await self._require(tx, number, State.PUBLISHED, State.SUSPENDED, State.EXPIRED)
            live = [row.grant for row in await tx.live(number)]
            if any(_stands(grant, self._clock.now()) for grant in live if grant.prohibition):
                raise _second(
                    f"deliberation {number} prohibits, and its withdrawal would widen access; "
                    "suspend it to stop its grants, amend it so that its prohibitions end"
                )
            ending = frozenset(grant.id for grant in live)
            alteration = Alteration(number, person, reason, (), State.WITHDRAWN, ending)
            return await self._alter(tx, "withdraw", alteration)

    async def lift(self, number: str, reason: str, person: str) -> Lifting:
        """Propose that a suspension be lifted, or lift it where another has proposed so."""
        self._persons.require()
        async with self._store.exclusive() as tx:
            found = await self._require(tx, number, State.SUSPENDED)
            rows = await reopening(tx, number, self._clock.now())
            first = await tx.lift_proposed_by(number)
            grants = tuple(row.grant.grant for row in rows)
            gains = gaining(grants)
            for each in {person, first} - {""}:
                institution = self._persons.institution_of(each)
                if institution is None or institution in gains:
                    raise _second(
                        "who acts for an institution that gains lifts no suspension; others must"
                    )
            validate(grants, self._catalogue, found.scope)
            alteration = Alteration(number, person, reason, rows, State.PUBLISHED)
            if not first:
                await self._journal.altered(self._ids.uuid().bytes, "propose-lift", alteration)
                await tx.propose_lift(number, person)
                return Lifting(1, None)
            if first == person:
                raise _second(
                    "who proposed to lift a suspension does not lift it; another member must"
                )
            return Lifting(0, await self._alter(tx, "lift", alteration))

    async def _alter(
        self, tx: PublishingTransaction, what: str, alteration: Alteration
    ) -> Publication:
        index = await self._journal.altered(self._ids.uuid().bytes, what, alteration)
        return Publication(await tx.alter(alteration, self._clock.now(), index), index)

    async def _require(
        self, tx: PublishingTransaction, number: str, *states: State
    ) -> Deliberation:
        found = await tx.deliberation(number)
        if found is None:
            raise CrossroadsError(
                Reason.NOT_FOUND, f"no deliberation {number}; ListDeliberations names them"
            )
        found = found.standing(self._clock.now())
        if found.state not in states:
            raise CrossroadsError(
                Reason.FAILED_PRECONDITION,
                f"deliberation {number} is {found.state}; this is done to one that is "
                + " or ".join(states),
            )
        return found


def _stands(grant: Grant, now: datetime) -> bool:
    return grant.valid_until is None or grant.valid_until > now


def _second(text: str) -> CrossroadsError:
    return CrossroadsError(Reason.SECOND_PERSON_REQUIRED, text)
