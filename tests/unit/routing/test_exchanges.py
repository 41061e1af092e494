"""An exchange step by step: what is logged, what is released, and what a refusal shows."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.policy.model import DataPeriod, Period
from services.proof.record import Kind
from services.routing.model import FIRST_REFUSAL, Caller, Outcome, Reply
from services.runtime.errors import CrossroadsError, Reason
from tests.support.exchanges import KNOWN, NOW, ONSS, STRANGER, World, grant, integration

FUNDS = (Caller("fund-a", "claims"), Caller("fund-b", "claims"))


async def refused(world: World, *arguments: Any, **changes: Any) -> CrossroadsError:
    """The error of an exchange that must not succeed."""
    with pytest.raises(CrossroadsError) as raised:
        await world.ask(*arguments, **changes)
    return raised.value


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


def _unknown_person(world: World) -> dict[str, Any]:
    return {"subject": STRANGER}


def _unknown_to_caller(world: World) -> dict[str, Any]:
    del world.directory.integrations[0]
    return {}


def _unknown_to_source(world: World) -> dict[str, Any]:
    del world.directory.integrations[1]
    return {}


def _other_capacity(world: World) -> dict[str, Any]:
    world.directory.integrations[0] = integration("capac", capacity="18/2")
    return {}


def _other_period(world: World) -> dict[str, Any]:
    world.directory.integrations[1] = integration("onss", end=date(2021, 1, 1))
    return {"period": Period(date(2022, 1, 1), date(2023, 1, 1))}


def _replaced(world: World) -> dict[str, Any]:
    world.tables.replaced["98472899765"] = STRANGER
    return {"subject": "98472899765"}


async def test_whoever_is_not_integrated_gets_the_same_refusal_whatever_the_cause() -> None:
    seen = set()
    for cause in (
        _unknown_person,
        _unknown_to_caller,
        _unknown_to_source,
        _other_capacity,
        _other_period,
        _replaced,
    ):
        world = World()
        error = await refused(world, **cause(world))
        metadata = tuple(sorted(error.metadata.items()))
        seen.add((error.reason, error.message, metadata, error.retry_after, tuple(world.log.kinds)))
        assert world.sources.asked == []
        assert len(world.directory.lookups) == 1
    assert len(seen) == 1
    assert next(iter(seen))[0] is Reason.NOT_INTEGRATED


async def test_replaced_key_is_answered_under_the_new_one_and_said() -> None:
    world = World()
    world.tables.replaced["98472899765"] = KNOWN
    reply = await world.ask(subject="98472899765")
    assert reply.current_key == KNOWN
    assert world.sources.asked[0][1].subject == KNOWN
    assert world.log.entries[0].subject_key == KNOWN


async def test_integration_declared_under_a_replaced_key_counts() -> None:
    world = World()
    world.tables.replaced["98472899765"] = KNOWN
    world.directory.integrations[0] = integration("capac", "98472899765")
    assert (await world.ask()).current_key == ""


async def test_check_that_does_not_block_is_flagged_and_nothing_more_is_said() -> None:
    world = World(grant(blocking=False))
    world.tables.replaced["98472899765"] = KNOWN
    world.directory.integrations.clear()
    reply = await world.ask(subject="98472899765")
    assert reply.not_integrated
    assert reply.current_key == ""
    world.sources.says[ONSS] = CrossroadsError(Reason.SOURCE_UNAVAILABLE, "down")
    error = await refused(world, "r2")
    assert error.reason is Reason.UNAVAILABLE
    assert "source" not in error.message


async def test_source_gets_the_granted_part_of_the_period() -> None:
    world = World(grant(data_period=DataPeriod(days_back=10)))
    await world.ask(period=Period(date(2020, 1, 1), date(2026, 12, 31)))
    assert world.sources.asked[0][1].period == Period(date(2026, 11, 14), date(2026, 12, 31))


async def test_repeat_gets_the_very_same_answer() -> None:
    world = World()
    first = await world.ask()
    assert await world.ask(ticket="another mark") is first
    assert len(world.sources.asked) == 1
    assert world.log.kinds == [Kind.REQUEST, Kind.RELEASE]


async def test_repeat_after_the_answer_is_gone_is_a_new_attempt() -> None:
    world = World()
    await world.ask()
    world.clock.pass_(301)
    reply = await world.ask()
    assert reply.attempt == 2
    assert world.log.kinds == [Kind.REQUEST, Kind.RELEASE] * 2


async def test_repeat_is_refused_once_the_grant_has_ended() -> None:
    world = World()
    await world.ask()
    world.tables.set_grants(grant(valid_until=NOW))
    assert (await refused(world)).reason is Reason.NOT_AUTHORIZED


async def test_repeat_is_refused_without_a_lease() -> None:
    world = World()
    await world.ask()
    world.tables.current = False
    assert (await refused(world)).reason is Reason.LEASE_EXPIRED


@pytest.mark.parametrize("gone", [False, True])
async def test_same_request_id_with_another_question_is_refused(gone: bool) -> None:
    world = World()
    await world.ask()
    if gone:
        world.clock.pass_(301)
    error = await refused(world, elements=frozenset({"employment.start"}))
    assert error.reason is Reason.REQUEST_ID_REUSED
    assert [each.field for each in error.fields] == ["request_id"]
    assert world.log.kinds == [Kind.REQUEST, Kind.RELEASE, Kind.REFUSAL]


async def test_same_question_asked_twice_at_once_is_one_exchange() -> None:
    world = World()
    world.sources.gate = asyncio.Event()
    asking = [asyncio.create_task(world.ask()) for _ in range(3)]
    await world.sources.reached.wait()
    assert (await refused(world, purpose="unemployment_benefit", payload=b"x")).reason is (
        Reason.REQUEST_ID_REUSED
    )
    world.sources.gate.set()
    replies = await asyncio.gather(*asking)
    assert replies[0] is replies[1] is replies[2]
    assert len(world.sources.asked) == 1


async def test_exchange_can_be_made_after_it_was_refused_with_the_same_request_id() -> None:
    world = World()
    own = world.directory.integrations.pop(0)
    for _ in range(3):
        await refused(world)
    world.directory.integrations.append(own)
    assert (await world.ask()).attempt == 1
    assert world.log.kinds == [Kind.REFUSAL] * 3 + [Kind.REQUEST, Kind.RELEASE]


async def test_nothing_is_released_when_the_grant_ends_meanwhile() -> None:
    world = World()
    world.sources.meanwhile = lambda: world.tables.set_grants(grant(valid_until=NOW))
    assert (await refused(world)).reason is Reason.NOT_AUTHORIZED
    assert world.log.kinds == [Kind.REQUEST, Kind.REFUSAL]
    assert world.log.entries[1].attempt == 1


async def test_nothing_is_released_when_the_grant_narrows_meanwhile() -> None:
    world = World()
    world.sources.meanwhile = lambda: world.tables.set_grants(
        grant(elements=frozenset({"employment.end"}))
    )
    assert (await refused(world)).reason is Reason.NOT_AUTHORIZED


async def test_nothing_is_released_when_the_lease_ends_meanwhile() -> None:
    world = World()
    world.sources.meanwhile = lambda: setattr(world.tables, "current", False)
    error = await refused(world)
    assert error.reason is Reason.LEASE_EXPIRED
    assert error.retryable
    assert world.log.kinds == [Kind.REQUEST, Kind.REFUSAL]


async def test_nothing_is_released_when_the_caller_is_no_longer_active() -> None:
    world = World()
    world.sources.meanwhile = lambda: setattr(world.tables, "callers_active", False)
    assert (await refused(world)).reason is Reason.NOT_AUTHORIZED


async def test_nothing_is_released_when_the_log_does_not_take_the_release() -> None:
    world = World()
    world.sources.meanwhile = lambda: setattr(world.log, "down", True)
    assert (await refused(world)).reason is Reason.LOG_UNAVAILABLE
    assert world.answers.octets == 0


async def test_source_is_not_asked_when_the_log_is_down() -> None:
    world = World()
    world.log.down = True
    error = await refused(world)
    assert error.reason is Reason.LOG_UNAVAILABLE
    assert world.sources.asked == []


async def test_refusal_that_can_not_be_logged_does_not_tell_its_reason() -> None:
    world = World()
    world.log.down = True
    assert (await refused(world, subject=STRANGER)).reason is Reason.LOG_UNAVAILABLE


async def test_store_that_does_not_answer_is_a_logged_refusal() -> None:
    world = World()
    world.directory.down = True
    error = await refused(world)
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.retryable
    assert world.log.kinds == [Kind.REFUSAL]


@pytest.mark.parametrize("reason", [Reason.SOURCE_UNAVAILABLE, Reason.SOURCE_INVALID])
async def test_failing_source_is_a_logged_refusal(reason: Reason) -> None:
    world = World()
    world.sources.says[ONSS] = CrossroadsError(reason, "fails")
    assert (await refused(world)).reason is reason
    assert world.log.kinds == [Kind.REQUEST, Kind.REFUSAL]
    world.sources.says[ONSS] = None
    reply = await world.ask()
    assert reply.attempt == 2
    assert reply.answers[0].outcome is Outcome.NOTHING


async def test_nonsense_of_a_source_is_not_released() -> None:
    world = World()
    world.sources.says[ONSS] = b"nonsense"
    assert (await refused(world)).reason is Reason.SOURCE_INVALID


async def test_too_short_a_deadline_is_refused_before_the_source_is_asked() -> None:
    world = World()
    assert (await refused(world, seconds=0.1)).reason is Reason.DEADLINE_EXCEEDED
    assert world.sources.asked == []
    assert world.log.kinds == [Kind.REFUSAL]


async def test_source_gets_no_more_time_than_the_catalogue_allows() -> None:
    world = World()
    await world.ask()
    assert world.sources.asked[0][2] == 2.0
    await world.ask("r2", seconds=1.0)
    assert world.sources.asked[1][2] == pytest.approx(0.75)


def several() -> World:
    world = World(sources=FUNDS)
    world.directory.integrations = [
        integration("capac"),
        integration("fund-a"),
        integration("fund-b"),
    ]
    return world


async def test_of_several_sources_those_that_know_the_subject_are_asked() -> None:
    world = several()
    del world.directory.integrations[1]
    await world.ask()
    assert [each[0] for each in world.sources.asked] == [FUNDS[1]]


async def test_failure_of_one_of_several_sources_is_its_own() -> None:
    world = several()
    world.sources.says[FUNDS[0]] = CrossroadsError(Reason.SOURCE_UNAVAILABLE, "down")
    reply: Reply = await world.ask()
    assert [each.outcome for each in reply.answers] == [Outcome.FAILED, Outcome.ANSWERED]
    world.sources.says[FUNDS[1]] = b"nonsense"
    assert (await refused(world, "r2")).reason is Reason.SOURCE_UNAVAILABLE


async def test_each_source_is_filtered_by_what_is_granted_of_it() -> None:
    world = World(
        grant(source_capacities=frozenset({"1/a"}), elements=frozenset({"employment.start"})),
        grant(
            id="20/096#2",
            source_capacities=frozenset({"1/b"}),
            elements=frozenset({"employment.start", "employment.wage"}),
        ),
        sources=FUNDS,
    )
    world.directory.integrations = [
        integration("capac"),
        integration("fund-a", capacity="1/a"),
        integration("fund-b", capacity="1/b"),
    ]
    reply = await world.ask()
    assert [each.payload for each in reply.answers] == [
        b"employment.start=2021",
        b"employment.start=2021\nemployment.wage=1200",
    ]


async def test_cancelled_exchange_lets_the_next_one_through() -> None:
    world = World()
    world.sources.gate = asyncio.Event()
    first = asyncio.create_task(world.ask())
    await world.sources.reached.wait()
    first.cancel()
    await asyncio.wait([first])
    world.sources.gate = None
    assert (await world.ask()).attempt == 2
