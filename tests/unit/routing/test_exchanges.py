"""An exchange step by step: what is logged, what is released, and what is refused early."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.policy.model import DataPeriod, Period
from services.proof.record import Kind
from services.routing.model import FIRST_REFUSAL
from services.runtime.errors import Reason
from tests.support.exchanges import KNOWN, World, grant, refused


async def test_answer_holds_only_what_is_granted_and_is_logged_before() -> None:
    world = World()
    reply = await world.ask()
    assert [each.payload for each in reply.answers] == [b"employment.start=2021"]
    assert reply.deliberations == ("20/096",)
    assert world.log.kinds == [Kind.REQUEST, Kind.RELEASE]
    assert reply.receipt == "receipt 1"
    assert world.steps == [
        f"routing.{name}"
        for name in (
            "check",
            "decide",
            "integration",
            "log_request",
            "source",
            "filter",
            "log_release",
        )
    ]


async def test_party_section_does_not_name_the_subject() -> None:
    world = World()
    await world.ask(ticket="case 7")
    for place in range(2):
        sections = world.log.sections(place)
        assert KNOWN not in str(sections["party"])
        assert sections["subject"]["subject"] == KNOWN
        assert sections["party"]["ticket"] == "case 7"
    assert world.log.sections(1)["party"]["sources"] == [
        {"outcome": "answered", "source": "onss/dmfa"}
    ]


async def test_source_is_asked_after_the_request_is_durable() -> None:
    world = World()
    world.sources.meanwhile = lambda: world.steps.append(str(world.log.kinds))
    await world.ask()
    assert str([Kind.REQUEST]) in world.steps


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject": "85073003329"}, Reason.INVALID_KEY),
        ({"service": "nothing"}, Reason.UNKNOWN_SERVICE),
        ({"version": 2}, Reason.UNKNOWN_SERVICE),
        ({"payload": b"nonsense"}, Reason.INVALID_PAYLOAD),
    ],
)
async def test_malformed_question_is_counted_and_not_logged(
    changes: dict[str, Any], reason: Reason
) -> None:
    world = World()
    assert (await refused(world, **changes)).reason is reason
    assert world.log.entries == []
    (count,) = world.early.take(everything=True)
    assert (count.institution, dict(count.reasons)) == ("capac", {str(reason): 1})


async def test_institution_that_keeps_sending_malformed_questions_is_held_back() -> None:
    world = World()
    reasons = [(await refused(world, subject="1" * 11)).reason for _ in range(201)]
    assert reasons[-1] is Reason.OVERLOADED
    assert reasons[0] is Reason.INVALID_KEY
    await world.ask()
    world.clock.pass_(1.0)
    assert (await refused(world, subject="1" * 11)).reason is Reason.INVALID_KEY


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"purpose": "curiosity"}, "purpose"),
        ({"elements": frozenset({"employment.wage"})}, "elements"),
        ({"elements": frozenset({"employment.wage", "employment.start"})}, "elements"),
    ],
)
async def test_what_no_grant_covers_is_refused_before_any_look_up(
    changes: dict[str, Any], condition: str
) -> None:
    world = World()
    error = await refused(world, **changes)
    assert error.reason is Reason.NOT_AUTHORIZED
    assert error.metadata["condition"] == condition
    assert world.directory.lookups == []
    assert world.log.kinds == [Kind.REFUSAL]
    assert world.log.entries[0].attempt >= FIRST_REFUSAL
    assert world.log.sections(0)["party"]["reason"] == "NOT_AUTHORIZED"


async def test_expired_grant_is_refused() -> None:
    world = World(grant(valid_until=datetime(2026, 11, 24, tzinfo=UTC)))
    assert (await refused(world)).reason is Reason.NOT_AUTHORIZED


async def test_source_gets_the_granted_part_of_the_period() -> None:
    world = World(grant(data_period=DataPeriod(days_back=10)))
    await world.ask(period=Period(date(2020, 1, 1), date(2026, 12, 31)))
    assert world.sources.asked[0][1].period == Period(date(2026, 11, 14), date(2026, 12, 31))
