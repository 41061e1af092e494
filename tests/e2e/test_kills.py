"""SIGKILL of every process under load: the supervisor brings it back, and no receipt is lost."""

import pytest

from services.cli.asking import RECEIPTS
from services.cli.platform.home import SERVICES
from services.institution.receipts import read
from tests.support.load import kill, load
from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("e2e")
KILLED = (*SERVICES, "sources-1", "postgres", "openbao")


async def test_whatever_is_killed_comes_back_and_every_receipt_is_in_the_log(
    platform: Running,
) -> None:
    async with load(platform) as made:
        await made.more(10)
        for name in KILLED:
            await kill(platform.home, name)
            await made.more(10)
    assert all(error.retryable for error in made.refused)
    done = platform.crossroads("log", "verify", "--json")
    assert done.code == 0, done.err
    held = sum(1 for file in platform.home.institutions.glob(f"*/{RECEIPTS}") for _ in read(file))
    assert done.document["proven"] == held >= made.answered
