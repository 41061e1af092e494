"""SIGKILL at random moments under load: what was acknowledged stands, no index twice, log whole.

The moments come from a seed that a failure shows; `make test` runs ten kills, `make test-long` a
hundred.
"""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from tests.support.log_pair import Pair, open_pair
from tests.support.platform import OpenBao

pytestmark = pytest.mark.xdist_group("kills")

LONGEST = 0.8
"""Seconds that an instance serves at most before it is killed."""

BOTH = 0.2
"""How often the other one is killed with it, wherever it is in its start."""


async def kill_again_and_again(pair: Pair, kills: int, chance: random.Random) -> None:
    """Kill who serves, start it again, and so on, while callers append."""
    instances = pair.instances.values()
    async with pair.load.running(callers=12):
        for number in range(kills):
            await pair.load.more(1, seconds=30)
            serving = next((each for each in instances if each.address), None)
            await asyncio.sleep(chance.random() * LONGEST)
            victims = [*instances] if serving is None or chance.random() < BOTH else [serving]
            for victim in victims:
                victim.signal(signal.SIGKILL)
            for victim in victims:
                await victim.ended()
                await victim.start()
            if number % 10 == 9:  # what is lost is seen near where it was
                await pair.kept()
        await pair.load.more(1, seconds=30)
    serving = next(each for each in instances if each.address)
    await pair.kept()
    await pair.clean(serving)


@pytest.mark.parametrize(
    "kills", [10, pytest.param(100, marks=pytest.mark.long)], ids=["ten", "a hundred"]
)
async def test_kills_lose_nothing_that_was_acknowledged(
    openbao: OpenBao, tmp_path: Path, kills: int
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    async with open_pair(openbao, tmp_path) as pair:
        await pair.ready()
        try:
            await kill_again_and_again(pair, kills, random.Random(seed))
        except BaseException as error:
            error.add_note(f"seed {seed}, {len(pair.load.acknowledged)} acknowledged")
            raise
