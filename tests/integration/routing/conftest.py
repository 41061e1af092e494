"""One routing with its neighbours for each module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.network import Network, running
from tests.support.platform import Postgres


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Network]:
    """CAPAC asks, the ONSS answers; both have integrated one person."""
    async with running(postgres, tmp_path_factory.mktemp("routing")) as network:
        await network.integrate()
        yield network
