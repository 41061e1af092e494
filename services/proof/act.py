"""The sections of an administrative act in the log: who did what, to whom, and on which grounds.

party:   {"act": what was done, "by": the persons or the institution that did it}
subject: {} or, where the act is about one person, what says about whom; the only section that may
         hold a key
audit:   what the act names: reason, ids, digests

Contract: the same act gives the same bytes and the same nonce, so that an act that is repeated
after an answer was lost is recognised as the one that stands in the log already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from services.proof.record import canonical_json

NONCE_SIZE = 8


@dataclass(frozen=True, slots=True)
class Act:
    """An act ready for the log. `id`: the 16 bytes that its entry is found by."""

    id: bytes
    party: bytes
    subject: bytes
    audit: bytes
    subject_key: str = ""

    @property
    def nonce(self) -> bytes:
        """8 bytes that stand for the content."""
        hashes = (sha256(part).digest() for part in (self.party, self.subject, self.audit))
        return sha256(b"".join(hashes)).digest()[:NONCE_SIZE]


def act(
    act_id: bytes,
    what: str,
    *,
    by: Sequence[str],
    audit: Mapping[str, Any],
    subject: Mapping[str, Any] | None = None,
    subject_key: str = "",
) -> Act:
    """The act `what` ("registry.apply", say); ValueError if a section holds what it may not."""
    return Act(
        act_id,
        canonical_json({"act": what, "by": list(by)}),
        canonical_json(dict(subject or {})),
        canonical_json(dict(audit)),
        subject_key,
    )
