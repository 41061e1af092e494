"""A process made up for tests: it asks its database in each call that it answers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.runtime.config import RuntimeConfig
from services.runtime.tasks import TaskDiedError
from services.runtime.wiring import Runtime
from tests.support.kinds import DESCRIPTOR, Kinds, adder


@asynccontextmanager
async def answering(config: RuntimeConfig) -> AsyncIterator[tuple[Runtime, str]]:
    """The process and its address (host:port); no task of it may die meanwhile."""
    deaths: list[TaskDiedError] = []
    package = f"services.{config.name}"
    runtime = Runtime(config=config, package=package, on_death=deaths.append)
    async with AsyncExitStack() as stack:
        await runtime.open()
        stack.push_async_callback(runtime.close)
        database = await runtime.database()

        async def behaviour(text: str) -> str:
            await database.ping()
            return text

        runtime.server.add(adder, Kinds(behaviour), DESCRIPTOR)
        address = await runtime.server.start()
        stack.push_async_callback(runtime.server.stop, 0)
        runtime.health.serving = True
        yield runtime, address
    assert deaths == []
