"""One authorization for each module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.authority import Authority, deciding
from tests.support.platform import Postgres


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def authority(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Authority]:
    """Authorization on an empty table, with its log and registry's tables."""
    async with deciding(postgres, tmp_path_factory.mktemp("authority")) as authority:
        yield authority
