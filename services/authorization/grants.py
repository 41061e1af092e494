"""Grants one by one: their end, and decisions on the table as it stands.

Contract: a revocation narrows access, so one person is enough; it is logged before it works.
`check` answers on the same table, by the same function, as an exchange is decided on.
"""

from datetime import datetime
from typing import Protocol

from services.authorization.deliberations import Journal, Persons, Store
from services.authorization.model import Publication
from services.policy.decide import decide
from services.policy.index import GrantTable
from services.policy.model import Decision, Request
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import Ids


class Current(Protocol):
    """The table of grants as this process holds it."""

    @property
    def table(self) -> GrantTable:
        """The newest version that is here."""
        ...

    @property
    def recorded_at(self) -> datetime | None:
        """When that version was recorded; None while nothing was ever published."""
        ...

    def require(self) -> None:
        """Raise LEASE_EXPIRED if it may be out of date."""
        ...


class Grants:
    """The use cases around one grant."""

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        persons: Persons,
        current: Current,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._journal = journal
        self._persons = persons
        self._current = current
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
            if found.grant.recorded_until is not None:
                raise CrossroadsError(
                    Reason.FAILED_PRECONDITION, f"grant {grant_id} was ended before"
                )
            index = await self._journal.ended(self._ids.uuid().bytes, found, person, reason)
            version = await tx.end(found, person, reason, self._clock.now(), index)
        return Publication(version, index)

    def check(self, request: Request, institution: str | None) -> Decision:
        """Would this exchange be allowed now? `institution`: who asks for itself; None: may ask
        for any."""
        if institution is not None and institution != request.institution:
            raise CrossroadsError(
                Reason.CALLER_NOT_ALLOWED, "an institution asks for itself; an auditor asks for any"
            )
        self._current.require()
        now = self._clock.now()
        return decide(request, self._current.table, now, self._current.recorded_at or now)
