"""How a decision reaches the table of grants: publication, amendment, suspension, withdrawal.

Contract: each function logs first and then makes one version of the table, as the last act of the
caller's transaction. What is taken back is taken off the record from that version on (so that no
clock but the table's version matters); what is replaced at a later instant stays until then.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from services.authorization.model import (
    Deliberation,
    Grant,
    Publication,
    PublishedGrant,
    State,
    digest,
)


class Row(NamedTuple):
    """A row to add: of which version of its deliberation, and which row it follows ("": none)."""

    grant: PublishedGrant
    version: int
    follows: str = ""


class Alteration(NamedTuple):
    """What happens to a published deliberation: rows with the ids `ending` end, others begin, its
    state is this."""

    number: str
    person: str
    reason: str
    opening: Sequence[Row]
    state: State
    ending: frozenset[str] = frozenset()


class PublishingTransaction(Protocol):
    """What publishing needs of the transaction that holds the lock."""

    async def deliberation(self, number: str) -> Deliberation | None:
        """A deliberation with all its grants."""
        ...

    async def submit(self, deliberation: Deliberation) -> None:
        """Record a new deliberation."""
        ...

    async def publish(self, deliberation: Deliberation, at: datetime, log_index: int) -> int:
        """Make its grants apply; the version of the table of grants that holds them."""
        ...

    async def live(self, number: str) -> list[PublishedGrant]:
        """The rows of a deliberation that are on record."""
        ...

    async def suspended(self, number: str) -> list[PublishedGrant]:
        """The rows that its suspension took off the record."""
        ...

    async def last_row(self, number: str) -> int:
        """The highest ordinal of its rows."""
        ...

    async def amend(self, deliberation: Deliberation, at: datetime, log_index: int) -> None:
        """Put a new version in the place of the old one, which stays readable."""
        ...

    async def propose_lift(self, number: str, person: str) -> None:
        """Note who proposed that the suspension be lifted."""
        ...

    async def lift_proposed_by(self, number: str) -> str:
        """Who proposed it; "" for nobody."""
        ...

    async def alter(self, alteration: Alteration, at: datetime, log_index: int) -> int:
        """Make it so; the version of the table of grants after it."""
        ...


class PublishingJournal(Protocol):
    """The log. Each raises LOG_UNAVAILABLE where it can't be known that the entry is durable."""

    async def published(self, deliberation: Deliberation, person: str, digest: bytes) -> int:
        """Log a publication; its index."""
        ...

    async def altered(self, act_id: bytes, what: str, alteration: Alteration) -> int:
        """Log what happens to a published deliberation ("suspend", say); its index."""
        ...


async def enact(
    tx: PublishingTransaction,
    journal: PublishingJournal,
    deliberation: Deliberation,
    now: datetime,
) -> Publication:
    """Publish a deliberation that has its number: a new one, or a new version of one."""
    index = await journal.published(
        deliberation, deliberation.published_by, digest(deliberation.grants)
    )
    if deliberation.version == 1:
        await tx.submit(deliberation)
        return Publication(await tx.publish(deliberation, now, index), index)
    number = deliberation.number
    opening = [Row(_published(grant, deliberation), deliberation.version)
               for grant in deliberation.grants]  # fmt: skip
    entry = deliberation.enters_into_force or now
    last = await tx.last_row(number) + len(opening)
    live = await tx.live(number)
    for old in live:
        start = old.grant.valid_from
        if entry > now and start is not None and start < entry:
            last += 1
            opening.append(
                Row(
                    dataclasses.replace(old, grant=_until(old.grant, entry, f"{number}#{last}")),
                    deliberation.version - 1,
                    old.grant.id,
                )
            )
    await tx.amend(deliberation, now, index)
    ending = frozenset(row.grant.id for row in live)
    alteration = Alteration(
        number, deliberation.published_by, "amended", opening, State.PUBLISHED, ending
    )
    return Publication(await tx.alter(alteration, now, index), index)


async def reopening(tx: PublishingTransaction, number: str, now: datetime) -> list[Row]:
    """The rows by which a suspended deliberation applies again, not before `now`."""
    found = await tx.deliberation(number)
    version = 1 if found is None else found.version
    last = await tx.last_row(number)
    rows = []
    for old in await tx.suspended(number):
        until = old.grant.valid_until
        if until is None or until > now:
            last += 1
            again = dataclasses.replace(
                old.grant,
                id=f"{number}#{last}",
                valid_from=max(old.grant.valid_from or now, now),
                recorded_from=None,
                recorded_until=None,
            )
            rows.append(Row(dataclasses.replace(old, grant=again), version, old.grant.id))
    return rows


def _published(grant: Grant, deliberation: Deliberation) -> PublishedGrant:
    return PublishedGrant(
        grant, deliberation.number, deliberation.submitted_by, deliberation.published_by
    )


def _until(grant: Grant, entry: datetime, row_id: str) -> Grant:
    """The same row until the amendment enters into force."""
    until = entry if grant.valid_until is None else min(grant.valid_until, entry)
    return dataclasses.replace(
        grant, id=row_id, valid_until=until, recorded_from=None, recorded_until=None
    )
