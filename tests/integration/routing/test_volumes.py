"""The volume of a grant in real exchanges: counted where a restart does not forget it."""

import asyncio

import pytest

from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from tests.support.asking import answered, question, refused
from tests.support.network import Network
from tests.support.network_rows import grant

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMIT = 5


async def test_no_more_questions_are_answered_on_a_day_than_the_grant_allows(
    network: Network,
) -> None:
    row = grant(id="20/200#1", purpose="counted", volume_per_day=LIMIT)
    await network.published("grants", row)
    stub = await network.caller()

    async def asked(place: int) -> Reason | None:
        try:
            await stub.Exchange(question(f"counted-{place}", purpose="counted"))
        except CrossroadsError as error:
            return error.reason
        return None

    reasons = await asyncio.gather(*(asked(place) for place in range(3 * LIMIT)))
    assert reasons.count(None) == LIMIT
    assert set(reasons) == {None, Reason.NOT_AUTHORIZED}

    await network.stop_routing()
    await network.start_routing()
    questions = len(network.asked)
    seen = await refused(network, question("later", purpose="counted"), Kind.REFUSAL)
    assert (seen.reason, seen.metadata["condition"]) == (Reason.NOT_AUTHORIZED, "volume_per_day")
    assert len(network.asked) == questions
    # More was allowed: the rest of it can be used today.
    more = grant(id="20/200#1", purpose="counted", volume_per_day=LIMIT + 1)
    await network.published("grants", more)
    await answered(network, question("more", purpose="counted"))
    seen = await refused(network, question("too-many", purpose="counted"), Kind.REFUSAL)
    assert seen.metadata["condition"] == "volume_per_day"
