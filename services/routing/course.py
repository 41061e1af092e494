"""One exchange under way: what it rests on, and how far it has come. No I/O."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from services.policy.model import Decision, Request
from services.routing.admission import admit
from services.routing.inquiries import Schema
from services.routing.model import Admission, Integrations, Service
from services.routing.records import Ground

Steps = Callable[[str], AbstractContextManager[object]]
"""Opens a span for one step."""


class Offer(NamedTuple):
    """A service of the catalogue, with its messages."""

    service: Service
    schema: Schema


class Course:
    """One exchange under way."""

    __slots__ = (
        "attempt",
        "deadline",
        "decision",
        "ground",
        "integrations",
        "mac",
        "offer",
        "request",
        "steps",
        "used_up",
    )

    def __init__(self, ground: Ground, offer: Offer, deadline: float, steps: Steps) -> None:
        self.ground = ground
        self.offer = offer
        self.deadline = deadline
        self.steps = steps
        self.mac = b""
        self.attempt = 0
        self.integrations: Integrations = {}
        self.decision: Decision | None = None
        self.used_up: frozenset[str] = frozenset()
        """Grants whose volume of this day is used up."""
        question, caller = ground.question, ground.caller
        self.request = Request(
            institution=caller.institution,
            application=caller.application,
            service=question.service,
            service_version=question.version,
            purpose=question.purpose,
            elements=question.elements,
            period=question.period,
        )

    def admit(self, decision: Decision) -> Admission | None:
        """What the decision comes to for this subject."""
        return admit(
            (each for each in decision.permissions if each.grant not in self.used_up),
            wanted=self.ground.question.elements,
            integrations=self.integrations,
            caller=self.ground.caller.institution,
            sources=self.offer.service.sources,
        )

    def integrated(self) -> dict[str, bool]:
        """Who of those that were looked up knows the subject at all."""
        return {name: bool(found) for name, found in self.integrations.items()}
