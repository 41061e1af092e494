"""The made-up service as a process: `python -m tests.support.kinds_process --config FILE`.

It repeats what it is told; "slow" after half a second. The text "die" ends its background task;
"hang" lets its end take for ever.
"""

import asyncio
from dataclasses import dataclass

from services.runtime.config import RuntimeConfig
from services.runtime.process import Runtime, run
from tests.support.kinds import DESCRIPTOR, Kinds, adder

SLOW_SECONDS = 0.5


@dataclass(frozen=True)
class Config:
    """What the process reads."""

    runtime: RuntimeConfig


async def start(config: Config, runtime: Runtime) -> None:
    """Serve, beside a background task that lives until it is told to die."""
    told = asyncio.Event()

    async def background() -> None:
        await told.wait()
        raise ValueError("told to die")

    async def behaviour(text: str) -> str:
        if text == "die":
            told.set()
        if text == "hang":
            runtime.on_stop(asyncio.Event().wait)
        if text == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        return text

    runtime.tasks.spawn("background", background())
    runtime.server.add(adder, Kinds(behaviour), DESCRIPTOR)


if __name__ == "__main__":
    # By its real name: the process knows its service by the module of the configuration.
    from tests.support.kinds_process import Config as Named

    run(Named, start)
