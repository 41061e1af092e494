"""Background tasks whose death is noticed.

Contract: a task that dies ends its process, with the reason: a process that lost its sequencer or
its replica must not look alive. A task starts in a context of its own: neither the deadline nor the
trace of the call that happened to start it applies to it.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any


class TaskDiedError(Exception):
    """A background task ended that should not have; the cause, if it raised, is `__cause__`."""


class TaskSupervisor:
    """Starts tasks and watches them. `on_death` gets the error, once, for the first that dies."""

    def __init__(self, *, on_death: Callable[[TaskDiedError], None]) -> None:
        self._on_death = on_death
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    def spawn(
        self, name: str, coroutine: Coroutine[Any, Any, Any], *, ends: bool = False
    ) -> asyncio.Task[Any]:
        """Run `coroutine` in the background.

        It must run until it is cancelled; with `ends` it may also return. Raising is always death.
        """
        loop = asyncio.get_running_loop()
        task = loop.create_task(coroutine, name=name, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._over(done, ends=ends))
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait until they are gone."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _over(self, task: asyncio.Task[Any], *, ends: bool) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        cause = task.exception()
        if self._closing or (cause is None and ends):
            return
        why = "raised" if cause is not None else "returned"
        error = TaskDiedError(f"background task {task.get_name()} {why}")
        error.__cause__ = cause
        self._on_death(error)
