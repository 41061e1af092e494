"""Between asking a source and releasing its answer: what ends meanwhile, and a log that is away."""

from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.exchanges import NOW, STRANGER, World, grant, refused


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
