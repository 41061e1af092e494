"""Is the subject known, as the grants demand? One refusal, whatever the cause."""

from datetime import date
from typing import Any

from services.policy.model import Period
from services.runtime.errors import CrossroadsError, Reason
from tests.support.exchanges import KNOWN, ONSS, STRANGER, World, grant, integration, refused


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
