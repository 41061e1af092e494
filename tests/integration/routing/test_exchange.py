"""Exchanges over real mTLS, with a real log and a real database."""

from typing import Any

import pytest

from crossroads.routing.v1 import routing_service_pb2 as api
from services.proof.record import Kind
from tests.support.network import KNOWN, Answer, Network
from tests.support.network_rows import PURPOSE, SERVICE

pytestmark = pytest.mark.asyncio(loop_scope="module")


def question(request_id: str, **changes: Any) -> api.ExchangeRequest:
    """CAPAC's question about the known person."""
    values: dict[str, Any] = {
        "request_id": request_id,
        "service": SERVICE,
        "version": 1,
        "subject": KNOWN,
        "purpose": PURPOSE,
    }
    return api.ExchangeRequest(**{**values, **changes})


async def test_answer_holds_what_is_granted_and_its_release_is_in_the_log(network: Network) -> None:
    caller = await network.caller()
    response = await caller.Exchange(question("first"))
    (answer,) = response.answers
    assert answer.source == "onss/dmfa"
    employment = Answer.FromString(answer.payload).employments[0]
    assert (employment.employer, employment.start) == ("0314595348", "2020-01-01")
    assert not employment.HasField("wage")
    assert await network.entries(response.exchange_id) == [(Kind.REQUEST, 1), (Kind.RELEASE, 1)]
    assert response.receipt.kind == Kind.RELEASE
