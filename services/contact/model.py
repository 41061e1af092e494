"""Contacts, and what may stand in one. Pure.

A topic is a few words on one line and holds no key of a person: who the contact was about shows
only in the exchange that it refers to. Instants are aware and in UTC.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.runtime.errors import invalid

CheckKey = Callable[[str], bool]

_ELEVEN_DIGITS = re.compile(r"(?<!\d)(?=(\d(?:[ ./-]{0,2}\d){10})(?!\d))", re.ASCII)
_SEPARATORS = re.compile(r"[ ./-]")


class Channel(StrEnum):
    """How somebody reached the centre."""

    PHONE = "PHONE"
    MAIL = "MAIL"
    PORTAL = "PORTAL"
    LETTER = "LETTER"
    COUNTER = "COUNTER"


@dataclass(frozen=True)
class Content:
    """What an agent says of a contact. `exchange_id` is 16 bytes, or empty."""

    channel: Channel
    language: str
    topic: str
    exchange_id: bytes = b""


@dataclass(frozen=True)
class Contact:
    """A contact that was recorded. `agent` is the id of the person who recorded it."""

    id: UUID
    agent: str
    recorded_at: datetime
    content: Content


@dataclass(frozen=True)
class Position:
    """Where a page ended: the contact that was its last."""

    recorded_at: datetime
    id: UUID

    @classmethod
    def of(cls, contact: Contact) -> "Position":
        """The position of a contact."""
        return cls(contact.recorded_at, contact.id)

    @property
    def token(self) -> str:
        """As a page_token."""
        return f"{self.recorded_at.isoformat()}|{self.id}"

    @classmethod
    def read(cls, token: str) -> "Position | None":
        """The position in a page_token, None for an empty one. Raises INVALID_ARGUMENT."""
        if not token:
            return None
        at, _, contact = token.partition("|")
        try:
            position = cls(datetime.fromisoformat(at), UUID(contact))
        except ValueError:
            position = None
        if position is None or position.token != token or position.recorded_at.tzinfo is None:
            raise invalid("page_token", "is none of this list; leave it empty to begin again")
        return position


def check_topic(topic: str, well_formed: CheckKey) -> None:
    """Raise INVALID_ARGUMENT for a topic of several lines, or with the key of a person."""
    if not topic.isprintable():
        raise invalid("contact.topic", "must be one line, without control characters")
    for found in _ELEVEN_DIGITS.finditer(topic):
        if well_formed(_SEPARATORS.sub("", found[1])):
            raise invalid(
                "contact.topic", "must not hold the key of a person; refer to an exchange instead"
            )


def check_request_id(request_id: str) -> None:
    """Raise INVALID_ARGUMENT for one that can't be kept."""
    if not request_id.isprintable():
        raise invalid("request_id", "must be without control characters")
