"""Authorization as it starts beside a registry that is late."""

import asyncio
from pathlib import Path

from crossroads.authorization.v1 import decision_service_pb2 as api
from services.logging.store import LogStore
from tests.support.authority import Authority, register
from tests.support.logs import ORIGIN, Log
from tests.support.platform import Postgres

QUIET_SECONDS = 0.5


async def test_it_serves_only_once_its_copies_are_here(postgres: Postgres, tmp_path: Path) -> None:
    network = Authority({"": postgres}, tmp_path)
    async with network.stack:
        await network.start_owners()
        network.logging_database = await network.database("logging", "services.logging")
        store = await LogStore.open(network.logging_database, ORIGIN)
        network.log = await network.stack.enter_async_context(Log(store).running(key=True))
        await network.start_logging()
        await register(network)
        gate = network.owners.gates["directory"]
        gate.shut()
        starting = asyncio.create_task(network.start_authorization())
        await network.until(lambda: gate.waiting > 0)
        await asyncio.wait({starting}, timeout=QUIET_SECONDS)
        assert not starting.done()
        assert network.authority.health.of("replicas") is False
        gate.open()
        await starting
        stub = await network.as_institution()
        await stub.WhatMay(api.WhatMayRequest(institution="capac"))  # at the first call
        assert network.authority.health.of("replicas") is True
        assert network.authority.deaths == []
