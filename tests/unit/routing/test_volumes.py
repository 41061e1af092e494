"""The volume of a grant: so many questions a day, for each recipient, and not one more."""

from datetime import timedelta

import pytest

from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.exchanges import STRANGER, World, grant, refused

WIDE = frozenset({"employment.start", "employment.end", "employment.wage"})


async def test_a_grant_is_used_as_often_as_it_allows_and_again_the_next_day() -> None:
    world = World(grant(volume_per_day=2))
    for name in ("first", "second"):
        await world.ask(name)
    asked = len(world.sources.asked)
    error = await refused(world, "third")
    assert (error.reason, error.metadata["condition"]) == (
        Reason.NOT_AUTHORIZED, "volume_per_day"
    )  # fmt: skip
    assert len(world.sources.asked) == asked
    assert world.log.kinds[-1] is Kind.REFUSAL
    world.clock.pass_(timedelta(days=1).total_seconds())
    assert (await world.ask("third")).elements


async def test_a_repeat_that_is_answered_from_memory_does_not_count() -> None:
    world = World(grant(volume_per_day=2))
    for _ in range(5):
        await world.ask("again")
    await world.ask("other")
    assert sum(world.volumes.used.values()) == 2


async def test_a_question_that_is_refused_for_its_subject_does_not_count() -> None:
    world = World(grant(volume_per_day=1))
    error = await refused(world, "unknown", subject=STRANGER)
    assert error.reason is Reason.NOT_INTEGRATED
    assert not world.volumes.used
    # And once it is used up, a subject that is not integrated is refused for that as before.
    await world.ask("known")
    assert (await refused(world, "still", subject=STRANGER)).reason is Reason.NOT_INTEGRATED


async def test_another_grant_that_covers_the_same_goes_on() -> None:
    world = World(
        grant(id="20/096#1", elements=WIDE, volume_per_day=1),
        grant(id="20/097#1", deliberation="20/097"),
    )
    first = await world.ask("first")
    assert first.deliberations == ("20/096",)
    second = await world.ask("second")
    assert second.deliberations == ("20/097",)
    assert set(second.elements) < WIDE
    error = await refused(world, "third", elements=frozenset({"employment.wage"}))
    assert error.metadata["condition"] == "volume_per_day"


async def test_grants_without_a_volume_ask_the_store_nothing() -> None:
    world = World()
    world.volumes.down = True
    await world.ask()


@pytest.mark.parametrize("limit", [1, 5])
async def test_without_the_store_nothing_is_asked_of_a_source(limit: int) -> None:
    world = World(grant(volume_per_day=limit))
    world.volumes.down = True
    assert (await refused(world)).reason is Reason.STORE_UNAVAILABLE
    assert world.sources.asked == []
