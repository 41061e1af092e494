"""Each write and each fsync fails once, in the log's process or in PostgreSQL's, under load.

What fails is chosen at the system call (strace). The process may end by it, as by a crash, or hang:
it is started again, as by its supervisor when it ended or does not answer its probe. No
acknowledged entry is lost, no index is given twice, fsck finds nothing, and entries are taken
again. `make test` tries a few; `make test-long` fails the first, the second and so on of each call
until there are no more, from the start of the process on.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from tests.support.log_pair import Pair, open_pair
from tests.support.log_processes import Instance, until
from tests.support.own_platform import OwnPlatform
from tests.support.system_calls import Fault, failing, require_strace

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("faults")]

SECONDS = 60.0
"""At most: a traced process is slow, and the machine may do much else."""

PROBE_SECONDS = 15.0
"""How long a process may take no entry before it is killed as one that hangs."""

LAST = 400
"""The campaign's last call, should there be more."""

OF_THE_LOG = [
    ("write", "ENOSPC"),  # on files: that of a thread's wake-up, which is no write, can't fail
    ("write", "EIO"),
    ("sendto", "ECONNRESET"),
    ("sendmsg", "ECONNRESET"),
    ("fsync", "EIO"),
    ("rename", "EIO"),
]
OF_POSTGRESQL = [("pwrite64", "ENOSPC"), ("fdatasync", "EIO"), ("fsync", "EIO")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(
    platform: OwnPlatform, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """A log of which one process runs, on a database of its own."""
    require_strace()
    async with open_pair(platform.openbao, tmp_path_factory.mktemp("calls")) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="module")
async def log(pair: Pair) -> Instance:
    instance = pair.instances["one"]
    if not instance.runs:
        await instance.start()
    await instance.serving(SECONDS)
    return instance


async def goes_on(pair: Pair, log: Instance, platform: OwnPlatform) -> None:
    """Entries are taken again; what ended or hangs is started, as by a supervisor."""
    done, loop = more(pair, 20), asyncio.get_running_loop()
    probe = loop.time() + PROBE_SECONDS
    async with asyncio.timeout(3 * SECONDS):
        while not done():
            platform.postgres.revive()
            if loop.time() > probe:
                await log.end()
            if not log.runs:
                await log.start()
                probe = loop.time() + SECONDS
            await asyncio.sleep(0.02)


def more(pair: Pair, count: int) -> Callable[[], bool]:
    """Whether so many further entries were acknowledged."""
    goal = len(pair.load.acknowledged) + count
    return lambda: len(pair.load.acknowledged) >= goal


@pytest.mark.parametrize(
    ("call", "error"), [("write", "ENOSPC"), ("fsync", "EIO"), ("rename", "EIO")]
)
async def test_a_copy_of_the_checkpoint_that_fails_once_is_made_up_for_by_the_same_process(
    platform: OwnPlatform, pair: Pair, log: Instance, tmp_path: Path, call: str, error: str
) -> None:
    pid = log.pid
    fault = Fault(call, error, paths=[f"{log.copy}.new"])
    async with pair.load.running():
        async with failing(fault, [log.pid], tmp_path / "notes") as injected:
            await until(lambda: injected.count, SECONDS, log.said)
        await pair.load.more(50, SECONDS)
    assert log.pid == pid
    assert log.runs
    assert await log.healthy("checkpoint_copy")
    await pair.kept()
    await pair.clean(log)


@pytest.mark.parametrize("when", [1, 4])
async def test_a_message_to_the_database_that_cannot_be_sent_loses_nothing(
    platform: OwnPlatform, pair: Pair, log: Instance, tmp_path: Path, when: int
) -> None:
    async with pair.load.running():
        fault = Fault("sendto", "ECONNRESET", when)
        async with failing(fault, [log.pid], tmp_path / "notes") as injected:
            await until(lambda: injected.count, SECONDS, log.said)
        await goes_on(pair, log, platform)
    await pair.kept()
    await pair.clean(log)


@pytest.mark.parametrize(("call", "error"), [("fdatasync", "EIO"), ("pwrite64", "ENOSPC")])
async def test_a_write_that_fails_in_postgresql_loses_nothing(
    platform: OwnPlatform, pair: Pair, log: Instance, tmp_path: Path, call: str, error: str
) -> None:
    async with pair.load.running():
        fault = Fault(call, error, 2)
        async with failing(fault, platform.postgres.processes(), tmp_path / "notes") as injected:
            await until(lambda: injected.count, SECONDS, log.said)
        await goes_on(pair, log, platform)
    await pair.kept()
    await pair.clean(log)


async def start_with(fault: Fault, pair: Pair, log: Instance, notes: Path) -> int:
    """Start the process with a fault in it, until it works or ended; how often it was put in."""
    await log.end()
    await log.start(stopped=True)
    await until(lambda: _is_stopped(log.pid), SECONDS, log.said)
    done = more(pair, 50)
    async with failing(fault, [log.pid], notes) as injected:
        log.signal(signal.SIGCONT)
        with suppress(TimeoutError):
            async with asyncio.timeout(PROBE_SECONDS):
                await until(lambda: not log.runs or done(), SECONDS, log.said)
    return injected.count


async def work_with(fault: Fault, pair: Pair, platform: OwnPlatform, notes: Path) -> int:
    """Let PostgreSQL work with a fault in it, until it struck; how often it was put in."""
    done = more(pair, 100)
    async with failing(fault, platform.postgres.processes(), notes) as injected:
        await asyncio.to_thread(checkpoint, platform)
        await until(lambda: injected.count or done(), SECONDS, lambda: f"{fault}")
    return injected.count


def checkpoint(platform: OwnPlatform) -> None:
    """Have PostgreSQL write and sync its tables, or try to."""
    with suppress(psycopg.Error), psycopg.connect(**platform.postgres.server.superuser()) as conn:
        conn.execute("CHECKPOINT")


@pytest.mark.long
@pytest.mark.parametrize(("call", "error"), OF_THE_LOG)
async def test_each_call_of_the_log_that_fails_once_loses_nothing(
    platform: OwnPlatform, pair: Pair, log: Instance, tmp_path: Path, call: str, error: str
) -> None:
    files = [f"{log.copy}.new", str(log.output)]
    async with pair.load.running():
        for when in range(1, LAST + 1):
            fault = Fault(call, error, when, files if call == "write" else ())
            struck = await start_with(fault, pair, log, tmp_path / "notes")
            await goes_on(pair, log, platform)
            if when % 10 == 0:  # what is lost is seen near where it was
                await pair.kept()
            if not struck:
                assert when > 1, "nothing was made to fail"
                break
    await pair.kept()
    await pair.clean(log)


@pytest.mark.long
@pytest.mark.parametrize(("call", "error"), OF_POSTGRESQL)
async def test_each_call_of_postgresql_that_fails_once_loses_nothing(
    platform: OwnPlatform, pair: Pair, log: Instance, tmp_path: Path, call: str, error: str
) -> None:
    async with pair.load.running():
        for when in range(1, LAST + 1):
            fault = Fault(call, error, when)
            struck = await work_with(fault, pair, platform, tmp_path / "notes")
            await goes_on(pair, log, platform)
            if when % 10 == 0:
                await pair.kept()
            if not struck:
                assert when > 1, "nothing was made to fail"
                break
    await pair.kept()
    await pair.clean(log)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
