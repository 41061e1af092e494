"""What `crossroads authorization` shows: for people, and as JSON documents. Pure.

Contract: digests are hexadecimal, versions numbers; the rest of a message as protobuf's JSON.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import decision_service_pb2 as decisions
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from services.cli.logged import Logged, Replayed, Simulated

SHOWN_DIGEST = 16


def document(message: Message) -> dict[str, Any]:
    """A message as a JSON document."""
    shown: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    shown.pop("next_page_token", None)
    for name in ("table_version", "table_digest"):
        if name in shown:
            value = getattr(message, name)
            shown[name] = value.hex() if isinstance(value, bytes) else value
    return shown


def decision(taken: api.CheckResponse | decisions.Decision) -> str:
    """Whether, what, on which authority."""
    lines = [
        "permitted" if taken.permitted else f"refused: {taken.reason}",
        f"  data elements  {', '.join(taken.elements) or 'none'}",
        f"  deliberations  {', '.join(_authorities(taken)) or 'none'}",
        f"  table          version {taken.table_version}, {_short(taken.table_digest)}",
    ]
    return "\n".join(lines)


def explanation(told: decisions.ExplainResponse) -> str:
    """The decision, and what each grant that came near lacks."""
    lines = [decision(told.decision)]
    if told.near:
        lines.append("  came near, and what each lacks:")
    lines += [f"    {each.grant_id}  {', '.join(each.conditions)}" for each in told.near]
    if told.omitted:
        lines.append(f"    and {told.omitted} for other services")
    return "\n".join(lines)


def access(found: decisions.WhoMayResponse | decisions.WhatMayResponse) -> str:
    """A block for each row."""
    lines = [line for each in found.access for line in row(each.grant, each.prohibitions)]
    version = f"table version {found.table_version}, {_short(found.table_digest)}"
    return "\n".join([*(lines or ["nobody, and nothing"]), version])


def listed(found: Sequence[api.Deliberation]) -> str:
    """A line for each deliberation."""
    lines = [
        f"{each.number:<14} {_state(each):<10} {each.decided_on}  {_title(each)}" for each in found
    ]
    return "\n".join(lines) or "none is published yet"


def deliberation(one: api.Deliberation) -> str:
    """One deliberation with its grants."""
    held = [each for each in ("fr", "nl", "de") if getattr(one, f"text_{each}").strip()]
    lines = [
        f"{one.number}  {_title(one)}",
        f"  {_state(one)}, version {one.version}, decided on {one.decided_on}",
        f"  text in {', '.join(held) or 'no language here'}",
        f"  scope: {', '.join(one.scope.recipients)}; {', '.join(one.scope.purposes)}",
        *(line for grant in one.grants for line in row(grant)),
    ]
    return "\n".join(lines)


def findings(found: Sequence[life.Finding]) -> str:
    """A line for each thing that is odd."""
    lines = [f"grant {each.grant + 1}  {each.oddity}: {each.text}" for each in found]
    return "\n".join(lines) or "nothing is odd about it"


def replayed(done: Replayed) -> str:
    """How many came out the same, and what differs."""
    lines = [f"{done.decisions} decisions of {done.exchanges} exchanges taken again"]
    for logged, differences in done.different:
        lines.append(f"  entry {logged.index}: {_asked(logged)}")
        lines += [f"    {each}" for each in differences]
    lines.append(f"{len(done.different)} differ" if done.different else "all the same")
    lines.append(_read(done.log_indices))
    return "\n".join(lines)


def replayed_document(done: Replayed) -> dict[str, Any]:
    """The same as a JSON document."""
    return {
        "exchanges": done.exchanges,
        "decisions": done.decisions,
        "different": [
            {"index": logged.index, "exchange_id": logged.exchange_id, "differences": list(lines)}
            for logged, lines in done.different
        ],
        "log_indices": list(done.log_indices),
    }


def simulated(done: Simulated) -> str:
    """What would change."""
    lines = [
        f"of {done.exchanges} exchanges, with this draft in force:",
        f"  {done.newly_permitted} would be answered that are refused now",
        f"  {done.newly_refused} would be refused that are answered now",
        f"  {done.altered} would be answered otherwise",
        f"  {done.unchanged} would stay as they are",
    ]
    for each in done.changes:
        signs = [f"+{name}" for name in each.gained] + [f"-{name}" for name in each.lost]
        lines.append(f"  entry {each.logged.index}: {_asked(each.logged)}: {' '.join(signs)}")
    lines.append(_read(done.log_indices))
    return "\n".join(lines)


def simulated_document(done: Simulated) -> dict[str, Any]:
    """The same as a JSON document."""
    shown = asdict(done)
    shown["changes"] = [
        {
            "index": each.logged.index,
            "exchange_id": each.logged.exchange_id,
            "request": each.logged.request,
            "permitted_now": each.permitted_now,
            "permitted_then": each.permitted_then,
            "gained": list(each.gained),
            "lost": list(each.lost),
        }
        for each in done.changes
    ]
    return shown


def _authorities(taken: api.CheckResponse | decisions.Decision) -> Sequence[str]:
    if isinstance(taken, api.CheckResponse):
        return taken.deliberations
    return [each.deliberation for each in taken.permissions]


def row(grant: api.Grant, prohibitions: Sequence[str] = ()) -> Iterator[str]:
    """A grant with all its terms, a line for each kind."""
    kind = "may not have" if grant.prohibition else "may have"
    recipient = grant.group_name or grant.institution or "nobody"
    if grant.prohibition and not grant.institution and not grant.institutions:
        recipient = "everybody"
    if grant.application:
        recipient += f"/{grant.application}"
    yield f"{grant.id}  {recipient} {kind}"
    yield f"    {', '.join(grant.elements) or 'any data element'}"
    ways = ", ".join(api.Way.Name(way).removeprefix("WAY_").lower() for way in grant.ways)
    service, purpose = grant.service or "any service", grant.purpose or "any purpose"
    yield f"    {service}, {purpose}, {ways or 'any way'}"
    terms = _terms(grant)
    if terms:
        yield f"    {'; '.join(terms)}"
    period = "from publication on"
    if grant.HasField("valid_from"):
        period = f"from {grant.valid_from.ToDatetime(UTC):%Y-%m-%d}"
    if grant.HasField("valid_until"):
        period += f" until {grant.valid_until.ToDatetime(UTC):%Y-%m-%d}"
    if grant.HasField("recorded_until"):
        period += f", taken back on {grant.recorded_until.ToDatetime(UTC):%Y-%m-%d}"
    yield f"    {period}"
    if prohibitions:
        yield f"    less by {', '.join(prohibitions)}"


def _terms(grant: api.Grant) -> list[str]:
    """What narrows a grant further, and whether the integration check only flags."""
    terms = [
        f"known to {whom} as {', '.join(capacities) or 'any'}"
        + (f" in phase {', '.join(map(str, phases))}" if phases else "")
        for whom, capacities, phases in (
            ("it", grant.caller_capacities, grant.caller_phases),
            ("the source", grant.source_capacities, grant.source_phases),
        )
        if capacities or phases
    ]
    for limit, meaning in (
        (grant.data_days_back, "{} days back"),
        (grant.data_max_days, "{} days at once"),
        (grant.volume_per_day, "{} a day"),
    ):
        if limit:
            terms.append(meaning.format(limit))
    if not grant.blocking and not grant.prohibition:
        terms.append("answered even if not integrated")
    if grant.legal_basis:
        terms.append(grant.legal_basis)
    return terms


def _read(log_indices: Sequence[int]) -> str:
    """A reading of many pages is many entries: the first and the last name them."""
    first, last = min(log_indices), max(log_indices)
    count = len(log_indices)
    entries = f"entry {first}" if count == 1 else f"{count} entries from {first} to {last}"
    return f"this reading of the log is in it: {entries}"


def _asked(logged: Logged) -> str:
    asked = logged.request
    return f"{asked['institution']}/{asked['application']} {asked['service']} {asked['purpose']}"


def _state(one: api.Deliberation) -> str:
    return api.DeliberationState.Name(one.state).removeprefix("DELIBERATION_STATE_").lower()


def _title(one: api.Deliberation) -> str:
    return one.title_en or one.title_fr or one.title_nl or one.title_de


def _short(digest: bytes) -> str:
    return f"{digest.hex()[:SHOWN_DIGEST]}…"
