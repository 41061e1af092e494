"""How often a grant may be used on one day: the volume that its row allows a recipient. No I/O.

Contract: each attempt that is about to ask a source counts, once for every grant that it rests on;
a day is one in UTC. A grant whose volume is used up is left out, and another may cover the same.
"""

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from services.policy.model import Decision
from services.routing import refusals
from services.routing.course import Course
from services.routing.model import Admission


class Volumes(Protocol):
    """What was used so far."""

    async def take(self, institution: str, limits: Mapping[str, int], day: date) -> frozenset[str]:
        """Count one use of each of these grants; where that would be one too many for some, none
        is counted, and those are given. Raises STORE_UNAVAILABLE."""
        ...


def limits_of(decision: Decision) -> dict[str, int]:
    """The grants of a decision that have a limit."""
    return {
        each.grant: each.volume_per_day
        for each in decision.permissions
        if each.volume_per_day is not None
    }


async def within(
    volumes: Volumes, course: Course, decision: Decision, admission: Admission, day: date
) -> Admission:
    """What may pass within the volumes, counted. Raises NOT_AUTHORIZED, STORE_UNAVAILABLE."""
    limits = limits_of(decision)
    while wanted := {grant: limits[grant] for grant in admission.grants if grant in limits}:
        used_up = await volumes.take(course.ground.caller.institution, wanted, day)
        if not used_up:
            break
        course.used_up |= used_up
        less = course.admit(decision)
        if less is None:
            raise refusals.volume_used_up()
        admission = less
    return admission
