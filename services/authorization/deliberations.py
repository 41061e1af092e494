"""Deliberations: submitted by one person, published by another, neither of whom gains.

Contract: every act is durable in the log before anything of it is visible; without the log nothing
changes (LOG_UNAVAILABLE, retryable). One act at a time: the store's transaction holds the lock.
"""

import dataclasses
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.authorization.model import (
    Deliberation,
    Publication,
    PublishedGrant,
    State,
    digest,
    gaining,
)
from services.authorization.validation import Catalogue, validate
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason, invalid
from services.runtime.ids import Ids

DEFAULT_PAGE = 100
DEFAULT_GRANTS = 1000


class Transaction(Protocol):
    """One transaction that holds the lock; rolled back when its block raises."""

    async def deliberation(self, number: str) -> Deliberation | None:
        """A deliberation with all its grants."""
        ...

    async def submit(self, deliberation: Deliberation) -> None:
        """Record a new deliberation."""
        ...

    async def publish(self, deliberation: Deliberation, at: datetime, log_index: int) -> int:
        """Make its grants apply; the version of the table of grants that holds them."""
        ...

    async def grant(self, grant_id: str) -> PublishedGrant | None:
        """A published grant."""
        ...

    async def live(self, number: str) -> list[PublishedGrant]:
        """The rows of a deliberation that are on record."""
        ...

    async def suspended(self, number: str) -> list[PublishedGrant]:
        """The rows that a suspension took off the record."""
        ...

    async def unsuspend(self, grant_id: str) -> int:
        """Let a suspended row not come back; the version of the table, which stays."""
        ...

    async def end(
        self, grant: PublishedGrant, person: str, reason: str, at: datetime, log_index: int
    ) -> int:
        """End a grant; the version of the table of grants from which it no longer applies."""
        ...


class Store(Protocol):
    """Where deliberations are kept."""

    def exclusive(self) -> AbstractAsyncContextManager[Transaction]:
        """The one transaction that may change anything."""
        ...

    async def deliberation(
        self, number: str, version: int, after: int, limit: int
    ) -> Deliberation | None:
        """A version of a deliberation (0: the newest) with at most `limit` of its rows, those after
        the ordinal `after`."""
        ...

    async def published(self, before: tuple[str, str], limit: int) -> list[Deliberation]:
        """Published deliberations without grants, newest first, before (instant, number)."""
        ...


class Journal(Protocol):
    """The log. Each raises LOG_UNAVAILABLE where it can't be known that the entry is durable."""

    async def submitted(self, deliberation: Deliberation, act_id: bytes, digest: bytes) -> int:
        """Log a submission; its index."""
        ...

    async def published(self, deliberation: Deliberation, person: str, digest: bytes) -> int:
        """Log a publication; its index."""
        ...

    async def ended(self, act_id: bytes, grant: PublishedGrant, person: str, reason: str) -> int:
        """Log the end of a grant; its index."""
        ...


class Persons(Protocol):
    """What registry says of persons who act."""

    def institution_of(self, person: str) -> str | None:
        """Whom a person acts for; "" for the platform, None for a stranger."""
        ...

    def reads_drafts(self, person: str) -> bool:
        """Whether a person works on deliberations that are not published yet."""
        ...

    def require(self) -> None:
        """Raise LEASE_EXPIRED if what is known here may be out of date."""
        ...


