"""Decisions for those who ask and for those who audit: now, in the past, and why.

Contract: every answer is taken by services.policy on one version of the table, whose number and
digest it tells. The past is read from the table as it stood at that version, not reconstructed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from services.authorization.access import Access, what_may, who_may
from services.authorization.model import Asker
from services.policy.decide import decide, explain
from services.policy.index import GrantTable
from services.policy.model import Decision, Explanation, Request
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason, invalid

DEFAULT_PAGE = 100


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


class Past(Protocol):
    """The table of grants at earlier versions."""

    async def at(self, known_at: datetime) -> GrantTable:
        """The version that was newest at that instant (aware)."""
        ...

    async def version(self, version: int) -> GrantTable:
        """That version; LookupError if it was never committed."""
        ...


class Persons(Protocol):
    """What registry says of persons who ask."""

    def audits(self, person: str) -> bool:
        """Whether a person may see the decisions on every institution."""
        ...

    def institution_of(self, person: str) -> str | None:
        """Whom a person acts for; "" for the platform, None for a stranger."""
        ...

    def require(self) -> None:
        """Raise LEASE_EXPIRED if what is known here may be out of date."""
        ...


class Instants(NamedTuple):
    """For when, and on what was known when; None: now. Aware."""

    valid_at: datetime | None = None
    known_at: datetime | None = None


class AccessPage(NamedTuple):
    """A page of rows, the token of the next ("": none), and the table that they are of."""

    access: Sequence[Access]
    next_token: str
    table: GrantTable


class Decisions:
    """The use cases of whoever asks what is allowed."""

    def __init__(self, *, current: Current, past: Past, persons: Persons, clock: Clock) -> None:
        self._current = current
        self._past = past
        self._persons = persons
        self._clock = clock

    def check(self, request: Request, asker: Asker) -> Decision:
        """Would this exchange be allowed now?"""
        return self.check_many([request], asker)[0]

    def check_many(self, requests: Sequence[Request], asker: Asker) -> list[Decision]:
        """Would these be allowed now? All on one version of the table."""
        self._admit(asker, {request.institution for request in requests})
        self._current.require()
        now = self._clock.now()
        table, known_at = self._current.table, self._current.recorded_at or now
        return [decide(request, table, now, known_at) for request in requests]

    async def check_as_of(self, request: Request, when: Instants, asker: Asker) -> Decision:
        """Was it, or will it be, allowed at `valid_at`, on what was known at `known_at`?"""
        self._admit(asker, {request.institution})
        table, valid_at, known_at = await self._table(when)
        return decide(request, table, valid_at, known_at)

    async def explain(self, request: Request, when: Instants, asker: Asker) -> Explanation:
        """The decision, and every grant that came near with each condition that it failed."""
        self._admit(asker, {request.institution})
        table, valid_at, known_at = await self._table(when)
        return explain(request, table, valid_at, known_at)

    async def who_may(self, element: str, when: Instants, page_size: int, token: str) -> AccessPage:
        """Who may read a data element."""
        table, after, valid_at, known_at = await self._page(when, token)
        found = who_may(table, element, valid_at, known_at)
        return _cut(found, table, after, page_size)

    async def what_may(
        self, institution: str, when: Instants, page_size: int, token: str
    ) -> AccessPage:
        """What an institution may read."""
        table, after, valid_at, known_at = await self._page(when, token)
        found = what_may(table, institution, valid_at, known_at)
        return _cut(found, table, after, page_size)

    def _admit(self, asker: Asker, institutions: set[str]) -> None:
        """An institution and its officers ask for it; services, auditors and committee for any."""
        own = asker.institution
        if asker.person:
            self._persons.require()
            if self._persons.audits(asker.person):
                return
            own = self._persons.institution_of(asker.person) or ""
        elif not asker.institution:
            return
        if not own or institutions != {own}:
            raise CrossroadsError(
                Reason.CALLER_NOT_ALLOWED,
                "an institution and its security officer ask for itself; an auditor asks for any",
            )

    async def _table(self, when: Instants) -> tuple[GrantTable, datetime, datetime]:
        now = self._clock.now()
        valid_at = when.valid_at or now
        if when.known_at is None:
            self._current.require()
            return self._current.table, valid_at, self._current.recorded_at or now
        if when.known_at > now:
            raise invalid("known_at", "is in the future; nobody knows yet what will be known")
        return await self._past.at(when.known_at), valid_at, when.known_at

    async def _page(self, when: Instants, token: str) -> tuple[GrantTable, str, datetime, datetime]:
        """The table of this page and after which id it begins: a token names version and id."""
        table, valid_at, known_at = await self._table(when)
        if not token:
            return table, "", valid_at, known_at
        version, separator, after = token.partition("|")
        if not separator or not version.isascii() or not version.isdecimal() or len(version) > 18:
            raise _no_token()
        if int(version) != table.version:
            try:
                table = await self._past.version(int(version))
            except LookupError:
                raise _no_token() from None
        return table, after, valid_at, known_at


def _cut(found: Sequence[Access], table: GrantTable, after: str, page_size: int) -> AccessPage:
    size = page_size or DEFAULT_PAGE
    rest = [each for each in found if each.grant.id > after]
    more = f"{table.version}|{rest[size - 1].grant.id}" if len(rest) > size else ""
    return AccessPage(rest[:size], more, table)


def _no_token() -> CrossroadsError:
    return invalid("page_token", "is none of this list; leave it empty to begin again")
