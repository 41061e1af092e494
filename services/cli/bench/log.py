"""`crossroads bench log`: appending beside its floor, proofs, a search and fsck on large logs.

Contract: starts the log, PostgreSQL and OpenBao of its own in a temporary directory, durable, and
removes them; a platform that runs already is not touched. Rounds of the log and of its floor
alternate, so that a noisy machine is noisy for both. The large logs are put in place without gRPC,
in a database of their own, in the tables that the log reads; what is timed is the log's own code.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from services.cli.bench.exchange import Tell, temporary_home
from services.cli.bench.log_append import appending
from services.cli.bench.log_large import check, open_large, proof_and_search
from services.cli.platform import plan
from services.cli.platform.home import Home
from services.cli.platform.instance import Platform
from services.cli.platform.plan import Plan


@dataclass(frozen=True)
class Sizes:
    """How much of everything: entries a round, leaves of the large tree, entries for fsck, seconds
    of appending at a steady rate.

    `segments`: see `appending`; enough for all rounds.
    """

    rounds: int
    entries: int
    segments: int
    sustained: float
    leaves: int
    checked: int


FULL = Sizes(
    rounds=5, entries=20_000, segments=64, sustained=10.0, leaves=10_000_000, checked=1_000_000
)
QUICK = Sizes(rounds=1, entries=1_024, segments=2, sustained=0.5, leaves=20_000, checked=1_024)


async def measure(sizes: Sizes = FULL, *, tell: Tell = lambda _: None) -> dict[str, Any]:
    """The figures, as `--json` prints them. Raises PlatformError."""
    async with AsyncExitStack() as stack:
        home = temporary_home(stack)
        stack.push_async_callback(Platform.down, home)
        tell("starting a log for the bench (durable, mTLS, PostgreSQL, OpenBao)")
        home.make()
        plan.save(home, Plan(services=("logging",)))
        await Platform.up(home)
        figures = await _appended(home, sizes, tell)
        async with open_large(home, "bench_fsck") as large:
            figures |= await check(large, sizes.checked, tell)
        async with open_large(home, "bench_large") as large:
            figures |= await proof_and_search(large, sizes.leaves, tell)
        return figures | {"leaves": sizes.leaves, "checked": sizes.checked}


async def _appended(home: Home, sizes: Sizes, tell: Tell) -> dict[str, Any]:
    """Throughput and acknowledgements, with the floor."""
    async with AsyncExitStack() as stack:
        load = await appending(home, stack, segments=sizes.segments)
        await load.warm(sizes.entries // 4)
        for number in range(sizes.rounds):
            await load.round(sizes.entries)
            tell(
                f"round {number + 1}: {load.ours[-1]:,.0f} entries/s,"
                f" by COPY alone {load.floor[-1]:,.0f}"
            )
        tell("appending at a steady rate, beside the index of terms")
        behind = await load.sustained(sizes.sustained)
        return load.figures() | {"terms_behind": behind}
