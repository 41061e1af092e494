"""No oracle: how long a refusal takes does not tell the causes apart."""

import math
import time
from bisect import bisect_right
from collections import defaultdict
from datetime import date

import pytest

from services.keys import person
from services.runtime.errors import CrossroadsError, Reason
from tests.support.asking import question
from tests.support.network import CAPAC, ONSS, Network

ROUNDS = 150
CRITICAL = 2.7
"""c(alpha) of the two-sample Kolmogorov-Smirnov test for alpha of about one in a million."""


def distance(some: list[float], others: list[float]) -> float:
    """The largest distance between two empirical distributions."""
    one, two = sorted(some), sorted(others)
    return max(
        abs(bisect_right(one, at) / len(one) - bisect_right(two, at) / len(two))
        for at in (*one, *two)
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_durations_of_refusals_are_of_one_distribution(network: Network) -> None:
    known_to_source, known_to_caller, nobody = [
        person.make(date(1971, 1, 1), serial) for serial in (1, 2, 3)
    ]
    await network.integrate(known_to_source, ONSS)
    await network.integrate(known_to_caller, CAPAC)
    caller = await network.caller()
    took: dict[str, list[float]] = defaultdict(list)
    subjects = {"nobody": nobody, "caller": known_to_source, "source": known_to_caller}
    # One after the other, so that whatever else the machine does falls on all of them.
    for number in range(ROUNDS):
        for cause, subject in subjects.items():
            asked = question(f"timing-{cause}-{number}", subject=subject)
            began = time.perf_counter()
            with pytest.raises(CrossroadsError) as raised:
                await caller.Exchange(asked)
            took[cause].append(time.perf_counter() - began)
            assert raised.value.reason is Reason.NOT_INTEGRATED
    bound = CRITICAL * math.sqrt(2 / ROUNDS)
    for cause in ("caller", "source"):
        assert distance(took["nobody"], took[cause]) < bound


def test_distance_tells_distributions_apart() -> None:
    """A refusal that took a third longer would be seen."""
    quick = [1.0 + place / 500 for place in range(ROUNDS)]
    slow = [each * 1.33 for each in quick]
    bound = CRITICAL * math.sqrt(2 / ROUNDS)
    assert distance(quick, quick) == 0
    assert distance(quick, slow) > bound
