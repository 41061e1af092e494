"""Sources that are down, slow, or answer nonsense: refused, and nothing of it released."""

import asyncio
from typing import Any

import grpc
import pytest

from crossroads.routing.v1 import routing_service_pb2 as api
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from tests.support.asking import answered, kinds_of, question, refused
from tests.support.network import CAPAC, KNOWN, ONSS, Answer, Network
from tests.support.network_rows import OTHER_SERVICE, application, grant, institution, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILED = (Kind.REQUEST, Kind.REFUSAL)
PATIENCE_MS = 200


class Octets:
    """What a source sends in the place of a message."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def SerializeToString(self) -> bytes:
        return self._octets


async def test_source_that_is_down_is_a_retryable_refusal_until_it_is_back(
    network: Network,
) -> None:
    address = network.sources["onss"].address
    await network.sources["onss"].stop(0)
    asked = question("down")
    try:
        seen = await refused(network, asked, *FAILED)
    finally:
        await network.start_source(ONSS, listen=address)
    assert (seen.reason, seen.code) == (Reason.SOURCE_UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)
    assert "nothing was released; retry later with the same request_id" in seen.text
    assert seen.retry
    assert (await answered(network, asked)).attempt >= 2
    assert (await kinds_of(network, "down"))[-2:] == [Kind.REQUEST, Kind.RELEASE]


async def test_source_that_is_slow_is_given_up_after_the_time_of_the_catalogue(
    network: Network,
) -> None:
    await network.published("catalogue", service(2, timeout_ms=PATIENCE_MS))
    ended = asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    network.handlers["onss"] = slow
    try:
        seen = await refused(network, question("slow", version=2), *FAILED)
        # Its own call is cut off as well: it does not work on for nobody.
        await asyncio.wait_for(ended.wait(), 10)
    finally:
        del network.handlers["onss"]
    assert (seen.reason, seen.retry) == (Reason.SOURCE_UNAVAILABLE, True)
    await answered(network, question("quick", version=2))


async def test_source_gets_no_more_time_than_the_caller_has(network: Network) -> None:
    async def slow(*arguments: Any) -> Any:
        await asyncio.Event().wait()

    network.handlers["onss"] = slow
    try:
        seen = await refused(network, question("impatient"), *FAILED, seconds=0.8)
    finally:
        del network.handlers["onss"]
    assert seen.reason is Reason.SOURCE_UNAVAILABLE


async def test_too_little_time_is_refused_before_the_source_is_asked(network: Network) -> None:
    questions = len(network.asked)
    seen = await refused(network, question("hurry"), Kind.REFUSAL, seconds=0.2)
    assert (seen.reason, seen.code) == (
        Reason.DEADLINE_EXCEEDED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )
    assert "retry with a longer deadline" in seen.text
    assert len(network.asked) == questions


async def test_deadline_that_has_passed_reaches_nobody(network: Network) -> None:
    stub = await network.caller()
    questions = len(network.asked)
    with pytest.raises(CrossroadsError, match="retry with a longer deadline") as raised:
        await stub.Exchange(question("passed"), timeout=-1)
    assert raised.value.reason is Reason.DEADLINE_EXCEEDED
    assert await kinds_of(network, "passed") == []
    assert len(network.asked) == questions


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("octets", Octets(b"\xff\xff\xff")),
        ("other-message", Octets(b"\x82\x7d\x05hello")),
        ("not-utf8", Octets(b"\x1a\x02\xff\xfe")),
        ("huge", Octets(b"\x1a\xff\xff\xff\x01" + b"x" * (4 * 1024 * 1024))),
        ("refusal", CrossroadsError(Reason.INVALID_PAYLOAD, "said the source")),
    ],
)
async def test_nonsense_of_a_source_is_not_released(network: Network, name: str, said: Any) -> None:
    async def nonsense(*arguments: Any) -> Any:
        if isinstance(said, Exception):
            raise said
        return said

    network.handlers["onss"] = nonsense
    try:
        seen = await refused(network, question(f"nonsense-{name}"), *FAILED)
    finally:
        del network.handlers["onss"]
    assert (seen.reason, seen.retry) == (Reason.SOURCE_INVALID, True)
    assert "nothing was released" in seen.text
    assert "said the source" not in seen.text


async def test_fault_of_a_source_is_not_told_in_its_words(network: Network) -> None:
    async def breaks(*arguments: Any) -> Any:
        raise RuntimeError(f"no row for {KNOWN}")

    network.handlers["onss"] = breaks
    try:
        seen = await refused(network, question("breaks"), *FAILED)
    finally:
        del network.handlers["onss"]
    assert seen.reason is Reason.SOURCE_UNAVAILABLE
    assert "row" not in seen.text


async def test_source_that_has_nothing_says_so(network: Network) -> None:
    async def nothing(*arguments: Any) -> Any:
        return None

    network.handlers["onss"] = nothing
    try:
        response = await answered(network, question("nothing"))
    finally:
        del network.handlers["onss"]
    (answer,) = response.answers
    assert (answer.outcome, answer.payload) == (api.SOURCE_OUTCOME_NOTHING, b"")
    assert await kinds_of(network, "nothing") == [Kind.REQUEST, Kind.RELEASE]


async def several(network: Network) -> None:
    """A service with three sources, of which two know the subject."""
    rows = []
    for fund in ("fund-a", "fund-b", "fund-c"):
        address = await network.start_source(f"{fund}/claims")
        rows += [institution(fund, "7/1"), application(fund, "claims", address)]
    await network.published("directory", *rows)
    sources = [f"fund-{each}/claims" for each in "abc"]
    await network.published("catalogue", service(id=OTHER_SERVICE, sources=sources))
    row = grant(id="20/103#1", service=OTHER_SERVICE, source_capacities=["7/1"])
    await network.published("grants", row)
    await network.integrate(KNOWN, CAPAC, "fund-a/claims", "fund-b/claims")


async def test_of_several_sources_those_that_know_the_subject_answer_and_failures_are_their_own(
    network: Network,
) -> None:
    await several(network)
    del network.asked[:]
    response = await answered(network, question("both", service=OTHER_SERVICE))
    outcomes = {each.source: each.outcome for each in response.answers}
    assert outcomes == dict.fromkeys(
        ("fund-a/claims", "fund-b/claims"), api.SOURCE_OUTCOME_ANSWERED
    )
    assert sorted(network.asked) == [("fund-a", KNOWN), ("fund-b", KNOWN)]

    await network.sources["fund-a"].stop(0)
    response = await answered(network, question("one", service=OTHER_SERVICE))
    failed, stands = response.answers
    assert (failed.source, failed.outcome, failed.payload) == (
        "fund-a/claims",
        api.SOURCE_OUTCOME_FAILED,
        b"",
    )
    assert (stands.source, stands.outcome) == ("fund-b/claims", api.SOURCE_OUTCOME_ANSWERED)
    assert Answer.FromString(stands.payload).employments
    assert await kinds_of(network, "one") == [Kind.REQUEST, Kind.RELEASE]

    await network.sources["fund-b"].stop(0)
    seen = await refused(network, question("none", service=OTHER_SERVICE), *FAILED)
    assert (seen.reason, seen.retry) == (Reason.SOURCE_UNAVAILABLE, True)
