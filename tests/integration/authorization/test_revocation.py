"""From the end of a grant to the end of exchanges, with authorization and routing as they are."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from services.authorization.publication import slug
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.watch.replica import LEASE_SECONDS
from tests.support.asking import id_of, question
from tests.support.authority import MEMBERS, OUTSIDER, PURPOSE, Authority, deciding, deliberation
from tests.support.platform import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = iter(range(1, 1000))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Authority]:
    """CAPAC asks the ONSS about a person that both know; nothing is granted yet."""
    folder = tmp_path_factory.mktemp("revocation")
    async with deciding(postgres, folder, exchanging=True) as network:
        await network.integrate()
        yield network


async def granted(network: Authority) -> str:
    """Publish a grant, and wait until exchanges pass; the deliberation's number."""
    number = f"26/{next(NUMBERS):03d}"
    done = await network.publish(deliberation(number))
    await network.until(lambda: network.replicas.versions()["grants"][0] >= done.version)
    assert await asked(network, f"first-{slug(number)}") is None
    return number


async def asked(network: Authority, request_id: str) -> Reason | None:
    """Ask; why it was refused, None for an answer."""
    caller = await network.caller()
    try:
        await caller.Exchange(question(request_id, purpose=PURPOSE))
    except CrossroadsError as error:
        return error.reason
    return None


async def test_once_routing_has_confirmed_a_revocation_no_exchange_passes(
    network: Authority,
) -> None:
    number = await granted(network)
    member = await network.as_person(MEMBERS[2])
    revoked = await member.RevokeGrant(
        api.RevokeGrantRequest(grant_id=f"{number}#1", reason="no more")
    )
    told = {each.name: each.confirmed for each in revoked.subscribers}
    assert told == {"authorization": True, "routing": True}
    for place in range(5):
        assert await asked(network, f"after-{slug(number)}-{place}") is Reason.NOT_AUTHORIZED


class Ending:
    """A grant revoked while CAPAC keeps asking; instants on the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.answered: list[tuple[float, float]] = []
        """When each question was asked and answered."""
        self.revoked = self.confirmed = 0.0

    async def keep_asking(self, caller: Any, prefix: str) -> None:
        """Ask until it is refused."""
        for place in range(10_000):
            began = time.monotonic()
            try:
                await caller.Exchange(question(f"{prefix}-{place}", purpose=PURPOSE))
            except CrossroadsError as error:
                assert error.reason is Reason.NOT_AUTHORIZED  # noqa: PT017 - the end of the loop
                return
            self.answered.append((began, time.monotonic()))


async def end(network: Authority) -> Ending:
    """Revoke a grant in the midst of exchanges."""
    number = await granted(network)
    member, caller = await network.as_person(MEMBERS[2]), await network.caller()
    ending = Ending()
    async with asyncio.timeout(20):
        asking = asyncio.create_task(ending.keep_asking(caller, f"going-{slug(number)}"))
        await network.until(lambda: len(ending.answered) > 3)
        ending.revoked = time.monotonic()
        await member.RevokeGrant(api.RevokeGrantRequest(grant_id=f"{number}#1", reason="no more"))
        ending.confirmed = time.monotonic()
        await asking
    return ending


async def test_exchanges_stop_while_they_are_being_made(network: Authority) -> None:
    ending = await end(network)
    asked_last, _ = ending.answered[-1]
    assert asked_last < ending.confirmed


@pytest.mark.long
async def test_revocation_stops_exchanges_within_a_second(network: Authority) -> None:
    """From the call of RevokeGrant to the last answer, twenty times."""
    took = []
    for _ in range(20):
        ending = await end(network)
        took.append(ending.answered[-1][1] - ending.revoked)
    print(f"most {max(took) * 1000:.0f} ms, median {sorted(took)[10] * 1000:.0f} ms")  # noqa: T201
    assert max(took) < 1.0


async def test_revocation_that_routing_cannot_hear_of_works_when_the_lease_ends(
    network: Authority,
) -> None:
    number = await granted(network)
    member = await network.as_person(MEMBERS[2])
    await network.way.cut()
    deaf_since = time.monotonic()  # whatever ping is answered was sent before
    revoked = await member.RevokeGrant(
        api.RevokeGrantRequest(grant_id=f"{number}#1", reason="no more")
    )
    told = {each.name: each.confirmed for each in revoked.subscribers}
    assert told.get("routing") is not True
    names = (f"deaf-{slug(number)}-{place}" for place in count())
    async with asyncio.timeout(20):
        began, last = deaf_since, deaf_since
        while (reason := await asked(network, next(names))) is None:
            began, last = time.monotonic(), began
        # It went on with the version that it had, while its lease ran, and then not at all.
        assert reason is Reason.LEASE_EXPIRED
        assert last < deaf_since + LEASE_SECONDS
        await network.way.mend()
        while reason is Reason.LEASE_EXPIRED:
            await asyncio.sleep(0.05)
            reason = await asked(network, next(names))
    assert reason is Reason.NOT_AUTHORIZED


async def test_nothing_is_released_when_the_grant_ends_while_the_source_is_asked(
    network: Authority,
) -> None:
    number = await granted(network)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slow(*given: object) -> object:
        reached.set()
        await go_on.wait()
        return await network.employment(*given)  # type: ignore[arg-type]

    network.handlers["onss"] = slow
    try:
        asking = asyncio.create_task(asked(network, f"slow-{slug(number)}"))
        await reached.wait()
        stub = await network.as_person(OUTSIDER, DeliberationServiceStub)
        request = life.SuspendDeliberationRequest(number=number, reason="doubt")
        suspended = await stub.SuspendDeliberation(request)
        assert all(each.confirmed for each in suspended.subscribers)
        go_on.set()
        assert await asking is Reason.NOT_AUTHORIZED
    finally:
        network.handlers.clear()
    kinds = [kind for kind, _ in await network.entries(id_of(f"slow-{slug(number)}"))]
    assert kinds == [Kind.REQUEST, Kind.REFUSAL]
