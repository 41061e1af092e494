"""Entries as routing makes them for an exchange, ready to be sent: half requests, half releases.

Contract: sizes and sections are those of the demo's exchange (services/routing/records.py); every
entry has its own exchange, nonce and person. Persons are synthetic numbers that exist nowhere.
"""

import os
import time
from collections.abc import Iterator
from typing import Any

from crossroads.logging.v1 import logging_service_pb2 as api
from services.proof.record import Kind, canonical_json

PERSONS = 100_000
"""How many different persons the entries are about."""

DUE_SECONDS = 10
_EXCHANGE, _PERSON = "e" * 32, "p" * 11
_DIGEST = "0123456789abcdef" * 4
_ELEMENTS = [f"employment.period.{name}" for name in ("employer", "from", "share", "until", "work")]


def person(number: int) -> str:
    """A key for person `number`, in the length of a national number."""
    return f"{number % PERSONS:011d}"


class Template:
    """The three sections of one kind, to be filled in with an exchange and a person."""

    def __init__(self, kind: Kind) -> None:
        self.kind = int(kind)
        self._sections = [canonical_json(each) for each in _sections(kind)]

    def fill(self, exchange: bytes, subject: str) -> tuple[bytes, bytes, bytes]:
        """Party, subject and audit of one entry."""
        one, other = exchange.hex().encode(), subject.encode()
        party, about, audit = (
            each.replace(_EXCHANGE.encode(), one).replace(_PERSON.encode(), other)
            for each in self._sections
        )
        return party, about, audit


def entries(first: int, count: int) -> Iterator[api.Entry]:
    """`count` entries: each exchange's request, then its release with a receipt."""
    exchange = b""
    for number in range(first, first + count):
        if number % 2 == 0:
            exchange = os.urandom(16)
        yield _entry(REQUEST if number % 2 == 0 else RELEASE, exchange, person(number // 2))


def messages(first: int, count: int, together: int) -> list[bytes]:
    """The same as messages of AppendStream with `together` entries each, serialized."""
    made = list(entries(first, count))
    return [
        api.AppendStreamRequest(
            batch=1 + at // together, entries=made[at : at + together]
        ).SerializeToString()
        for at in range(0, count, together)
    ]


def _entry(template: Template, exchange: bytes, subject: str) -> api.Entry:
    party, about, audit = template.fill(exchange, subject)
    asks = template.kind == Kind.REQUEST
    entry = api.Entry(
        exchange_id=exchange,
        kind=api.Kind.ValueType(template.kind),
        attempt=1,
        nonce=os.urandom(8),
        question_mac=bytes(32) if asks else b"",
        party=party,
        subject=about,
        audit=audit,
        subject_key=subject,
        receipt=not asks,
    )
    if asks:
        entry.deadline.FromSeconds(int(time.time()) + DUE_SECONDS)
    return entry


def _sections(kind: Kind) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    what = kind.name.lower()
    common = {
        "elements": _ELEMENTS,
        "institution": "capac",
        "kind": what,
        "purpose": "unemployment/benefit",
        "service": "employment.periods",
    }
    source: dict[str, Any] = {"source": "onss/dmfa"}
    party = common | {
        "application": "benefits",
        "attempt": 1,
        "exchange_id": _EXCHANGE,
        "request_id": "bench-0000000",
        "ticket": "",
        "version": 1,
        "sources": [source | {"outcome": "answered"} if kind is Kind.RELEASE else source],
    }
    if kind is Kind.RELEASE:
        party |= {"deliberations": ["18/184", "20/031"], "not_integrated": False}
    return party, common | {"subject": _PERSON}, _audit()


def _audit() -> dict[str, Any]:
    period = {"from": "2026-01-01", "until": "2026-09-30"}
    tables = ("grants", "services", "integration", "replacements")
    return {
        "admission": {
            "asked": [{"elements": _ELEMENTS, "source": "onss/dmfa"}],
            "grants": ["18/184/1", "20/031/3"],
            "not_integrated": False,
            "period": period,
        },
        "asked_subject": _PERSON,
        "decision": {
            "elements": _ELEMENTS,
            "grants": ["18/184/1", "20/031/3"],
            "outcome": "permit",
            "period": period,
            "table_digest": _DIGEST,
            "table_version": 42,
        },
        "payload": {"salt": _DIGEST[:32], "sha256": _DIGEST},
        "request": {
            "application": "benefits",
            "elements": _ELEMENTS,
            "institution": "capac",
            "period": period,
            "purpose": "unemployment/benefit",
            "service": "employment.periods",
            "version": 1,
        },
        "tables": {name: {"digest": _DIGEST, "version": 42} for name in tables},
        "trace_id": _DIGEST[:32],
        "valid_at": "2026-11-25T10:00:00Z",
    }


REQUEST, RELEASE = Template(Kind.REQUEST), Template(Kind.RELEASE)
