"""Grants as Cedar policies, and questions as Cedar requests: a second opinion on every decision.

Contract: `policies(rows, known_at)` is a policy set that permits or forbids each data element by
itself, `entities(rows)` says which institutions belong to which groups, `requests(...)` asks about
each element of one question. Cedar (docs.cedarpolicy.com) denies by default, and a forbid wins.
What a decision says beyond yes and no (periods, capacities, reasons) has no place there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.policy.model import Grant, Request

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def policies(rows: Iterable[Grant]) -> str:
    """The policy set; the id of each policy is that of its row."""
    return "\n".join(map(_policy, rows))


def entities(rows: Iterable[Grant]) -> str:
    """The members of each group, as JSON."""
    groups: dict[str, set[str]] = {}
    for row in rows:
        for member in row.institutions:
            groups.setdefault(member, set()).add(group(row))
    return json.dumps(
        [
            {
                "uid": {"type": "Institution", "id": member},
                "attrs": {},
                "parents": [{"type": "Group", "id": each} for each in sorted(parents)],
            }
            for member, parents in groups.items()
        ]
    )


def group(row: Grant) -> str:
    """The name of the group whose members this row names: what makes it up."""
    return ",".join(sorted(row.institutions))


def requests(
    request: Request, elements: Sequence[str], valid_at: datetime, known_at: datetime
) -> list[dict[str, Any]]:
    """One Cedar request for each of these elements."""
    context: dict[str, Any] = {
        "application": request.application,
        "service_version": request.service_version,
        "way": request.way.value,
        "purpose": request.purpose,
        "valid_at": _instant(valid_at),
        "known_at": _instant(known_at),
        "today": valid_at.astimezone(UTC).toordinal(),
    }
    if request.period is not None and request.period.end is not None:
        context["period_end"] = request.period.end.toordinal()
    return [
        {
            "principal": {"type": "Institution", "id": request.institution},
            "action": {"type": "Action", "id": request.service},
            "resource": {"type": "Element", "id": element},
            "context": context,
        }
        for element in elements
    ]


def _policy(row: Grant) -> str:
    effect = "forbid" if row.prohibition else "permit"
    head = ", ".join((_principal(row), _is("action", "Action", row.service), "resource"))
    conditions = " && ".join(_conditions(row))
    return f"@id({_text(row.id)})\n{effect} ({head}) when {{ {conditions} }};"


def _principal(row: Grant) -> str:
    if row.institutions:
        return f"principal in Group::{_text(group(row))}"
    return _is("principal", "Institution", row.institution)


def _is(what: str, kind: str, name: str) -> str:
    return f"{what} == {kind}::{_text(name)}" if name else what


def _conditions(row: Grant) -> Iterable[str]:
    yield from _between("known_at", row.recorded_from, row.recorded_until)
    yield from _between("valid_at", row.valid_from, row.valid_until)
    if row.elements:
        names = ", ".join(f"Element::{_text(each)}" for each in sorted(row.elements))
        yield f"[{names}].contains(resource)"
    if row.application:
        yield f"context.application == {_text(row.application)}"
    if row.service_version:
        yield f"context.service_version == {row.service_version}"
    if row.purpose:
        yield f"context.purpose == {_text(row.purpose)}"
    if row.ways:
        yield f"[{', '.join(_text(each.value) for each in sorted(row.ways))}].contains(context.way)"
    if not row.prohibition and row.data_period.days_back is not None:
        # A longest span never leaves nothing; reaching back too far does, of a period that ended.
        reach = f"context.today - {row.data_period.days_back} < context.period_end"
        yield f"(!(context has period_end) || {reach})"


def _between(name: str, start: datetime, end: datetime | None) -> Iterable[str]:
    yield f"context.{name} >= {_instant(start)}"
    if end is not None:
        yield f"context.{name} < {_instant(end)}"


def _instant(at: datetime) -> int:
    """Microseconds since 1970; Cedar's long holds them."""
    return (at - EPOCH) // _MICROSECOND


def _text(value: str) -> str:
    """A Cedar string literal; its escapes are those of JSON for what names consist of."""
    return json.dumps(value, ensure_ascii=False)
