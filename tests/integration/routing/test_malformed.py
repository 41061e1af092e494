"""What is refused before the decision: it is counted, not logged, and no source hears of it."""

from typing import Any

import pytest

from crossroads.routing.v1 import routing_service_pb2_grpc as routing_grpc
from services.runtime.errors import CrossroadsError, Reason
from tests.support.asking import kinds_of, question, refusal, refused
from tests.support.network import KNOWN, Network

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = f"{KNOWN[:9]}{(int(KNOWN[9:]) % 97) + 1:02}"
MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("changes", "reason", "field", "remedy"),
    [
        ({"subject": WRONG}, Reason.INVALID_KEY, "subject", "correct the key"),
        ({"subject": "8507300332"}, Reason.INVALID_ARGUMENT, "subject", "correct these fields"),
        ({"service": "nothing"}, Reason.UNKNOWN_SERVICE, "", "ListExchangeServices of registry"),
        ({"version": 9}, Reason.UNKNOWN_SERVICE, "", "ListExchangeServices of registry"),
        ({"version": 0}, Reason.INVALID_ARGUMENT, "version", "correct these fields"),
        ({"question": b"\xff\xff"}, Reason.INVALID_PAYLOAD, "question", "build it from the schema"),
        ({"question": b"\x10\x65"}, Reason.INVALID_PAYLOAD, "question.limit", "build it from"),
        ({"purpose": ""}, Reason.INVALID_ARGUMENT, "purpose", "correct these fields"),
        ({"period": {"from": "2026-02-30"}}, Reason.INVALID_ARGUMENT, "period.from", "calendar"),
        (
            {"period": {"from": "2026-02-02", "until": "2026-02-01"}},
            Reason.INVALID_ARGUMENT,
            "period.until",
            "must not be before",
        ),
    ],
)
async def test_malformed_question_is_refused_with_its_field_and_its_remedy(
    network: Network, changes: dict[str, Any], reason: Reason, field: str, remedy: str
) -> None:
    seen = await refused(network, question("malformed", **changes))
    assert seen.reason is reason
    assert seen.fields == ((field,) if field else ())
    assert remedy in seen.text
    assert network.asked == []


@pytest.mark.parametrize("size", [4 * MEBIBYTE, 6 * MEBIBYTE])
async def test_message_over_four_mebibytes_is_refused(network: Network, size: int) -> None:
    caller = await network.caller()
    asked = question("large", question=b"\x00" * size)
    with pytest.raises(CrossroadsError, match="larger than 4 MiB; send it in parts") as raised:
        await caller.Exchange(asked)
    assert raised.value.reason is Reason.MESSAGE_TOO_LARGE
    assert await kinds_of(network, "large") == []


async def test_call_without_a_deadline_is_refused(network: Network) -> None:
    channel = await network.channel(network.pki.institution("capac", "payments"))
    stub: Any = routing_grpc.RoutingServiceStub(channel.link.channel)
    seen = await refusal(stub.Exchange(question("endless")))
    assert seen.reason is Reason.DEADLINE_REQUIRED
    assert "set one, of 10 s say" in seen.text
    assert await kinds_of(network, "endless") == []


async def test_other_bytes_than_the_message_are_refused(network: Network) -> None:
    channel = await network.channel(network.pki.institution("capac", "payments"))
    call: Any = channel.link.channel.unary_unary("/crossroads.routing.v1.RoutingService/Exchange")
    seen = await refusal(call(b"\xff\xff", timeout=10))
    assert seen.reason is Reason.INVALID_ARGUMENT


async def test_unknown_method_is_refused_and_ends_no_connection(network: Network) -> None:
    channel: Any = await network.channel(network.pki.institution("capac", "payments"))
    call = channel.unary_unary("/crossroads.routing.v1.RoutingService/Nothing")
    with pytest.raises(CrossroadsError, match="knows no such method"):
        await call(b"")
    stub: Any = routing_grpc.RoutingServiceStub(channel)
    assert (await stub.Exchange(question("after-unknown"))).answers
