"""The supervisor as a command uses it: up, kill -9, down, up again."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from services.cli.platform import plan, processes, status
from services.cli.platform.home import Home, PlatformError
from services.cli.platform.instance import Platform
from services.cli.platform.plan import Plan, ProcessSpec
from services.cli.platform.postgres import PostgresServer
from services.cli.platform.status import State, Status

pytestmark = pytest.mark.xdist_group("supervisor")

SERVER = """
import asyncio, sys, grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
async def main():
    server, servicer = grpc.aio.server(), health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(sys.argv[1])
    await server.start()
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.wait_for_termination()
asyncio.run(main())
"""


def source(name: str, *depends_on: str) -> ProcessSpec:
    """A process that serves nothing but its health."""
    health = f"127.0.0.1:{{port:{name}}}"
    argv = ("{python}", "-c", SERVER, health)
    return ProcessSpec(name, argv, config="x = 1\n", health=health, depends_on=depends_on)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    """A home whose plan has no service of ours; what runs in it is ended."""
    made = Home(tmp_path / "home")
    made.make()
    plan.save(made, Plan(services=()))
    yield made
    await Platform.down(made)
    made.socket_dir.rmdir()


async def until(home: Home, name: str, state: State, *, restarts: int) -> None:
    """Wait until a process is in this state after so many restarts."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        known = status.read(home).processes.get(name)
        if known is not None and known.state is state and known.restarts == restarts:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{name} is not {state}")


def pids(home: Home) -> dict[str, int]:
    return {name: each.pid for name, each in status.read(home).processes.items()}


async def test_what_is_killed_comes_back_and_the_second_start_finds_the_data(home: Home) -> None:
    told: list[Status] = []
    up = await Platform.up(
        home, processes=[source("one")], applications=[("x", "app")], progress=told.append
    )
    assert up.state is State.SERVING
    assert told[0].state in (State.STARTING, State.STOPPED)
    assert set(up.processes) == {"postgres", "openbao", "one"}
    assert (home.config / "one.toml").read_text() == "x = 1\n"
    certificate = (home.institutions / "x.app" / "cert.pem").read_bytes()
    assert (home.institutions / "x.app" / "key.pem").stat().st_mode & 0o777 == 0o600

    for name in ("one", "postgres", "openbao"):
        os.kill(pids(home)[name], signal.SIGKILL)
        await until(home, name, State.SERVING, restarts=1)
    with psycopg.connect(**PostgresServer(home=home).superuser()) as conn:
        conn.execute("CREATE TABLE kept (id integer)")

    assert await Platform.down(home)
    assert (await Platform.status(home)).state is State.STOPPED
    assert not await Platform.down(home)
    assert not list(home.run.glob("*.pid"))

    again = await Platform.up(home)
    assert set(again.processes) == {"postgres", "openbao", "one"}
    assert (home.institutions / "x.app" / "cert.pem").read_bytes() == certificate
    with psycopg.connect(**PostgresServer(home=home).superuser()) as conn:
        assert conn.execute("SELECT count(*) FROM kept").fetchone() == (0,)


async def test_a_process_can_be_added_while_the_others_run(home: Home) -> None:
    await Platform.up(home, processes=[source("one")])
    before = pids(home)
    up = await Platform.up(home, processes=[source("two", "one")], persons=["p"])
    assert up.processes["two"].state is State.SERVING
    assert {name: pid for name, pid in pids(home).items() if name != "two"} == before
    assert (home.persons / "p" / "cert.pem").exists()


async def test_a_supervisor_that_was_killed_leaves_nothing_that_the_next_does_not_end(
    home: Home,
) -> None:
    await Platform.up(home, processes=[source("one")])
    running = status.supervisor(home)
    assert running is not None
    left = [processes.identify(pid) for pid in pids(home).values()]
    os.kill(running.pid, signal.SIGKILL)
    while running.alive:  # noqa: ASYNC110 - nothing tells of the end of a stranger
        await asyncio.sleep(0.01)
    assert (await Platform.status(home)).state is State.STOPPED
    await Platform.up(home)
    assert all(each is not None and not each.alive for each in left)


async def test_two_homes_run_beside_each_other_and_each_ends_its_own(
    home: Home, tmp_path: Path
) -> None:
    other = Home(tmp_path / "other")
    other.make()
    plan.save(other, Plan(services=()))
    try:
        await Platform.up(home, processes=[source("one")])
        await Platform.up(other, processes=[source("one")])
        await Platform.down(other)
        assert (await Platform.status(home)).state is State.SERVING
        assert all(processes.identify(pid) for pid in pids(home).values())
    finally:
        await Platform.down(other)
        other.socket_dir.rmdir()


async def test_a_start_that_fails_says_why(home: Home) -> None:
    home.postgres.mkdir()
    (home.postgres / "data").mkdir()
    (home.postgres / "data" / "PG_VERSION").write_text("9.0\n")
    with pytest.raises(PlatformError, match=r"postgres\.log"):
        await Platform.up(home)
    assert not list(home.run.glob("*.pid"))
