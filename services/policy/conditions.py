"""The conditions of one row, each by itself.

Contract: pure and total for aware instants; no condition looks at other rows.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from services.policy.model import Condition, DataPeriod, Grant, Period, Request

_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal()
_A_DAY = timedelta(days=1)


def on_record(grant: Grant, known_at: datetime) -> bool:
    """Whether the row was on record at this instant."""
    until = grant.recorded_until
    return grant.recorded_from <= known_at and (until is None or known_at < until)


def in_force(grant: Grant, valid_at: datetime) -> bool:
    """Whether the row is in force at this instant of the world."""
    until = grant.valid_until
    return grant.valid_from <= valid_at and (until is None or valid_at < until)


def day(at: datetime) -> int:
    """The calendar day (UTC) of an instant as its proleptic ordinal; 1 January of year 1 is 1.

    Counted and not converted: `astimezone` fails within a day of the first and the last instant.
    """
    if at.tzinfo is UTC:
        return at.toordinal()
    time = timedelta(0, at.hour * 3600 + at.minute * 60 + at.second, at.microsecond)
    return at.toordinal() + (time - (at.utcoffset() or timedelta())) // _A_DAY


def covered(limits: DataPeriod, asked: Period | None, today: int) -> Period | None:
    """The part of the asked period that a limited data period covers, None if it covers none.

    Data may reach `days_back` days before `today` (an ordinal). Of a longer question the last
    `max_days` days remain; one without an end counts to that day, or from its start if that comes
    later. A question without a period is one for all that is known, so that leaving the period out
    never widens it.
    """
    start, end = _days(limits, asked, today)
    if end is not None and start >= end:
        return None
    if asked is not None and limits.max_days is None and start == asked.start.toordinal():
        return asked
    if end is None or end > _LAST_DAY:
        return Period(date.fromordinal(start))
    return Period(date.fromordinal(start), date.fromordinal(end))


def _days(limits: DataPeriod, asked: Period | None, today: int) -> tuple[int, int | None]:
    """The first day that is covered and the day after the last; no day when they cross."""
    back, most = limits.days_back, limits.max_days
    start = _FIRST_DAY if asked is None else asked.start.toordinal()
    end = None if asked is None or asked.end is None else asked.end.toordinal()
    if back is not None:
        start = max(start, today - back)
    if most is not None:
        if end is None:
            end = today + 1 if start <= today else start + most
        start = max(start, end - most)
    return start, end


def broken(grant: Grant, request: Request, valid_at: datetime) -> Condition | None:
    """The first condition up to IN_FORCE that a grant does not meet: those that neither the asked
    elements nor the asked period change."""
    if grant.application and grant.application != request.application:
        return Condition.APPLICATION
    if grant.service_version and grant.service_version != request.service_version:
        return Condition.SERVICE_VERSION
    if request.way not in grant.ways:
        return Condition.WAY
    if request.purpose != grant.purpose:
        return Condition.PURPOSE
    return None if in_force(grant, valid_at) else Condition.IN_FORCE


def failures(grant: Grant, request: Request, valid_at: datetime, today: int) -> list[Condition]:
    """Every condition that a grant does not meet, in order; service and prohibitions aside."""
    failed: list[Condition] = []
    if grant.application and grant.application != request.application:
        failed.append(Condition.APPLICATION)
    if grant.service_version and grant.service_version != request.service_version:
        failed.append(Condition.SERVICE_VERSION)
    if request.way not in grant.ways:
        failed.append(Condition.WAY)
    if request.purpose != grant.purpose:
        failed.append(Condition.PURPOSE)
    if not in_force(grant, valid_at):
        failed.append(Condition.IN_FORCE)
    limits = grant.data_period
    if limits.limited:
        start, end = _days(limits, request.period, today)
        if end is not None and start >= end:
            failed.append(Condition.DATA_PERIOD)
    if request.elements and grant.elements.isdisjoint(request.elements):
        failed.append(Condition.ELEMENTS)
    return failed


def prohibits(row: Grant, request: Request, valid_at: datetime) -> bool:
    """Whether a prohibition applies to this request; what it leaves empty means any."""
    return (
        (not row.application or row.application == request.application)
        and (not row.service_version or row.service_version == request.service_version)
        and (not row.ways or request.way in row.ways)
        and (not row.purpose or row.purpose == request.purpose)
        and in_force(row, valid_at)
    )
