"""The log's own acts: what the service itself writes down, through the same door as all others."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from services.logging.model import Acknowledgement, EntryId, NewEntry, Outcome
from services.proof import act as form
from services.proof.record import Kind


class Appender(Protocol):
    """The sequencer."""

    async def append(self, entries: Sequence[NewEntry]) -> list[Acknowledgement]:
        """Append entries; return when they are durable."""
        ...


class Journal:
    """Writes acts of this service."""

    def __init__(self, *, log: Appender) -> None:
        self._log = log

    async def act(
        self,
        act_id: bytes,
        what: str,
        *,
        by: Sequence[str],
        audit: Mapping[str, Any],
        subject: Mapping[str, Any] | None = None,
        subject_key: str = "",
    ) -> int:
        """Log an act (services/proof/act.py); its index once it is durable.

        `act_id` is 16 octets. The same act again finds itself. Raises LOG_UNAVAILABLE, OVERLOADED.
        """
        made = form.act(act_id, what, by=by, audit=audit, subject=subject, subject_key=subject_key)
        attempt = 1
        while True:
            (done,) = await self._log.append(
                [
                    NewEntry(
                        id=EntryId(made.id, Kind.ADMINISTRATIVE, attempt),
                        nonce=made.nonce,
                        party=made.party,
                        subject=made.subject,
                        audit=made.audit,
                        subject_key=subject_key,
                    )
                ]
            )
            if done.outcome is Outcome.APPENDED:
                return done.index
            attempt = done.last_attempt + 1
