"""No oracle: whoever is not integrated gets one refusal, and nothing tells the causes apart."""

from collections import Counter
from datetime import date

import grpc
import pytest

from services.keys import person
from services.proof.record import Kind
from services.runtime.errors import Reason
from tests.support.asking import answered, question, refused
from tests.support.network import CAPAC, KNOWN, ONSS, REPLACED, STRANGER, Answer, Network
from tests.support.network_rows import grant, replacement

pytestmark = pytest.mark.asyncio(loop_scope="module")


def somebody(serial: int) -> str:
    """The key of a synthetic person."""
    return person.make(date(1970, 1, 1), serial)


UNKNOWN_TO_CALLER, UNKNOWN_TO_SOURCE, UNVERIFIED, OLD = (somebody(each) for each in range(1, 5))
OTHER_CAPACITY = somebody(5)


async def test_refusal_is_the_same_whatever_the_cause(network: Network) -> None:
    await network.integrate(UNKNOWN_TO_CALLER, ONSS)
    await network.integrate(UNKNOWN_TO_SOURCE, CAPAC)
    await network.integrate(UNVERIFIED, CAPAC, ONSS, known=False)
    await network.integrate(OTHER_CAPACITY, "onem/benefits", ONSS)
    await network.published("replacements", replacement(OLD, STRANGER))
    causes = {
        "nobody": STRANGER,
        "caller": UNKNOWN_TO_CALLER,
        "source": UNKNOWN_TO_SOURCE,
        "unverified": UNVERIFIED,
        "capacity": OTHER_CAPACITY,
        "replaced": OLD,
    }
    before = list(network.asked)
    seen = {
        cause: await refused(network, question(f"oracle-{cause}", subject=subject), Kind.REFUSAL)
        for cause, subject in causes.items()
    }
    assert len({each.said for each in seen.values()}) == 1
    assert len({(each.code, each.retry, each.fields) for each in seen.values()}) == 1
    refusal = seen["nobody"]
    assert (refusal.reason, refusal.code) == (
        Reason.NOT_INTEGRATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    assert "declare the integration first" in refusal.text
    assert set(refusal.metadata) == {"exchange_id"}
    assert network.asked == before


async def test_refusals_differ_in_size_by_nothing_in_the_log(network: Network) -> None:
    """What an institution can count of the log (its size, the kinds) is the same for each cause."""
    await network.integrate(UNKNOWN_TO_SOURCE, CAPAC)
    grown = []
    for number, subject in enumerate((STRANGER, UNKNOWN_TO_SOURCE)):
        before = Counter(await network.logged())
        await refused(network, question(f"size-{number}", subject=subject), Kind.REFUSAL)
        grown.append(Counter(await network.logged()) - before)
    assert grown == [Counter({Kind.REFUSAL: 1})] * 2


async def test_replaced_key_is_answered_under_the_new_one_and_said(network: Network) -> None:
    response = await answered(network, question("replaced", subject=REPLACED))
    assert response.current_key == KNOWN
    assert network.asked[-1] == ("onss", KNOWN)
    assert Answer.FromString(response.answers[0].payload).employments
    response = await answered(network, question("current"))
    assert response.current_key == ""


async def test_integration_that_was_declared_under_the_old_key_counts(network: Network) -> None:
    old, new = somebody(6), somebody(7)
    await network.integrate(old)
    await network.published("replacements", replacement(old, new))
    assert (await answered(network, question("old", subject=old))).current_key == new
    assert (await answered(network, question("new", subject=new))).current_key == ""


async def test_check_that_does_not_block_is_a_flag_and_nothing_more(network: Network) -> None:
    row = grant(id="20/101#1", purpose="statistics", blocking=False)
    await network.published("grants", row)
    response = await answered(network, question("flag", subject=STRANGER, purpose="statistics"))
    assert (response.not_integrated, response.current_key) == (True, "")
    assert network.asked[-1] == ("onss", STRANGER)
    response = await answered(network, question("flag-old", subject=OLD, purpose="statistics"))
    assert (response.not_integrated, response.current_key) == (True, "")
    response = await answered(network, question("no-flag", purpose="statistics"))
    assert response.not_integrated is False


async def test_failure_of_the_source_is_not_told_to_who_has_not_integrated(
    network: Network,
) -> None:
    row = grant(id="20/102#1", purpose="overview", blocking=False)
    await network.published("grants", row)
    address = network.sources["onss"].address
    await network.sources["onss"].stop(0)
    try:
        asked = question("quiet", subject=STRANGER, purpose="overview")
        seen = await refused(network, asked, Kind.REQUEST, Kind.REFUSAL)
        asked = question("told", purpose="overview")
        told = await refused(network, asked, Kind.REQUEST, Kind.REFUSAL)
    finally:
        await network.start_source(ONSS, listen=address)
    assert (seen.reason, told.reason) == (Reason.UNAVAILABLE, Reason.SOURCE_UNAVAILABLE)
    assert seen.code is told.code
    assert "source" not in seen.text
    await answered(network, question("back"))
