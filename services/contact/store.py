"""Contacts in PostgreSQL. Rows are inserted and read, never changed."""

from uuid import UUID

from psycopg.rows import TupleRow

from services.contact.model import Channel, Contact, Content, Position
from services.runtime.postgres import Database

_CONTACT = "SELECT id, agent, recorded_at, channel, language, topic, exchange_id FROM contact"
_ABOUT = (
    f"{_CONTACT} WHERE exchange_id = %s AND (recorded_at, id) < (%s::timestamptz, %s)"
    " ORDER BY recorded_at DESC, id DESC LIMIT %s"
)


class ContactStore:
    """Rows of contact."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def record(self, contact: Contact, request_id: str) -> Contact:
        """Keep a contact, unless its agent used that request_id before; what stands then."""
        content = contact.content
        async with self._database.connection() as conn:
            inserted = await conn.execute(
                "INSERT INTO contact (id, agent, request_id, recorded_at, channel, language, topic,"
                " exchange_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (agent, request_id) DO NOTHING",
                (
                    contact.id,
                    contact.agent,
                    request_id,
                    contact.recorded_at,
                    content.channel,
                    content.language,
                    content.topic,
                    content.exchange_id or None,
                ),
            )
        if inserted.rowcount:
            return contact
        # Another call with the same request_id was first, and has committed: rows stay.
        standing = await self.requested(contact.agent, request_id)
        assert standing is not None
        return standing

    async def requested(self, agent: str, request_id: str) -> Contact | None:
        """What that agent recorded under that request_id."""
        async with self._database.connection() as conn:
            rows = await conn.execute(
                f"{_CONTACT} WHERE agent = %s AND request_id = %s".encode(), (agent, request_id)
            )
            return _first(await rows.fetchone())

    async def contact(self, contact_id: UUID) -> Contact | None:
        """The contact of that id."""
        async with self._database.connection() as conn:
            rows = await conn.execute(f"{_CONTACT} WHERE id = %s".encode(), (contact_id,))
            return _first(await rows.fetchone())

    async def about(self, exchange_id: bytes, after: Position | None, limit: int) -> list[Contact]:
        """Contacts that refer to an exchange, newest first (by recorded_at, then id)."""
        before = ("infinity", UUID(int=0)) if after is None else (after.recorded_at, after.id)
        async with self._database.connection() as conn:
            rows = await conn.execute(_ABOUT.encode(), (exchange_id, *before, limit))
            return [_contact(row) for row in await rows.fetchall()]


def _first(row: TupleRow | None) -> Contact | None:
    return None if row is None else _contact(row)


def _contact(row: TupleRow) -> Contact:
    content = Content(Channel(row[3]), row[4], row[5], bytes(row[6] or b""))
    return Contact(row[0], row[1], row[2], content)
