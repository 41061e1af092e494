"""What handlers raise, as the other side gets it: by all four kinds of RPC."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, FieldViolation, Reason
from services.runtime.status import CODES
from tests.support.asking import refusal
from tests.support.kinds import KINDS, Kinds, Text, ask, raw
from tests.support.neighbours import Issued
from tests.support.served import World

STREAMED = ("Many", "Both")
SECRET = "85073003328 is nobody's business"
MEBIBYTE = 1024 * 1024


async def served(world: World, failure: Exception | None = None) -> tuple[Channel, Kinds]:
    """A channel to a service that fails, or repeats what it is told."""

    async def behaviour(text: str) -> str:
        if failure is not None:
            raise failure
        return text

    server, kinds = await world.serve(behaviour)
    return await world.channel(server.address), kinds


@pytest.mark.parametrize("kind", KINDS)
async def test_answers_come_back(world: World, kind: str) -> None:
    channel, _ = await served(world)
    assert await ask(channel, kind, "a") == ["a"]


@pytest.mark.parametrize("kind", KINDS)
async def test_error_comes_back_as_the_same_error(world: World, kind: str) -> None:
    raised = CrossroadsError(
        Reason.CONFLICT,
        "another was first; retry",
        fields=(FieldViolation("etag", "is old"),),
        retry_after=0.25,
        metadata={"etag": "7"},
    )
    channel, _ = await served(world, raised)
    with pytest.raises(CrossroadsError) as caught:
        await ask(channel, kind, "a")
    error = caught.value
    assert (error.reason, error.message, error.fields, error.retry_after) == (
        raised.reason,
        raised.message,
        raised.fields,
        raised.retry_after,
    )
    assert error.metadata == {"etag": "7"}
    assert len(error.trace_id) == 32


@pytest.mark.parametrize("kind", KINDS)
async def test_unknown_exception_says_nothing_of_itself(
    world: World, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel, _ = await served(world, RuntimeError(SECRET))
    with caplog.at_level(logging.ERROR):
        seen = await refusal(ask(channel, kind, "a"))
    assert (seen.reason, seen.code) == (Reason.INTERNAL, grpc.StatusCode.INTERNAL)
    assert seen.text == "a fault of the platform; report the trace id"
    (record,) = caplog.records
    assert record.exc_info is not None
    assert kind in record.getMessage()


@pytest.mark.parametrize("kind", STREAMED)
@pytest.mark.parametrize("unknown", [False, True])
async def test_stream_that_fails_late_gives_what_it_gave_and_then_the_error(
    world: World, kind: str, unknown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    channel, kinds = await served(world)
    known = CrossroadsError(Reason.NOT_FOUND, "no more; ask for others")
    kinds.late = RuntimeError(SECRET) if unknown else known
    call = raw(channel, kind)(Text(value="a") if kind == "Many" else both("a"), timeout=10)
    assert (await call.read()).value == "a"
    seen = await refusal(call.read())
    assert seen.reason is (Reason.INTERNAL if unknown else Reason.NOT_FOUND)
    assert SECRET not in seen.text


async def both(*values: str) -> AsyncIterator[Any]:
    for each in values:
        yield Text(value=each)


@pytest.mark.parametrize("kind", KINDS)
async def test_request_that_breaks_a_rule_names_the_field(world: World, kind: str) -> None:
    channel, _ = await served(world)
    seen = await refusal(ask(channel, kind, ""))
    assert (seen.reason, seen.fields) == (Reason.INVALID_ARGUMENT, ("value",))


@pytest.mark.parametrize("kind", KINDS)
async def test_request_over_four_mebibytes_is_refused(world: World, kind: str) -> None:
    channel, _ = await served(world)
    seen = await refusal(ask(channel, kind, "a" * (4 * MEBIBYTE)))
    assert (seen.reason, seen.code) == (
        Reason.MESSAGE_TOO_LARGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_response_over_four_mebibytes_is_not_sent(world: World, kind: str) -> None:
    channel, kinds = await served(world)

    async def much(text: str) -> str:
        return "a" * (4 * MEBIBYTE)

    kinds.behaviour = much
    seen = await refusal(ask(channel, kind, "a"))
    assert seen.reason is Reason.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("kind", KINDS)
async def test_caller_of_the_wrong_class_is_refused(world: World, kind: str) -> None:
    server, _ = await world.serve()
    channel = await world.channel(
        server.address, issuer=Issued(world.pki.person("somebody", lifetime=timedelta(hours=1)))
    )
    seen = await refusal(ask(channel, kind, "a"))
    assert seen.reason is Reason.CALLER_NOT_ALLOWED


@pytest.mark.parametrize("kind", KINDS)
async def test_handler_is_cut_off_at_the_deadline(world: World, kind: str) -> None:
    cut = asyncio.Event()

    async def behaviour(text: str) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()
        return text

    server, _ = await world.serve(behaviour)
    channel = await world.channel(server.address)
    with pytest.raises(CrossroadsError, match="retry with a longer") as caught:
        await ask(channel, kind, "a", timeout=0.3)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    await asyncio.wait_for(cut.wait(), 10)


@pytest.mark.parametrize("kind", KINDS)
async def test_server_that_is_not_there_is_unavailable(world: World, kind: str) -> None:
    server, _ = await world.serve()
    await server.stop(0)
    channel = await world.channel(server.address)
    with pytest.raises(CrossroadsError, match="identity does not answer; retry") as caught:
        await ask(channel, kind, "a")
    assert caught.value.retryable


def test_every_reason_has_a_status_code_that_the_api_names() -> None:
    assert set(CODES) == set(Reason)
