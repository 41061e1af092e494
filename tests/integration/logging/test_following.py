"""Other services follow a takeover of the log over the channel that they have.

One instance is stopped (SIGSTOP: its connections stay open, and say nothing) or killed; acts go
through the journal of every service, exchanges through routing's stream.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from services.proof.act import act
from services.proof.record import Kind, canonical_json
from services.routing.log import LogStream
from services.routing.records import Entry
from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError
from services.runtime.ids import SystemIds
from services.runtime.journal import Journal
from tests.support.log_pair import Pair, open_pair
from tests.support.platform import OpenBao

pytestmark = pytest.mark.xdist_group("takeover")

FOLLOWED = 5.0
"""Seconds within which an entry must be durable with the other instance (issue 4)."""


class Callers:
    """A service that logs acts, and routing."""

    def __init__(self, pair: Pair) -> None:
        stub: Any = cast("Any", LoggingServiceStub)(pair.channel)
        self._journal = Journal(channel=pair.channel)
        self._stream = LogStream(connect=stub.AppendStream, clock=SystemClock(), ids=SystemIds())

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Callers"]:
        task = asyncio.create_task(self._stream.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def log(self) -> None:
        """An entry each way, tried until it is durable."""
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            group.create_task(self._insist(self._act))
            group.create_task(self._insist(self._exchange))

    async def _insist(self, once: Any) -> None:
        while True:
            try:
                await once()
            except CrossroadsError:
                await asyncio.sleep(0.05)
            else:
                return

    async def _act(self) -> None:
        await self._journal.append(act(os.urandom(16), "test.act", by=["tester"], audit={}))

    async def _exchange(self) -> None:
        section = canonical_json({"test": "yes"})
        entry = Entry(os.urandom(16), Kind.REFUSAL, 1, section, section, section)
        await self._stream.append(entry, time.monotonic() + 10)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
async def test_callers_follow_to_the_standby_over_the_same_channel(
    openbao: OpenBao, tmp_path: Path, how: signal.Signals
) -> None:
    async with open_pair(openbao, tmp_path / "pair") as pair, Callers(pair).running() as callers:
        serving, _ = await pair.ready()
        await callers.log()
        pair.instances[serving].signal(how)
        began = time.monotonic()
        await callers.log()
        assert time.monotonic() - began < FOLLOWED
        await callers.log()
