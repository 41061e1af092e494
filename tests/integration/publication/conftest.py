"""One public side for each module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.platform import Postgres
from tests.support.publishing import PublicWorld, publishing


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PublicWorld]:
    """Publication that shows nothing yet, and what can be pushed to it."""
    async with publishing(postgres, tmp_path_factory.mktemp("public")) as world:
        yield world