class Deliberations:
    """The use cases around a deliberation."""

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

    async def submit(self, draft: Deliberation, person: str) -> None:
        """Record a deliberation for others to decide on."""
        self._check(draft, person)
        deliberation = dataclasses.replace(
            draft, submitted_by=person, submitted_at=self._clock.now(), act_id=self._ids.uuid()
        )
        async with self._store.exclusive() as tx:
            if await tx.deliberation(draft.number) is not None:
                raise CrossroadsError(
                    Reason.ALREADY_EXISTS, f"deliberation {draft.number} exists; give a new number"
                )
            act_id = self._ids.uuid().bytes
            await self._journal.submitted(deliberation, act_id, digest(deliberation.grants))
            await tx.submit(deliberation)

    async def publish(self, number: str, person: str) -> Publication:
        """Make a deliberation's grants apply."""
        async with self._store.exclusive() as tx:
            deliberation = _found(await tx.deliberation(number), number)
            if deliberation.state is not State.SUBMITTED:
                raise CrossroadsError(
                    Reason.FAILED_PRECONDITION, f"deliberation {number} is published already"
                )
            if person == deliberation.submitted_by:
                raise CrossroadsError(
                    Reason.SECOND_PERSON_REQUIRED,
                    "who submitted a deliberation does not publish it; another member must",
                )
            self._check(deliberation, person)
            self._refuse_gaining(deliberation, deliberation.submitted_by)
            index = await self._journal.published(deliberation, person, digest(deliberation.grants))
            decided = dataclasses.replace(deliberation, published_by=person)
            version = await tx.publish(decided, self._clock.now(), index)
        return Publication(version, index)

    async def get(
        self, number: str, page_size: int, token: str, *, reader: str | None, version: int = 0
    ) -> tuple[Deliberation, str]:
        """A deliberation with a page of its grants, and the token of the next page ("": none).
        A `version` other than 0 gives what that one said, and its rows only.

        One that is not published only for a `reader` (person id) who works on such.
        """
        after = _ordinal(token)
        size = page_size or DEFAULT_GRANTS
        found = await self._store.deliberation(number, version, after, size + 1)
        if found is not None and found.published_at is None:
            self._persons.require()
            if reader is None or not self._persons.reads_drafts(reader):
                found = None
        found = _found(found, number)
        shown = found.grants[:size]
        more = shown[-1].id.rpartition("#")[2] if len(found.grants) > size else ""
        return dataclasses.replace(found.standing(self._clock.now()), grants=shown), more

    async def list(self, page_size: int, token: str) -> tuple[list[Deliberation], str]:
        """Published deliberations without their grants, newest first, and the next page's token."""
        size = page_size or DEFAULT_PAGE
        found = await self._store.published(_position(token), size + 1)
        now = self._clock.now()
        shown = [each.standing(now) for each in found[:size]]
        if len(found) <= size:
            return shown, ""
        last = shown[-1]
        assert last.published_at is not None
        return shown, f"{last.published_at.isoformat()}|{last.number}"

    def _check(self, deliberation: Deliberation, person: str) -> None:
        self._persons.require()
        if deliberation.scope is None:
            raise invalid(
                "deliberation.scope",
                "is missing; say what the text allows, which no grant may go beyond",
            )
        validate(deliberation.grants, self._catalogue, deliberation.scope)
        self._refuse_gaining(deliberation, person)

    def _refuse_gaining(self, deliberation: Deliberation, person: str) -> None:
        """Neither of the two persons acts for an institution that gains (architecture, "Trust")."""
        institution = self._persons.institution_of(person)
        if institution is None or (institution and institution in gaining(deliberation.grants)):
            raise CrossroadsError(
                Reason.SECOND_PERSON_REQUIRED,
                "who submits or publishes must not act for an institution that gains; "
                "others must do so",
            )


def _found(deliberation: Deliberation | None, number: str) -> Deliberation:
    if deliberation is None:
        raise CrossroadsError(
            Reason.NOT_FOUND, f"no deliberation {number}; ListDeliberations names them"
        )
    return deliberation


def _ordinal(token: str) -> int:
    if not token:
        return 0
    if not token.isascii() or not token.isdecimal() or len(token) > 9:
        raise invalid("page_token", "is none of this list; leave it empty to begin again")
    return int(token)


def _position(token: str) -> tuple[str, str]:
    if not token:
        return ("infinity", "")
    at, separator, number = token.partition("|")
    try:
        datetime.fromisoformat(at)
    except ValueError:
        separator = ""
    if not separator:
        raise invalid("page_token", "is none of this list; leave it empty to begin again")
    return (at, number)
