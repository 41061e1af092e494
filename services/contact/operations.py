"""What is done with contacts: recorded, read.

Contract: a contact is recorded once for each (agent, request_id), and never changed. One that
refers to an exchange is recorded only if the log has that exchange; while the log does not answer,
none such is (LOG_UNAVAILABLE, retryable). Reading needs no log.
"""

from typing import Protocol
from uuid import UUID

from services.contact.model import (
    CheckKey,
    Contact,
    Content,
    Position,
    check_request_id,
    check_topic,
)
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, FieldViolation, Reason
from services.runtime.ids import Ids

DEFAULT_PAGE = 100


class Store(Protocol):
    """Where contacts are kept. All may raise STORE_UNAVAILABLE."""

    async def record(self, contact: Contact, request_id: str) -> Contact:
        """Keep a contact, unless its agent used that request_id before; what stands then."""
        ...

    async def requested(self, agent: str, request_id: str) -> Contact | None:
        """What that agent recorded under that request_id."""
        ...

    async def contact(self, contact_id: UUID) -> Contact | None:
        """The contact of that id."""
        ...

    async def about(self, exchange_id: bytes, after: Position | None, limit: int) -> list[Contact]:
        """Contacts that refer to an exchange, newest first (by recorded_at, then id)."""
        ...


class Log(Protocol):
    """The log."""

    async def has_exchange(self, exchange_id: bytes) -> bool:
        """Whether it has entries of that exchange. Raises LOG_UNAVAILABLE."""
        ...


class Contacts:
    """The use cases. An agent is the id of a person."""

    def __init__(
        self, *, store: Store, log: Log, well_formed: CheckKey, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._log = log
        self._well_formed = well_formed
        self._clock = clock
        self._ids = ids

    async def record(self, agent: str, request_id: str, content: Content) -> Contact:
        """Record a contact; a repeat gives the one that stands.

        Raises INVALID_ARGUMENT, NOT_FOUND (exchange), REQUEST_ID_REUSED, LOG_UNAVAILABLE.
        """
        check_request_id(request_id)
        check_topic(content.topic, self._well_formed)
        standing = await self._store.requested(agent, request_id)
        if standing is None:
            await self._check_exchange(content.exchange_id)
            contact = Contact(self._ids.uuid(), agent, self._clock.now(), content)
            standing = await self._store.record(contact, request_id)
        if standing.content != content:
            raise CrossroadsError(
                Reason.REQUEST_ID_REUSED,
                "this request_id recorded a contact with another content; give a new one",
                fields=[FieldViolation("request_id", "was used for another contact")],
            )
        return standing

    async def get(self, contact_id: UUID) -> Contact:
        """One contact. Raises NOT_FOUND."""
        contact = await self._store.contact(contact_id)
        if contact is None:
            raise CrossroadsError(
                Reason.NOT_FOUND,
                "there is no contact of this id; ListContacts names those of an exchange",
            )
        return contact

    async def about(
        self, exchange_id: bytes, page_size: int, page_token: str
    ) -> tuple[list[Contact], str]:
        """A page of the contacts that refer to an exchange, newest first, and the next one's token.

        `page_size` 0 means 100; the token is "" after the last page. Raises INVALID_ARGUMENT.
        """
        size = page_size or DEFAULT_PAGE
        found = await self._store.about(exchange_id, Position.read(page_token), size + 1)
        more = len(found) > size
        return found[:size], Position.of(found[size - 1]).token if more else ""

    async def _check_exchange(self, exchange_id: bytes) -> None:
        if exchange_id and not await self._log.has_exchange(exchange_id):
            raise CrossroadsError(
                Reason.NOT_FOUND,
                "contact.exchange_id: the log has no such exchange; take the id from its receipt",
                fields=[FieldViolation("contact.exchange_id", "is no exchange of the log")],
            )
