"""One identity for each module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.platform import Postgres
from tests.support.registers import RegisterNetwork, identifying


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RegisterNetwork]:
    """Identity that knows nobody yet, with its log and registry's tables."""
    async with identifying(postgres, tmp_path_factory.mktemp("identity")) as network:
        yield network
