"""The death of a background task is told, once, with its cause; a wanted end is none."""

import asyncio

import pytest

from services.runtime.call import CURRENT, Call
from services.runtime.tasks import TaskDiedError, TaskSupervisor


@pytest.fixture
def deaths() -> list[TaskDiedError]:
    return []


@pytest.fixture
def supervisor(deaths: list[TaskDiedError]) -> TaskSupervisor:
    return TaskSupervisor(on_death=deaths.append)


async def raising() -> None:
    raise ValueError("broken")


async def returning() -> None:
    pass


async def test_task_that_raises_is_told_with_its_cause(
    supervisor: TaskSupervisor, deaths: list[TaskDiedError]
) -> None:
    await asyncio.wait([supervisor.spawn("sequencer", raising())])
    (death,) = deaths
    assert str(death) == "background task sequencer raised"
    assert isinstance(death.__cause__, ValueError)


async def test_task_that_returns_has_died_unless_it_may(
    supervisor: TaskSupervisor, deaths: list[TaskDiedError]
) -> None:
    await asyncio.wait([supervisor.spawn("once", returning(), ends=True)])
    assert deaths == []
    await asyncio.wait([supervisor.spawn("replica", returning())])
    assert [str(each) for each in deaths] == ["background task replica returned"]
    await asyncio.wait([supervisor.spawn("once", raising(), ends=True)])
    assert len(deaths) == 2


async def test_closing_ends_all_tasks_and_is_no_death(
    supervisor: TaskSupervisor, deaths: list[TaskDiedError]
) -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while ending")

    tasks = [
        supervisor.spawn("waits", asyncio.Event().wait()),
        supervisor.spawn("ends", stubborn()),
    ]
    await asyncio.sleep(0)
    await supervisor.close()
    assert all(each.done() for each in tasks)
    assert deaths == []
    assert isinstance(tasks[1].exception(), ValueError)


async def test_task_does_not_inherit_the_call_that_started_it(supervisor: TaskSupervisor) -> None:
    seen: list[Call | None] = []

    async def looks() -> None:
        seen.append(CURRENT.get())

    token = CURRENT.set(Call(None, 0.0))  # type: ignore[arg-type]
    await asyncio.wait([supervisor.spawn("looks", looks(), ends=True)])
    CURRENT.reset(token)
    assert seen == [None]
