"""A subscriber that stood still decides on nothing that it finds in its buffers."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.postgres import Database
from services.runtime.watch.owner import Table
from services.runtime.watch.rows import Change
from tests.support.watching import Gate, served, until

STANDSTILL_SECONDS = 8.0
"""Four times the lease."""


class Decider:
    """A subscriber in a process of its own, and the decisions that it has reported."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.decisions: list[tuple[int, bool]] = []

    async def read(self) -> None:
        """Take its reports as they come."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            version, granted = line.split()
            self.decisions.append((int(version), granted == b"True"))

    def send(self, number: signal.Signals) -> None:
        """Stop it, or let it go on."""
        os.kill(self.process.pid, number)

    @property
    def last_version(self) -> int:
        """What it decided on last; -1 before it ever did."""
        return self.decisions[-1][0] if self.decisions else -1


@asynccontextmanager
async def deciding(target: str) -> AsyncIterator[Decider]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.watching", target, stdout=asyncio.subprocess.PIPE
    )
    decider = Decider(process)
    reader = asyncio.create_task(decider.read())
    try:
        yield decider
    finally:
        process.kill()
        await process.wait()
        await reader


async def test_a_subscriber_that_stood_still_does_not_decide_on_buffered_news(
    database: Database, table: Table
) -> None:
    async def publish(value: bytes | None) -> int:
        async with database.transaction() as conn:
            return (await table.publish(conn, Change("grant", value))).version

    await publish(b"1")
    await table.load()
    gate = Gate()
    async with served(table, gate) as target, deciding(target) as decider:
        await until(lambda: decider.last_version == 1)
        # While the gate is shut a ping waits for its pong, and a version is on its way.
        gate.shut()
        await asyncio.sleep(0.6)
        decider.send(signal.SIGSTOP)
        assert await publish(b"2") == 2
        await until(lambda: table.version == 2)
        passed = gate.passed
        gate.open()
        await until(lambda: gate.passed >= passed + 3)
        gate.shut()
        # Both lie in the buffers of the process that stands still; the grant ends meanwhile.
        assert await publish(None) == 3
        await asyncio.sleep(STANDSTILL_SECONDS)
        stood = len(decider.decisions)
        decider.send(signal.SIGCONT)
        await asyncio.sleep(1)
        assert len(decider.decisions) == stood
        gate.open()
        await until(lambda: decider.last_version == 3)
        assert set(decider.decisions[stood:]) == {(3, False)}
