"""What is refused before the decision: counted by institution and minute, and bounded."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.asking import answered, question, refused
from tests.support.network import KNOWN, Network, running
from tests.support.platform import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

BURST = 5
WRONG = f"{KNOWN[:9]}{(int(KNOWN[9:]) % 97) + 1:02}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Network]:
    """A routing that allows each institution a few malformed requests, and hardly more later."""
    folder = tmp_path_factory.mktemp("strict")
    limits: Any = {"malformed_burst": float(BURST), "malformed_per_second": 0.01}
    async with running(postgres, folder, **limits) as network:
        await network.integrate()
        yield network


async def counts(network: Network) -> dict[str, Counter[str]]:
    """By institution what the log has of refusals that came before a decision."""
    async with network.logging_database.connection() as conn:
        rows = await conn.execute(
            "SELECT data_key_id, leaf_hash, evidence FROM entry WHERE kind = %s", (Kind.COUNT,)
        )
        found = await rows.fetchall()
    counted: dict[str, Counter[str]] = {}
    for data_key_id, leaf_hash, evidence in found:
        opened = await network.log.sealer.open(data_key_id, bytes(leaf_hash), bytes(evidence))
        party: dict[str, Any] = json.loads(opened.party)
        assert party["first_minute"] <= party["last_minute"]
        counted.setdefault(party["institution"], Counter()).update(party["reasons"])
    return counted


async def test_malformed_requests_are_bounded_for_each_institution_and_counted_in_the_log(
    strict: Network,
) -> None:
    for _ in range(BURST - 1):
        seen = await refused(strict, question("wrong", subject=WRONG))
        assert seen.reason is Reason.INVALID_KEY
    # What the server refuses before routing sees it counts as well.
    assert (await refused(strict, question("empty", purpose=""))).reason is Reason.INVALID_ARGUMENT
    for _ in range(3):
        seen = await refused(strict, question("wrong", subject=WRONG))
        assert (seen.reason, seen.code) == (
            Reason.OVERLOADED,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )
        assert "correct them, then retry more slowly" in seen.text
        assert seen.retry
    # Neither its own good questions nor those of others are held back.
    await answered(strict, question("good"))
    other = await refused(strict, question("other", version=9), caller="onem/benefits")
    assert other.reason is Reason.UNKNOWN_SERVICE

    await strict.stop_routing()
    assert await counts(strict) == {
        "capac": Counter(INVALID_KEY=BURST - 1, INVALID_ARGUMENT=1, OVERLOADED=3),
        "onem": Counter(UNKNOWN_SERVICE=1),
    }
