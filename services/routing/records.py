"""What an exchange leaves in the log: the three sections of each entry, as canonical JSON.

Contract: pure. `party` is what the caller may show (its exchange, never the subject), `subject`
what the citizen may see, `audit` what auditors need to take the decision again. No section holds a
value of a data element; the payload is there as a salted hash with its salt beside it.

party    application, attempt, deliberations, elements, exchange_id, institution, kind,
         not_integrated, purpose, reason, request_id, service, sources, ticket, version
subject  elements, institution, kind, purpose, service, subject
audit    admission, asked_subject, decision, integrated, payload, request, tables, trace_id,
         valid_at

`request` is policy's, without the subject; `decision` is null where none was taken. With the table
of grants at `decision.table_version` they are all that taking it again needs.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from services.policy.model import Decision, Request, instant
from services.proof.record import Kind, canonical_json
from services.routing.model import Admission, Answer, Asked, Caller, Outcome, Question

JSON = dict[str, Any]
OUTCOMES = {Outcome.ANSWERED: "answered", Outcome.NOTHING: "nothing", Outcome.FAILED: "failed"}
KINDS = {Kind.REQUEST: "request", Kind.RELEASE: "release", Kind.REFUSAL: "refusal"}


class Entry(NamedTuple):
    """An entry for the log. `deadline`: when a request's outcome is due."""

    exchange_id: bytes
    kind: Kind
    attempt: int
    party: bytes
    subject: bytes
    audit: bytes
    subject_key: str = ""
    question_mac: bytes = b""
    deadline: datetime | None = None
    receipt: bool = False


class Ground(NamedTuple):
    """On what an exchange rests: kept while it goes on, for each of its entries."""

    caller: Caller
    question: Question
    exchange_id: bytes
    subject: str
    """The current key of the subject."""
    trace_id: str
    tables: Mapping[str, tuple[int, bytes]]
    """Version and digest of each table that was used."""


def request_entry(
    ground: Ground,
    request: Request,
    decision: Decision,
    admission: Admission,
    *,
    attempt: int,
    question_mac: bytes,
    deadline: datetime,
    salt: bytes,
) -> Entry:
    """Before the source is asked."""
    party = _party(ground, Kind.REQUEST, attempt, admission.elements)
    party["sources"] = [{"source": _name(each.source)} for each in admission.asked]
    audit = _audit(ground, request, decision)
    audit["admission"] = _admission(admission)
    audit["payload"] = _payload((ground.question.payload,), salt)
    return Entry(
        ground.exchange_id,
        Kind.REQUEST,
        attempt,
        canonical_json(party),
        canonical_json(_subject(ground, Kind.REQUEST, admission.elements)),
        canonical_json(audit),
        ground.subject,
        question_mac,
        deadline,
    )


def release_entry(
    ground: Ground,
    request: Request,
    decision: Decision,
    admission: Admission,
    *,
    attempt: int,
    answers: Sequence[Answer],
    salt: bytes,
) -> Entry:
    """Before the answer is given."""
    party = _party(ground, Kind.RELEASE, attempt, admission.elements)
    party["deliberations"] = list(admission.deliberations)
    party["not_integrated"] = admission.not_integrated
    party["sources"] = [
        {"outcome": OUTCOMES[each.outcome], "source": _name(each.source)} for each in answers
    ]
    audit = _audit(ground, request, decision)
    audit["admission"] = _admission(admission)
    audit["payload"] = _payload((each.payload for each in answers), salt)
    return Entry(
        ground.exchange_id,
        Kind.RELEASE,
        attempt,
        canonical_json(party),
        canonical_json(_subject(ground, Kind.RELEASE, admission.elements)),
        canonical_json(audit),
        ground.subject,
        receipt=True,
    )


def refusal_entry(
    ground: Ground,
    request: Request,
    decision: Decision | None,
    *,
    attempt: int,
    reason: str,
    integrated: Mapping[str, bool],
) -> Entry:
    """Before a refusal is given. `integrated`: who knows the subject, where that was looked up."""
    elements = sorted(ground.question.elements)
    party = _party(ground, Kind.REFUSAL, attempt, elements)
    party["reason"] = reason
    audit = _audit(ground, request, decision)
    audit["integrated"] = dict(integrated)
    return Entry(
        ground.exchange_id,
        Kind.REFUSAL,
        attempt,
        canonical_json(party),
        canonical_json(_subject(ground, Kind.REFUSAL, elements)),
        canonical_json(audit),
        ground.subject,
    )


def _party(ground: Ground, kind: Kind, attempt: int, elements: Iterable[str]) -> JSON:
    question = ground.question
    return {
        "application": ground.caller.application,
        "attempt": attempt,
        "elements": list(elements),
        "exchange_id": ground.exchange_id.hex(),
        "institution": ground.caller.institution,
        "kind": KINDS[kind],
        "purpose": question.purpose,
        "request_id": question.request_id,
        "service": question.service,
        "ticket": question.ticket,
        "version": question.version,
    }


def _subject(ground: Ground, kind: Kind, elements: Iterable[str]) -> JSON:
    return {
        "elements": list(elements),
        "institution": ground.caller.institution,
        "kind": KINDS[kind],
        "purpose": ground.question.purpose,
        "service": ground.question.service,
        "subject": ground.subject,
    }


def _audit(ground: Ground, request: Request, decision: Decision | None) -> JSON:
    return {
        "asked_subject": ground.question.subject,
        "decision": None if decision is None else decision.canonical(),
        "request": request.canonical(),
        "tables": {
            name: {"digest": digest.hex(), "version": version}
            for name, (version, digest) in ground.tables.items()
        },
        "trace_id": ground.trace_id,
        "valid_at": None if decision is None else instant(decision.valid_at),
    }


def _admission(admission: Admission) -> JSON:
    period = admission.period
    return {
        "asked": [_asked(each) for each in admission.asked],
        "grants": list(admission.grants),
        "not_integrated": admission.not_integrated,
        "period": None if period is None else period.canonical(),
    }


def _asked(asked: Asked) -> JSON:
    return {"elements": sorted(asked.elements), "source": _name(asked.source)}


def _payload(payloads: Iterable[bytes], salt: bytes) -> JSON:
    digest = hashlib.sha256(salt)
    for each in payloads:
        digest.update(len(each).to_bytes(8, "big"))
        digest.update(each)
    return {"salt": salt.hex(), "sha256": digest.hexdigest()}


def _name(caller: Caller) -> str:
    return f"{caller.institution}/{caller.application}"
