"""One exchange, one id: the same request_id is the same exchange, or it is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.asking import answered, id_of, kinds_of, question, refusal, refused
from tests.support.network import Network, running
from tests.support.network_rows import application
from tests.support.platform import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

DONE = [Kind.REQUEST, Kind.RELEASE]


async def test_repeat_gets_the_very_same_answer_and_leaves_no_trace(network: Network) -> None:
    first = await answered(network, question("same", ticket="one"))
    questions = len(network.asked)
    again = await answered(network, question("same", ticket="two"))
    assert again.SerializeToString() == first.SerializeToString()
    assert len(network.asked) == questions
    assert await kinds_of(network, "same") == DONE


async def test_repeats_at_once_are_one_exchange(network: Network) -> None:
    stub = await network.caller()
    questions = len(network.asked)
    responses = await asyncio.gather(
        *(stub.Exchange(question("at-once"), timeout=10) for _ in range(20))
    )
    assert len({each.SerializeToString() for each in responses}) == 1
    assert len(network.asked) == questions + 1
    assert await kinds_of(network, "at-once") == DONE


async def test_another_question_under_the_same_id_is_refused(network: Network) -> None:
    await answered(network, question("reused"))
    stub = await network.caller()
    seen = await refusal(stub.Exchange(question("reused", elements=["employment.start"])))
    assert (seen.reason, seen.code) == (
        Reason.REQUEST_ID_REUSED,
        grpc.StatusCode.ALREADY_EXISTS,
    )
    assert (seen.fields, seen.retry) == (("request_id",), False)
    assert "use a new one" in seen.text
    assert await kinds_of(network, "reused") == [*DONE, Kind.REFUSAL]


async def test_another_question_is_refused_while_the_first_is_under_way(network: Network) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slowly(*arguments: Any) -> Any:
        asked.set()
        await go.wait()
        return await network.employment(*arguments)

    network.handlers["onss"] = slowly
    try:
        stub = await network.caller()
        first = asyncio.create_task(stub.Exchange(question("under-way"), timeout=10))
        await asyncio.wait_for(asked.wait(), 10)
        other = question("under-way", elements=["employment.start"])
        seen = await refusal(stub.Exchange(other))
    finally:
        go.set()
        del network.handlers["onss"]
    assert seen.reason is Reason.REQUEST_ID_REUSED
    assert (await first).answers
    assert sorted(await kinds_of(network, "under-way")) == sorted([*DONE, Kind.REFUSAL])


async def test_id_of_another_application_is_another_exchange(network: Network) -> None:
    await network.published("directory", application("capac", "pensions"))
    await answered(network, question("shared"))
    other = await network.caller("capac", "pensions")
    response = await other.Exchange(question("shared"), timeout=10)
    assert response.exchange_id == id_of("shared", "capac/pensions")
    assert await kinds_of(network, "shared", "capac/pensions") == DONE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forgetful(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Network]:
    """A routing that keeps no answer."""
    folder = tmp_path_factory.mktemp("forgetful")
    async with running(postgres, folder, kept_seconds=0.0) as network:
        await network.integrate()
        yield network


async def test_repeat_after_the_answer_is_gone_is_a_new_logged_attempt(
    forgetful: Network,
) -> None:
    responses = [await answered(forgetful, question("gone")) for _ in range(3)]
    assert [each.attempt for each in responses] == [1, 2, 3]
    entries = await forgetful.entries(id_of("gone"))
    assert entries == [(kind, attempt) for attempt in (1, 2, 3) for kind in DONE]
    assert len({each.receipt.leaf_hash for each in responses}) == 3


async def test_other_question_is_refused_long_after_the_answer_is_gone(
    forgetful: Network,
) -> None:
    """The log knows the question by its digest, also when routing was started anew."""
    await answered(forgetful, question("restarted"))
    await forgetful.stop_routing()
    await forgetful.start_routing(kept_seconds=0.0)
    stub = await forgetful.caller()
    seen = await refusal(stub.Exchange(question("restarted", elements=["employment.start"])))
    assert seen.reason is Reason.REQUEST_ID_REUSED
    assert (await answered(forgetful, question("restarted"))).attempt == 2
    assert await kinds_of(forgetful, "restarted") == [*DONE, Kind.REFUSAL, *DONE]


async def test_refused_exchange_can_be_made_later_under_its_id(network: Network) -> None:
    asked = question("later", subject="17073003384")
    await refused(network, asked, Kind.REFUSAL)
    await network.integrate("17073003384")
    assert (await answered(network, asked)).attempt == 1
    assert await kinds_of(network, "later") == [Kind.REFUSAL, *DONE]
