"""PostgreSQL is killed or freezes under routing, and under the log: nothing is released."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.asking import Refusal, answered, kinds_of, question, refusal, refused
from tests.support.network import STRANGER, Network, running
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.platform import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

DONE = [Kind.REQUEST, Kind.RELEASE]


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def directory_away(
    postgres: Postgres, server: OwnPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Network]:
    """Routing's database is on the server that fails."""
    folder = tmp_path_factory.mktemp("directory")
    async with running(postgres, folder, servers={"routing": server}) as network:
        await network.integrate()
        yield network


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def log_away(
    postgres: Postgres, server: OwnPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Network]:
    """The log's database is on the server that fails."""
    folder = tmp_path_factory.mktemp("log")
    async with running(postgres, folder, servers={"logging": server}) as network:
        await network.integrate()
        yield network


def check(seen: Refusal, reason: Reason) -> None:
    assert (seen.reason, seen.code) == (reason, grpc.StatusCode.UNAVAILABLE)
    assert seen.retry


async def test_reference_directory_that_is_down_is_a_logged_refusal_for_whoever_asks(
    directory_away: Network, server: OwnPostgres
) -> None:
    network = directory_away
    await answered(network, question("up"))
    questions = len(network.asked)
    with server.killed():
        known, stranger = await asyncio.gather(
            refused(network, question("down"), Kind.REFUSAL),
            refused(network, question("down-stranger", subject=STRANGER), Kind.REFUSAL),
        )
    check(known, Reason.STORE_UNAVAILABLE)
    assert known.said == stranger.said
    assert len(network.asked) == questions
    await answered(network, question("down"))
    assert await kinds_of(network, "down") == [Kind.REFUSAL, *DONE]


async def test_reference_directory_that_is_frozen_is_refused_within_the_deadline(
    directory_away: Network, server: OwnPostgres
) -> None:
    network = directory_away
    await answered(network, question("moving"))
    with server.frozen():
        seen = await refused(network, question("frozen"), Kind.REFUSAL, seconds=1.0)
    check(seen, Reason.STORE_UNAVAILABLE)
    await answered(network, question("frozen"))


async def test_answer_that_is_kept_is_given_without_the_reference_directory(
    directory_away: Network, server: OwnPostgres
) -> None:
    network = directory_away
    first = await answered(network, question("kept"))
    with server.killed():
        again = await answered(network, question("kept"))
    assert again.SerializeToString() == first.SerializeToString()


async def test_log_whose_database_is_down_lets_nothing_pass(
    log_away: Network, server: OwnPostgres
) -> None:
    network = log_away
    await answered(network, question("up"))
    questions = len(network.asked)
    stub = await network.caller()
    with server.killed():
        seen = await refusal(stub.Exchange(question("unlogged")))
    check(seen, Reason.LOG_UNAVAILABLE)
    assert len(network.asked) == questions
    await answered(network, question("unlogged"))
    assert (await kinds_of(network, "unlogged"))[-2:] == DONE


async def test_log_whose_database_goes_down_while_the_source_is_asked_releases_nothing(
    log_away: Network, server: OwnPostgres
) -> None:
    network = log_away

    async def meanwhile(*arguments: Any) -> Any:
        server.kill()
        return await network.employment(*arguments)

    network.handlers["onss"] = meanwhile
    stub = await network.caller()
    try:
        seen = await refusal(stub.Exchange(question("went")))
    finally:
        del network.handlers["onss"]
        server.start()
    check(seen, Reason.LOG_UNAVAILABLE)
    assert (await answered(network, question("went"))).attempt == 2
    assert await kinds_of(network, "went") == [Kind.REQUEST, *DONE]
