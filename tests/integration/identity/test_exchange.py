"""A replaced key in an exchange: routing on identity itself."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.identity.model import Register
from tests.support.asking import answered, question
from tests.support.key_store import BCSS, RN, bis, national, persons
from tests.support.platform import Postgres
from tests.support.registers import RegisterNetwork, identifying

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RegisterNetwork]:
    """CAPAC asks the ONSS; identity knows nobody yet."""
    folder = tmp_path_factory.mktemp("identity")
    async with identifying(postgres, folder, exchanging=True) as network:
        yield network


async def replaced(network: RegisterNetwork, old: str, new: str) -> None:
    """Replace a key, and wait until routing knows."""
    version = await network.replace(old, new)
    await network.until(lambda: network.replicas.versions()["replacements"][0] >= version)


async def test_replaced_key_is_answered_under_the_end_of_its_chain(
    network: RegisterNetwork,
) -> None:
    await network.register(BCSS, persons(1, register=Register.BIS))
    await network.register(RN, persons(1, 2))
    await network.integrate(bis(1))
    await replaced(network, bis(1), national(1))
    response = await answered(network, question("once", subject=bis(1)))
    assert response.current_key == national(1)
    assert network.asked[-1] == ("onss", national(1))

    await replaced(network, national(1), national(2))
    for request_id, subject in (("twice", bis(1)), ("once-more", national(1))):
        response = await answered(network, question(request_id, subject=subject))
        assert response.current_key == national(2)
        assert network.asked[-1] == ("onss", national(2))
    response = await answered(network, question("current", subject=national(2)))
    assert response.current_key == ""
