"""The conditions of one grant, each by itself.

Contract: pure and total for aware instants; no condition looks at other grants.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from services.policy.model import Condition, DataPeriod, Grant, Period, Request

_LAST_DAY = date.max.toordinal()


def on_record(grant: Grant, known_at: datetime) -> bool:
    """Whether the row was on record at this instant."""
    if known_at < grant.recorded_from:
        return False
    return grant.recorded_until is None or known_at < grant.recorded_until


def in_force(grant: Grant, valid_at: datetime) -> bool:
    """Whether the row is in force at this instant of the world."""
    if valid_at < grant.valid_from:
        return False
    return grant.valid_until is None or valid_at < grant.valid_until


def limited(limits: DataPeriod) -> bool:
    """Whether the data period limits anything."""
    return limits.days_back is not None or limits.max_days is not None


def covered(limits: DataPeriod, asked: Period | None, valid_at: datetime) -> Period | None:
    """The part of the asked period that a limited data period covers, None if it covers none.

    Data may reach `days_back` days before the day (UTC) of `valid_at`. Of a longer question the
    last `max_days` days remain; one without an end counts to that day, or from its start if that
    comes later. A question without a period is one for all that is known, so that leaving the
    period out never widens it.
    """
    utc = valid_at if valid_at.tzinfo is UTC else valid_at.astimezone(UTC)
    today = utc.toordinal()
    start = 1 if asked is None else asked.start.toordinal()
    end = None if asked is None or asked.end is None else asked.end.toordinal()
    if limits.days_back is not None:
        start = max(start, today - limits.days_back)
    if limits.max_days is not None:
        if end is None:
            end = today + 1 if start <= today else start + limits.max_days
        start = max(start, end - limits.max_days)
    if asked is not None and limits.max_days is None and start == asked.start.toordinal():
        return asked
    if end is None or end > _LAST_DAY:
        return Period(date.fromordinal(start))
    return Period(date.fromordinal(start), date.fromordinal(end)) if start < end else None


def failures(grant: Grant, request: Request, valid_at: datetime) -> Iterator[Condition]:
    """Every condition that does not hold, in their order; service and prohibitions aside."""
    if grant.application and grant.application != request.application:
        yield Condition.APPLICATION
    if grant.service_version and grant.service_version != request.service_version:
        yield Condition.SERVICE_VERSION
    if request.way not in grant.ways:
        yield Condition.WAY
    if request.purpose != grant.purpose:
        yield Condition.PURPOSE
    if not in_force(grant, valid_at):
        yield Condition.IN_FORCE
    limits = grant.data_period
    if limited(limits) and covered(limits, request.period, valid_at) is None:
        yield Condition.DATA_PERIOD
    if request.elements and grant.elements.isdisjoint(request.elements):
        yield Condition.ELEMENTS


def holds(grant: Grant, request: Request, valid_at: datetime) -> bool:
    """Whether no condition up to IN_FORCE fails: one expression, because every exchange asks it."""
    return (
        request.purpose == grant.purpose
        and request.way in grant.ways
        and valid_at >= grant.valid_from
        and (grant.valid_until is None or valid_at < grant.valid_until)
        and (not grant.application or grant.application == request.application)
        and (not grant.service_version or grant.service_version == request.service_version)
    )


def prohibits(grant: Grant, request: Request, valid_at: datetime) -> bool:
    """Whether a prohibition applies to this request; what it leaves empty means any."""
    return (
        (not grant.application or grant.application == request.application)
        and (not grant.service_version or grant.service_version == request.service_version)
        and (not grant.ways or request.way in grant.ways)
        and (not grant.purpose or grant.purpose == request.purpose)
        and in_force(grant, valid_at)
    )
