"""A service as a process: its configuration, its drain, and its end when a task of it dies."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.platform.configuration import toml
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, Reason
from tests.support.kinds import Text, ask, raw
from tests.support.served import World
from tests.support.watching import until

PATIENCE = 20.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Process:
    """The made-up service, its files in one folder."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self.run_dir = folder / "run"
        self.process: asyncio.subprocess.Process | None = None
        self.published: dict[str, Any] = {}

    def configure(self, **changes: Any) -> Path:
        """Write the configuration; the path of the file."""
        leaf = self._world.pki.service("identity")
        files = {"key": leaf.key_pem, "chain": leaf.chain_pem, **self._world.pki.issuers}
        for name, pem in files.items():
            (self._folder / f"{name}.pem").write_bytes(pem)
        own = {
            "name": "kinds",
            "run_dir": str(self.run_dir),
            "drain_seconds": 1.5,
            "grace_seconds": 5.0,
            **changes,
            "certificate": {f"{each}_file": self._path(each) for each in ("key", "chain")},
            "trust": {f"{each}s": self._path(each) for each in self._world.pki.issuers},
        }
        file = self._folder / "kinds.toml"
        file.write_text(toml({"runtime": own}))
        return file

    async def start(self, *arguments: str, **changes: Any) -> None:
        """Run it, whatever becomes of it."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.kinds_process",
            "--config",
            str(self.configure(**changes)),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def serving(self) -> Channel:
        """A channel to it, once it says where it is."""
        await self.start()
        published = self.run_dir / "kinds.json"
        await until(published.exists)
        self.published = json.loads(published.read_text())
        return await self._world.channel(self.published["address"])

    async def ended(self) -> tuple[int, str]:
        """How it ended, and what it wrote."""
        assert self.process is not None
        async with asyncio.timeout(PATIENCE):
            out, error = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, (out + error).decode()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def _path(self, name: str) -> str:
        return str(self._folder / f"{name}.pem")


@pytest.fixture
async def process(world: World, tmp_path: Path) -> AsyncIterator[Process]:
    """One process, which does not outlive the test."""
    made = Process(world, tmp_path)
    yield made
    if made.process is not None and made.process.returncode is None:
        made.tell(signal.SIGKILL)
        await made.ended()


async def test_told_to_end_it_says_so_first_and_loses_no_call(process: Process) -> None:
    channel = await process.serving()
    stream = raw(channel, "Both")(endless())
    assert (await stream.read()).value == "a"
    async with grpc.aio.insecure_channel(process.published["health"]) as plain:
        health = health_pb2_grpc.HealthStub(plain)  # type: ignore[no-untyped-call]
        check = health_pb2.HealthCheckRequest()
        assert (await health.Check(check)).status == SERVING
        process.tell(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            while (await health.Check(check)).status != NOT_SERVING:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        # While it says so it still answers, and what it has begun it ends.
        assert await ask(channel, "One", "a") == ["a"]
        assert await ask(channel, "One", "slow") == ["slow"]
    with pytest.raises(CrossroadsError, match="shutting down; retry") as caught:
        await stream.read()
    assert caught.value.reason is Reason.UNAVAILABLE
    code, written = await process.ended()
    assert code == 0
    assert [json.loads(line)["message"] for line in written.splitlines()][-2:] == [
        "draining",
        "stopped",
    ]
    assert not (process.run_dir / "kinds.json").exists()


async def endless() -> AsyncIterator[Any]:
    yield Text(value="a")
    await asyncio.Event().wait()


async def test_death_of_a_task_ends_the_process_with_the_reason(process: Process) -> None:
    channel = await process.serving()
    await ask(channel, "One", "die")
    code, written = await process.ended()
    assert code == 70
    lines = [json.loads(line) for line in written.splitlines()]
    (critical,) = [each for each in lines if each["level"] == "CRITICAL"]
    assert critical["message"] == "background task background raised; ending"
    assert critical["error"] == "ValueError: told to die"


async def test_configuration_with_an_unknown_key_is_refused(process: Process) -> None:
    await process.start(drain_second=1.0)
    code, written = await process.ended()
    assert code == 78
    assert "runtime.drain_second: unknown key; did you mean drain_seconds?" in written


async def test_good_configuration_is_said_to_be_good_without_starting(process: Process) -> None:
    await process.start("--check-config")
    code, written = await process.ended()
    assert (code, written.strip().endswith("kinds.toml: good")) == (0, True)
    assert not process.run_dir.exists()


async def test_port_that_is_taken_ends_the_process_with_the_reason(
    process: Process, world: World
) -> None:
    server, _ = await world.serve()
    await process.start(listen=server.address)
    code, written = await process.ended()
    assert code == 70
    last = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    (critical,) = [each for each in last if each["level"] == "CRITICAL"]
    assert critical["message"] == "could not start; ending"
    assert "can't listen on" in critical["error"]


@pytest.mark.long  # it waits for ten seconds, and then some
async def test_an_end_that_hangs_is_cut_off(process: Process) -> None:
    channel = await process.serving()
    assert await ask(channel, "One", "hang") == ["hang"]
    process.tell(signal.SIGTERM)
    code, _ = await process.ended()
    assert code == -signal.SIGALRM
