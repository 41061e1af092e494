"""Logged decisions taken again. Reads `request` and `decision` of the audit sections that
services/routing/records.py writes; the rest of a section names a person, and is refused here.

Contract: a decision is taken on the version of the table that it names, for the instants that it
names, from the request that it was about. It is the same if its canonical JSON is, digest of the
table included: a table that was changed behind its version shows.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from services.authorization.decisions import Past
from services.policy.decide import decide
from services.policy.model import Request
from services.runtime.errors import CrossroadsError, invalid


class Logged(NamedTuple):
    """What the log says of one decision."""

    request: Request
    decision: Mapping[str, Any]

    @property
    def version(self) -> int:
        """The version of the table that it was taken on."""
        return int(self.decision["table_version"])

    @property
    def valid_at(self) -> datetime:
        """The instant of the world that it was taken for."""
        return datetime.fromisoformat(self.decision["valid_at"])

    @property
    def known_at(self) -> datetime:
        """The instant of knowledge that it was taken on."""
        return datetime.fromisoformat(self.decision["known_at"])


class Replayed(NamedTuple):
    """One decision taken again: no difference means the same, byte for byte."""

    differences: tuple[str, ...]


def read(audits: Sequence[bytes]) -> list[Logged]:
    """The decisions in these parts of audit sections. INVALID_ARGUMENT names the first with none.

    A section without a decision is that of a refusal before it was taken, or of no exchange at all.
    """
    return [_read(place, audit) for place, audit in enumerate(audits)]


async def replay(logged: Sequence[Logged], past: Past) -> list[Replayed]:
    """Each taken again, in the same order."""
    return [await _again(each, past) for each in logged]


async def _again(logged: Logged, past: Past) -> Replayed:
    try:
        table = await past.version(logged.version)
    except LookupError:
        return Replayed((f"table_version: {logged.version} was never committed",))
    decision = decide(logged.request, table, logged.valid_at, logged.known_at).canonical()
    differing = sorted(decision.keys() | logged.decision.keys())
    return Replayed(
        tuple(
            f"{name}: logged {_text(logged.decision, name)}, now {_text(decision, name)}"
            for name in differing
            if _text(decision, name) != _text(logged.decision, name)
        )
    )


def _read(place: int, audit: bytes) -> Logged:
    try:
        section = json.loads(audit)
        if section.keys() != {"decision", "request"}:
            raise _refused(place)
        logged = Logged(Request.of(section["request"]), section["decision"])
        usable = 0 <= logged.version < 2**63 and None not in (
            logged.valid_at.tzinfo,
            logged.known_at.tzinfo,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        usable = False
    if not usable:
        raise _refused(place)
    return logged


def _refused(place: int) -> CrossroadsError:
    return invalid(
        f"audits[{place}]",
        "give `request` and `decision` of an audit section that holds both, and nothing else of it",
    )


def _text(decision: Mapping[str, Any], name: str) -> str:
    if name not in decision:
        return "nothing"
    return json.dumps(decision[name], sort_keys=True, ensure_ascii=False)
