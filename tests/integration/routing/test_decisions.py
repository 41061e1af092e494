"""No authorization, no exchange: what no grant covers is refused, logged, and no source asked."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.asking import answered, kinds_of, question, refusal, refused
from tests.support.network import KNOWN, ONSS, Network
from tests.support.network_rows import application, ended, grant, stamp

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "changes", "condition"),
    [
        ("purpose", {"purpose": "curiosity"}, "purpose"),
        ("element", {"elements": ["employment.wage"]}, "elements"),
        ("one-of-two", {"elements": ["employment.wage", "employment.start"]}, "elements"),
    ],
)
async def test_what_no_grant_names_is_refused(
    network: Network, name: str, changes: dict[str, Any], condition: str
) -> None:
    questions = len(network.asked)
    seen = await refused(network, question(name, **changes), Kind.REFUSAL)
    assert (seen.reason, seen.code) == (Reason.NOT_AUTHORIZED, grpc.StatusCode.PERMISSION_DENIED)
    assert seen.metadata["condition"] == condition
    assert "ask Check of authorization which condition fails" in seen.text
    assert len(network.asked) == questions


async def test_expired_grant_is_refused(network: Network) -> None:
    await network.published("grants", ended(HOUR, id="20/097#1", purpose="expired"))
    seen = await refused(network, question("expired", purpose="expired"), Kind.REFUSAL)
    assert (seen.reason, seen.metadata["condition"]) == (Reason.NOT_AUTHORIZED, "in_force")


async def test_grant_that_is_not_yet_in_force_is_refused(network: Network) -> None:
    start = datetime.now(UTC) + HOUR
    row = grant(id="20/098#1", purpose="later", valid_from=stamp(start))
    await network.published("grants", row)
    seen = await refused(network, question("later", purpose="later"), Kind.REFUSAL)
    assert (seen.reason, seen.metadata["condition"]) == (Reason.NOT_AUTHORIZED, "in_force")


async def test_prohibition_wins(network: Network) -> None:
    row = grant(id="20/099#1", purpose="forbidden")
    wins = grant(id="20/099#2", purpose="forbidden", prohibition=True, elements=[])
    await network.published("grants", row)
    await answered(network, question("not-yet", purpose="forbidden"))
    await network.published("grants", wins)
    seen = await refused(network, question("forbidden", purpose="forbidden"), Kind.REFUSAL)
    assert seen.reason is Reason.NOT_AUTHORIZED


@pytest.mark.parametrize("cause", ["revoked", "ended", "narrowed", "caller"])
async def test_nothing_is_released_when_the_right_ends_while_the_source_is_asked(
    network: Network, cause: str
) -> None:
    row = grant(id=f"{cause}#1", purpose=cause)
    await network.published("grants", row)
    await network.published("directory", application("capac", cause))
    change = {
        "revoked": ("grants", (row[0], None)),
        "ended": ("grants", ended(id=row[0], purpose=cause)),
        "narrowed": ("grants", grant(id=row[0], purpose=cause, elements=["employment.start"])),
        "caller": ("directory", application("capac", cause, active=False)),
    }[cause]

    async def meanwhile(*arguments: Any) -> Any:
        await network.published(*change)
        return await network.employment(*arguments)

    network.handlers["onss"] = meanwhile
    try:
        caller = f"capac/{cause}"
        asked = question(cause, purpose=cause)
        seen = await refused(network, asked, Kind.REQUEST, Kind.REFUSAL, caller=caller)
    finally:
        del network.handlers["onss"]
    assert (seen.reason, seen.retry) == (Reason.NOT_AUTHORIZED, False)
    assert network.asked[-1] == ("onss", KNOWN)


async def test_answer_that_is_kept_is_not_given_once_the_grant_has_ended(network: Network) -> None:
    row = grant(id="20/100#1", purpose="kept")
    await network.published("grants", row)
    await answered(network, question("kept", purpose="kept"))
    await network.published("grants", (row[0], None))
    stub = await network.caller()
    seen = await refusal(stub.Exchange(question("kept", purpose="kept")))
    assert seen.reason is Reason.NOT_AUTHORIZED
    assert await kinds_of(network, "kept") == [Kind.REQUEST, Kind.RELEASE, Kind.REFUSAL]


async def test_many_refusals_of_one_exchange_are_each_in_the_log(network: Network) -> None:
    asked = question("again", purpose="curiosity")
    stub = await network.caller()
    await asyncio.gather(*(refusal(stub.Exchange(asked)) for _ in range(20)))
    assert await kinds_of(network, "again") == [Kind.REFUSAL] * 20
    assert ONSS not in str(network.asked)
