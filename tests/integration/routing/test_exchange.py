"""Exchanges over real mTLS, with a real log and a real database."""

import pytest

from services.proof.record import Kind
from tests.support.asking import question
from tests.support.network import Answer, Network

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
