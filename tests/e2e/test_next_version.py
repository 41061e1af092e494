"""Tables are migrated by a next version while this one answers, and this one starts on them."""

import psycopg
import pytest

from services.cli.platform.home import SERVICES
from services.cli.platform.postgres import PostgresServer
from tests.support.load import kill, load
from tests.support.next_version import go_ahead
from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("e2e")
WARM = 60
"""Exchanges after which every statement of an exchange is prepared on every connection."""


async def test_no_call_is_lost_while_a_next_version_migrates_and_none_after(
    platform: Running,
) -> None:
    server = PostgresServer(home=platform.home)
    async with load(platform) as made:
        await made.more(WARM)
        for service in SERVICES:
            conn = await psycopg.AsyncConnection.connect(**server.superuser(service))
            async with conn:
                assert await go_ahead(conn)
            await made.more(10)
        await made.more(WARM)
    assert made.refused == []
    for service in SERVICES:
        await kill(platform.home, service)
    async with load(platform) as made:
        await made.more(WARM)
    done = platform.crossroads("log", "verify", "--json")
    assert done.code == 0, done.err
