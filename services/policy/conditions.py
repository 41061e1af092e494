"""The conditions of one row, each by itself.

Contract: pure and total for aware instants; no condition looks at other rows.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from services.policy.model import Condition, DataPeriod, Grant, Period, Request

_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal()
_A_DAY = timedelta(days=1)

# Looking a member up in its enumeration takes longer than judging a condition.
(
    SERVICE,
    APPLICATION,
    SERVICE_VERSION,
    WAY,
    PURPOSE,
    IN_FORCE,
    DATA_PERIOD,
    ELEMENTS,
    PROHIBITED,
) = Condition


def in_force(row: Grant, valid_at: datetime) -> bool:
    """Whether the row is in force at this instant of the world."""
    until = row.valid_until
    return row.valid_from <= valid_at and (until is None or valid_at < until)


def day(at: datetime) -> int:
    """The calendar day (UTC) of an instant as its proleptic ordinal; 1 January of year 1 is 1.

    Counted and not converted: `astimezone` fails within a day of the first and the last instant.
    """
    if at.tzinfo is UTC:
        return at.toordinal()
    time = timedelta(0, at.hour * 3600 + at.minute * 60 + at.second, at.microsecond)
    return at.toordinal() + (time - (at.utcoffset() or timedelta())) // _A_DAY


def reach(limits: DataPeriod, asked: Period | None, today: int) -> tuple[int, int | None]:
    """The days of the asked period that a data period covers, from start until end (ordinals).

    None as an end: no end known. An end that is not after the start: no day at all. Data may reach
    `days_back` days before `today`. Of a longer question the last `max_days` days remain; one
    without an end counts to that day, or from its start if that comes later. A question without a
    period is one for all that is known, so that leaving the period out never widens it.
    """
    back, most = limits.days_back, limits.max_days
    start = _FIRST_DAY if asked is None else asked.start.toordinal()
    end = None if asked is None or asked.end is None else asked.end.toordinal()
    if back is not None and today - back > start:
        start = today - back
    if most is not None:
        if end is None:
            end = today + 1 if start <= today else start + most
        start = max(start, end - most)
    return start, end


def covered(limits: DataPeriod, asked: Period | None, today: int) -> Period | None:
    """What `reach` says of a limited data period, as a period; None if it covers no day."""
    start, end = reach(limits, asked, today)
    if end is None or end > _LAST_DAY:
        return Period(date.fromordinal(start))
    return Period(date.fromordinal(start), date.fromordinal(end)) if start < end else None


def broken(grant: Grant, request: Request, valid_at: datetime) -> Condition | None:
    """The first condition up to IN_FORCE that a grant does not meet: none of them depends on the
    elements or the period that are asked for."""
    if grant.application and grant.application != request.application:
        return APPLICATION
    if grant.service_version and grant.service_version != request.service_version:
        return SERVICE_VERSION
    if request.way not in grant.ways:
        return WAY
    if request.purpose != grant.purpose:
        return PURPOSE
    return None if in_force(grant, valid_at) else IN_FORCE


def failures(grant: Grant, request: Request, valid_at: datetime, today: int) -> list[Condition]:
    """Every condition that a grant does not meet, in order; service and prohibitions aside."""
    failed: list[Condition] = []
    if grant.application and grant.application != request.application:
        failed.append(APPLICATION)
    if grant.service_version and grant.service_version != request.service_version:
        failed.append(SERVICE_VERSION)
    if request.way not in grant.ways:
        failed.append(WAY)
    if request.purpose != grant.purpose:
        failed.append(PURPOSE)
    if not in_force(grant, valid_at):
        failed.append(IN_FORCE)
    if grant.data_period.limited:
        start, end = reach(grant.data_period, request.period, today)
        if end is not None and end <= start:
            failed.append(DATA_PERIOD)
    if request.elements and grant.elements.isdisjoint(request.elements):
        failed.append(ELEMENTS)
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
