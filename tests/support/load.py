"""Exchanges without pause on a running platform, and processes that are killed meanwhile."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.cli.demo import PURPOSE, SERVICE
from services.cli.platform import status
from services.cli.platform.home import Home
from services.cli.platform.status import State
from services.institution.client import CrossroadsClient
from services.runtime.errors import CrossroadsError
from tests.support.asker import asker
from tests.support.running import Running

CALLERS = 4
BACK_SECONDS = 45.0


class Load:
    """Exchanges without pause; how many were answered, and why others were not."""

    def __init__(self, client: CrossroadsClient, subjects: list[str]) -> None:
        self._client = client
        self._subjects = subjects
        self.answered = 0
        self.refused: list[CrossroadsError] = []
        self.stop = asyncio.Event()

    async def run(self, caller: int) -> None:
        """Ask again and again until told to stop."""
        number = caller
        while not self.stop.is_set():
            number += CALLERS
            subject = self._subjects[number % len(self._subjects)]
            try:
                await self._client.exchange(
                    SERVICE, 1, subject=subject, purpose=PURPOSE, timeout=30.0
                )
            except CrossroadsError as error:
                self.refused.append(error)
            else:
                self.answered += 1

    async def more(self, count: int) -> None:
        """Return when so many more were answered."""
        wanted = self.answered + count
        async with asyncio.timeout(BACK_SECONDS):
            while self.answered < wanted:  # noqa: ASYNC110 - many things are waited for
                await asyncio.sleep(0.02)


@asynccontextmanager
async def load(platform: Running) -> AsyncIterator[Load]:
    """Callers that ask until the end of the block; by then all have got their last answer."""
    subjects = platform.store.all_integrated_in(("capac", "18/1"), ("onss", "12/10"))
    async with asker(platform.home) as client:
        made = Load(client, subjects)
        async with asyncio.TaskGroup() as callers:
            for number in range(CALLERS):
                callers.create_task(made.run(number))
            try:
                yield made
            finally:
                made.stop.set()


async def kill(home: Home, name: str) -> None:
    """Kill a process; return when the supervisor has brought it back."""
    before = status.read(home).processes[name]
    os.kill(before.pid, signal.SIGKILL)
    async with asyncio.timeout(BACK_SECONDS):
        while True:
            now = status.read(home).processes[name]
            if now.pid != before.pid and now.state is State.SERVING:
                return
            await asyncio.sleep(0.02)
