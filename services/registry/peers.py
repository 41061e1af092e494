"""The log, as registry's acts need it.

Contract: gives the index of a durable entry, or raises LOG_UNAVAILABLE. An entry that stands
already with the same content (an answer that was lost, a commit that failed) is not appended again.
"""

import hashlib
from collections.abc import Sequence

from crossroads.logging.v1 import logging_service_pb2 as logging
from services.proof import act as proof
from services.registry.model import Act
from services.runtime.channel import Channel
from services.runtime.journal import Journal

GENESIS_ID = hashlib.sha256(b"crossroads genesis").digest()[:16]
"""There is one genesis, so its entry has a fixed id: repeated, it finds itself."""


class LoggingJournal:
    """Appends registry's acts."""

    def __init__(self, *, channel: Channel) -> None:
        self._journal = Journal(channel=channel)

    async def genesis(self, administrators: Sequence[str], threshold: int) -> int:
        """Log the genesis; its index."""
        audit = {"administrators": list(administrators), "threshold": threshold}
        entry = proof.act(GENESIS_ID, "registry.genesis", by=["genesis"], audit=audit)
        return await self._journal.append(entry, logging.KIND_GENESIS)

    async def proposed(self, act: Act, digest: bytes) -> int:
        """Log a proposal; its index."""
        audit = {
            "act": str(act.id),
            "changes": len(act.changes),
            "digest": digest.hex(),
            "reason": act.reason,
        }
        entry = proof.act(_part(act, "propose"), "registry.propose", by=[act.proposer], audit=audit)
        return await self._journal.append(entry)

    async def approved(self, act: Act, person: str) -> int:
        """Log an approval; its index."""
        audit = {"act": str(act.id)}
        entry = proof.act(_part(act, person), "registry.approve", by=[person], audit=audit)
        return await self._journal.append(entry)

    async def applied(self, act: Act, digest: bytes, counted: Sequence[str]) -> int:
        """Log an act that is about to be applied; its index."""
        audit = {
            "act": str(act.id),
            "approvers": list(act.approvers),
            "changes": len(act.changes),
            "digest": digest.hex(),
            "proposer": act.proposer,
            "reason": act.reason,
        }
        entry = proof.act(act.id.bytes, "registry.act", by=counted, audit=audit)
        return await self._journal.append(entry, logging.KIND_ADMINISTRATIVE)


def _part(act: Act, what: str) -> bytes:
    """The id of an entry about an act that is not yet applied: 16 octets."""
    return hashlib.sha256(act.id.bytes + what.encode()).digest()[:16]
