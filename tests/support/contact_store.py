"""The store of contacts in memory: what unit tests run on, held to PostgreSQL's contract."""

from datetime import datetime
from uuid import UUID

from services.contact.model import Contact, Position


class MemoryContactStore:
    """Contacts in the order in which they were recorded."""

    def __init__(self) -> None:
        self.contacts: dict[tuple[str, str], Contact] = {}

    async def record(self, contact: Contact, request_id: str) -> Contact:
        """Keep a contact, or give what stands."""
        return self.contacts.setdefault((contact.agent, request_id), contact)

    async def requested(self, agent: str, request_id: str) -> Contact | None:
        """What was recorded under that request_id."""
        return self.contacts.get((agent, request_id))

    async def contact(self, contact_id: UUID) -> Contact | None:
        """By id."""
        return next((each for each in self.contacts.values() if each.id == contact_id), None)

    async def about(self, exchange_id: bytes, after: Position | None, limit: int) -> list[Contact]:
        """Of an exchange, newest first."""
        found = sorted(
            (each for each in self.contacts.values() if each.content.exchange_id == exchange_id),
            key=_place,
            reverse=True,
        )
        if after is not None:
            found = [each for each in found if _place(each) < (after.recorded_at, after.id)]
        return found[:limit]


def _place(contact: Contact) -> tuple[datetime, UUID]:
    return contact.recorded_at, contact.id
