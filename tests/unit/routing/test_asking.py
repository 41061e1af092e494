"""Sources: how they fail, how much time they get, and several of them at once."""

import pytest

from services.proof.record import Kind
from services.routing.model import Caller, Outcome, Reply
from services.runtime.errors import CrossroadsError, Reason
from tests.support.exchanges import ONSS, World, grant, integration, refused

FUNDS = (Caller("fund-a", "claims"), Caller("fund-b", "claims"))


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
