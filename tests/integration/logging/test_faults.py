"""A log as a process under load while its database dies, and while its disks are full.

Whatever fails: no acknowledged entry is lost, no index is given twice, fsck finds nothing, and the
service takes entries again by itself once the fault is over.
"""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runtime.errors import CrossroadsError, Reason
from tests.support.log_pair import Pair, open_pair
from tests.support.log_processes import Instance, new_entry, until
from tests.support.own_platform import OwnPlatform
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("faults")]

SECONDS = 30.0
"""At most, for what takes one or two: the machine may do much else."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(
    platform: OwnPlatform, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """A log of which one process runs, on a database of its own."""
    async with open_pair(platform.openbao, tmp_path_factory.mktemp("faults")) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="module")
async def log(pair: Pair) -> Instance:
    instance = pair.instances["one"]
    if not instance.runs:
        await instance.start()
    await instance.serving(SECONDS)
    return instance


async def sound(pair: Pair, log: Instance, pid: int) -> None:
    """The same process serves, and nothing is lost."""
    assert log.runs, log.said()
    assert log.pid == pid
    await pair.kept()
    await pair.clean(log)


@pytest.mark.parametrize(
    "kills", [2, pytest.param(30, marks=pytest.mark.long)], ids=["twice", "thirty times"]
)
async def test_a_killed_database_loses_nothing_and_the_log_goes_on_once_it_is_back(
    platform: OwnPlatform, pair: Pair, log: Instance, kills: int
) -> None:
    pid, chance = log.pid, random.Random()
    async with pair.load.running():
        for number in range(kills):
            await pair.load.more(50, SECONDS)
            await asyncio.sleep(chance.random() * 0.3)
            with platform.postgres.killed(postmaster=number % 2 == 1):
                await more_refused(pair, log, 1)
                assert not await log.healthy("log")
                await asyncio.sleep(chance.random() * 0.5)
            await pair.load.more(50, SECONDS)
    assert await log.healthy("log")
    await sound(pair, log, pid)


async def test_a_full_disk_under_the_database_refuses_entries_until_there_is_room(
    platform: OwnPlatform, pair: Pair, log: Instance
) -> None:
    if platform.disk is None:
        pytest.skip(platform.no_disk)
    pid = log.pid
    async with pair.load.running():
        await pair.load.more(50, SECONDS)
        with platform.disk.full():
            await refused(pair, log, platform.disk)
            assert not await log.healthy("log")
        platform.postgres.revive()
        await pair.load.more(50, SECONDS)
    assert await log.healthy("log")
    await sound(pair, log, pid)


async def test_a_full_disk_under_the_copy_of_the_checkpoint_refuses_entries_until_there_is_room(
    pair: Pair, log: Instance
) -> None:
    pid = log.pid
    with small_disk(log.copy.parent, "64k") as disk:
        async with pair.load.running():
            await until(log.copy.exists, SECONDS, log.said)
            with disk.full():
                await refused(pair, log, disk)
                assert not await log.healthy("checkpoint_copy")
                with pytest.raises(CrossroadsError) as error:
                    await pair.load.append(new_entry(), log.address)
                assert error.value.reason is Reason.LOG_UNAVAILABLE
                assert error.value.retry_after
            await pair.load.more(50, SECONDS)
        assert await log.healthy("checkpoint_copy")
        await sound(pair, log, pid)


async def refused(pair: Pair, log: Instance, disk: SmallDisk) -> None:
    """Wait until nothing is acknowledged any more on a disk that stays full."""
    end = asyncio.get_running_loop().time() + SECONDS
    while True:
        done = len(pair.load.acknowledged)
        await more_refused(pair, log, 20)
        if len(pair.load.acknowledged) == done:
            return
        assert asyncio.get_running_loop().time() < end, log.said()
        disk.fill()


async def more_refused(pair: Pair, log: Instance, count: int) -> None:
    """Wait for so many further refusals."""
    goal = pair.load.refused + count
    await until(lambda: pair.load.refused >= goal, SECONDS, log.said)
