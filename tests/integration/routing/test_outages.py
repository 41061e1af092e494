"""What routing rests on falls silent or away: refused, retryable, and nothing released."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest

from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.asking import answered, id_of, kinds_of, question, refusal, refused
from tests.support.network import STRANGER, Network
from tests.support.network_rows import service

pytestmark = pytest.mark.asyncio(loop_scope="module")

DONE = [Kind.REQUEST, Kind.RELEASE]


async def silence(network: Network, table: str) -> None:
    """Have the owner of that table say nothing until its lease is over."""
    network.owners.gates[table].shut()
    await network.until(lambda: not network.replicas.current())


async def test_without_a_lease_on_the_grants_nothing_is_exchanged(network: Network) -> None:
    await answered(network, question("kept"))
    questions = len(network.asked)
    await silence(network, "grants")
    try:
        seen = await refused(network, question("silent"), Kind.REFUSAL)
        stub = await network.caller()
        kept = await refusal(stub.Exchange(question("kept")))
        unknown = await refused(network, question("silent-unknown", version=9))
    finally:
        network.owners.gates["grants"].open()
    assert (seen.reason, seen.code) == (Reason.LEASE_EXPIRED, grpc.StatusCode.UNAVAILABLE)
    assert (seen.retry, kept.reason) == (True, Reason.LEASE_EXPIRED)
    # What is held may be old: a service that was added since is not unknown.
    assert unknown.reason is Reason.LEASE_EXPIRED
    assert len(network.asked) == questions
    assert (await answered(network, question("silent"))).attempt == 1


async def test_lease_that_ends_while_the_source_is_asked_releases_nothing(
    network: Network,
) -> None:
    await network.published("catalogue", service(2, timeout_ms=8000))

    async def meanwhile(*arguments: Any) -> Any:
        await silence(network, "grants")
        return await network.employment(*arguments)

    network.handlers["onss"] = meanwhile
    try:
        seen = await refused(network, question("ends", version=2), Kind.REQUEST, Kind.REFUSAL)
    finally:
        del network.handlers["onss"]
        network.owners.gates["grants"].open()
    assert (seen.reason, seen.retry) == (Reason.LEASE_EXPIRED, True)
    assert (await answered(network, question("ends", version=2))).attempt == 2


async def test_without_a_lease_on_who_is_active_nobody_may_call(network: Network) -> None:
    await silence(network, "directory")
    try:
        seen = await refused(network, question("nobody"))
    finally:
        network.owners.gates["directory"].open()
    assert (seen.reason, seen.retry) == (Reason.LEASE_EXPIRED, True)
    await answered(network, question("nobody"))


async def test_without_the_log_nothing_is_asked_and_no_refusal_tells_its_reason(
    network: Network,
) -> None:
    questions = len(network.asked)
    await network.services["logging"].stop(0)
    try:
        exchange, stranger, purpose = await asyncio.gather(
            refused(network, question("unlogged"), seconds=1.0),
            refused(network, question("stranger", subject=STRANGER)),
            refused(network, question("purpose", purpose="curiosity")),
        )
    finally:
        await network.start_logging()
    for seen in (exchange, stranger, purpose):
        assert (seen.reason, seen.code) == (Reason.LOG_UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)
        assert "nothing was released; retry with the same request_id" in seen.text
    assert stranger.said == purpose.said
    assert len(network.asked) == questions
    assert (await answered(network, question("unlogged"))).answers
    assert await kinds_of(network, "unlogged") == DONE


async def test_log_that_goes_away_while_the_source_is_asked_releases_nothing(
    network: Network,
) -> None:
    async def meanwhile(*arguments: Any) -> Any:
        await network.services["logging"].stop(0)
        return await network.employment(*arguments)

    network.handlers["onss"] = meanwhile
    try:
        seen = await refused(network, question("went"), Kind.REQUEST, seconds=1.0)
    finally:
        del network.handlers["onss"]
        await network.start_logging()
    assert (seen.reason, seen.retry) == (Reason.LOG_UNAVAILABLE, True)
    assert (await answered(network, question("went"))).attempt == 2
    assert await kinds_of(network, "went") == [Kind.REQUEST, *DONE]


async def test_log_that_is_started_anew_meanwhile_loses_no_exchange(network: Network) -> None:
    async def meanwhile(*arguments: Any) -> Any:
        await network.services["logging"].stop(0)
        await network.start_logging()
        return await network.employment(*arguments)

    network.handlers["onss"] = meanwhile
    stub = await network.caller()
    try:
        response = await stub.Exchange(question("restarted"), timeout=10)
    finally:
        del network.handlers["onss"]
    assert response.attempt == 1
    assert await kinds_of(network, "restarted") == DONE


async def test_request_whose_caller_went_away_is_closed_as_abandoned(network: Network) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    network.handlers["onss"] = slow
    stub = await network.caller()
    try:
        call = asyncio.create_task(stub.Exchange(question("left"), timeout=10))
        await asyncio.wait_for(asked.wait(), 10)
        call.cancel()
        await asyncio.wait([call])
        await asyncio.wait_for(ended.wait(), 10)
    finally:
        del network.handlers["onss"]
    assert await network.log.sweeper.sweep() == 0
    assert await kinds_of(network, "left") == [Kind.REQUEST]
    network.log.clock.time += timedelta(minutes=1)
    await network.log.sweeper.sweep()
    assert await network.entries(id_of("left")) == [(Kind.REQUEST, 1), (Kind.ABANDONED, 1)]
    assert (await answered(network, question("left"))).attempt == 2
