"""The owner's copy: which read may answer whom, and how much it remembers."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.watch import owner
from services.runtime.watch.messages import Burst
from services.runtime.watch.owner import Table
from services.runtime.watch.rows import Version


class NoDatabase:
    """A database that nobody asks, for the history is played by the test."""

    @asynccontextmanager
    async def connection(self) -> Any:
        raise AssertionError
        yield

    transaction = connection


class Heads:
    """Reads of the head that end when the test says so."""

    def __init__(self, table: Table) -> None:
        self.begun: list[asyncio.Future[Version]] = []
        table.history.head = self.head  # type: ignore[method-assign]

    async def head(self) -> Version:
        future: asyncio.Future[Version] = asyncio.get_running_loop().create_future()
        self.begun.append(future)
        return await future

    def answer(self) -> None:
        self.begun[-1].set_result(Version(0, None))


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def table() -> Table:
    return Table(name="grants", database=NoDatabase(), clock=SystemClock())


async def test_who_comes_while_a_read_runs_waits_for_one_that_begins_later() -> None:
    heads = Heads(subject := table())
    first = asyncio.create_task(subject.refresh())
    await settled()
    second = asyncio.create_task(subject.refresh())
    third = asyncio.create_task(subject.refresh())
    await settled()
    assert len(heads.begun) == 1
    heads.answer()
    await settled()
    assert first.done()
    assert not second.done()
    assert len(heads.begun) == 2
    heads.answer()
    assert all(await asyncio.gather(second, third))
    assert len(heads.begun) == 2


async def test_a_caller_that_gives_up_does_not_end_the_read_of_the_others() -> None:
    heads = Heads(subject := table())
    impatient = asyncio.create_task(subject.refresh())
    patient = asyncio.create_task(subject.refresh())
    await settled()
    impatient.cancel()
    await settled()
    heads.answer()
    assert await patient


async def test_a_database_that_is_away_is_no_read_and_the_next_one_tries_again() -> None:
    heads = Heads(subject := table())
    away = asyncio.create_task(subject.refresh())
    await settled()
    heads.begun[-1].set_exception(CrossroadsError(Reason.STORE_UNAVAILABLE, "away"))
    assert not await away
    assert (subject.begun, subject.answered) == (1, 0)
    back = asyncio.create_task(subject.refresh())
    await settled()
    heads.answer()
    assert await back
    assert (subject.begun, subject.answered) == (2, 2)


def test_only_the_newest_changes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "KEPT_BYTES", 100)
    subject = table()
    for number in range(5):
        before, after = b"%d" % number, b"%d" % (number + 1)
        subject._bursts.append(Burst(number, before, number + 1, after, (), 40))
    subject._forget()
    assert [burst.version for burst in subject.bursts_after(3, b"3") or []] == [4, 5]
    assert subject.bursts_after(2, b"2") is None
    assert subject.bursts_after(3, b"another") is None
