"""One contact centre for each module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.centre import Centre, answering
from tests.support.platform import Postgres


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Centre]:
    """Contact without a contact, with its log and registry's table of persons."""
    async with answering(postgres, tmp_path_factory.mktemp("centre")) as centre:
        yield centre
