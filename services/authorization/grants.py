"""Grants one by one: their end, and who knows of it.

Contract: the revocation of what gives narrows access, so one person is enough; it is logged before
it works. The end of a prohibition widens access: that takes an amendment, with all who decide one.
"""

from collections.abc import Mapping
from typing import Protocol

from services.authorization.deliberations import Journal, Persons, Store, Transaction
from services.authorization.model import Publication, PublishedGrant, Subscriber, gaining
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import Ids

CONFIRMED_SECONDS = 1.0
"""How long a revocation waits for its subscribers: they ping every 250 ms."""

TOLD = 20
"""How many rows an error names."""


class Subscribers(Protocol):
    """Who watches the table of grants."""

    async def confirmed_by(self, version: int, seconds: float) -> Mapping[str, int]:
        """The version that each subscriber holds: when all hold `version`, or that time passed."""
        ...


class Grants:
    """The use cases around one grant."""

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        persons: Persons,
        subscribers: Subscribers,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._journal = journal
        self._persons = persons
        self._subscribers = subscribers
        self._clock = clock
        self._ids = ids

    async def revoke(self, grant_id: str, reason: str, person: str) -> Publication:
        """End a grant at once."""
        self._persons.require()
        async with self._store.exclusive() as tx:
            found = await tx.grant(grant_id)
            if found is None:
                raise CrossroadsError(
                    Reason.NOT_FOUND, f"no published grant {grant_id}; GetDeliberation names them"
                )
            if found.grant.prohibition:
                raise CrossroadsError(
                    Reason.SECOND_PERSON_REQUIRED,
                    f"{grant_id} prohibits; its end would widen access. Amend the deliberation: "
                    "others decide on that",
                )
            suspended = await tx.suspended(found.deliberation)
            held = any(each.grant.id == grant_id for each in suspended)
            if found.grant.recorded_until is not None and not held:
                raise await _ended(tx, found)
            index = await self._journal.ended(self._ids.uuid().bytes, found, person, reason)
            if held:
                version = await tx.unsuspend(grant_id)
            else:
                version = await tx.end(found, person, reason, self._clock.now(), index)
        return Publication(version, index)

    async def subscribers(self, version: int) -> list[Subscriber]:
        """Who watches the grants, and who of them confirmed that version within a second."""
        held = await self._subscribers.confirmed_by(version, CONFIRMED_SECONDS)
        return [Subscriber(name, held[name], held[name] >= version) for name in sorted(held)]


async def _ended(tx: Transaction, found: PublishedGrant) -> CrossroadsError:
    """That a grant is over, and which rows of its deliberation still give the same recipient
    something: an amendment or a lifted suspension goes on under other ids."""
    recipients = gaining([found.grant])
    left = [
        row.grant.id
        for row in await tx.live(found.deliberation)
        if not recipients.isdisjoint(gaining([row.grant]))
    ]
    text = f"grant {found.grant.id} was ended before"
    if left:
        text += f"; still on record for its recipient: {', '.join(left[:TOLD])}"
    return CrossroadsError(Reason.FAILED_PRECONDITION, text)
