"""`crossroads bench exchange`: the whole exchange beside a bare proxy, in one run.

Contract: starts a platform of its own in a temporary directory, durable and with everything on, and
removes it; a platform that runs already is not touched. Both ways end at the same source, over
mTLS: (a) a bare pass-through proxy in grpc.aio, (b) Crossroads. Rounds of (a) and (b) alternate, so
that a noisy machine is noisy for both; figures are medians of rounds, quantiles are of all calls.
"""

import shutil
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from services.cli.bench.load import drive
from services.cli.bench.ways import ENDS, Way, bare, settled, whole
from services.cli.demo.starting import start_demo
from services.cli.platform import plan
from services.cli.platform.home import SERVICES, Home
from services.cli.platform.instance import Platform
from services.cli.platform.plan import Plan
from services.institution.population import Store

PERSONS, ROUNDS = 2000, 3
EXCHANGING = tuple(name for name in SERVICES if name != "contact")
"""The services that an exchange needs."""
SECONDS = {1: 2.0, 64: 4.0}
PARTIES = (("capac", "18/1"), ("onss", "12/10"))
Tell = Callable[[str], None]


async def measure(*, rounds: int = ROUNDS, tell: Tell = lambda _: None) -> dict[str, Any]:
    """Measure both ways; the figures, as `--json` prints them. Raises PlatformError."""
    async with AsyncExitStack() as stack:
        home = temporary_home(stack)
        stack.push_async_callback(Platform.down, home)
        tell("starting a platform for the bench (durable, mTLS, everything on)")
        home.make()
        plan.save(home, Plan(services=EXCHANGING))
        store = await start_demo(home, persons=PERSONS)
        stack.callback(store.close)
        subjects = _subjects(store)
        ways = [
            await bare(home, subjects, stack),
            await whole(home, subjects, stack),
        ]
        for way in ways:
            await drive(way.call, concurrency=8, seconds=1.0)  # connections and caches
        await settled(home)
        for number in range(rounds):
            for concurrency, seconds in SECONDS.items():
                for way in ways:
                    await way.run(concurrency, seconds)
                    speed = way.rounds[concurrency][-1].per_second
                    tell(
                        f"round {number + 1}, {concurrency:>2} at once, {way.name}: {speed:,.0f}/s"
                    )
        return _figures(*ways)


def temporary_home(stack: AsyncExitStack) -> Home:
    """A home that goes away with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossroads-bench-")))
    folder.chmod(0o711)  # PostgreSQL's user must pass
    home = Home(folder / "home")
    stack.callback(shutil.rmtree, home.socket_dir, ignore_errors=True)  # outside the home
    return home


def _figures(floor: Way, ours: Way) -> dict[str, Any]:
    cpu, least = ours.cpu_per_call(), floor.cpu_per_call()
    return {
        "ratio_64": round(_ratio(floor, ours, 64), 3),
        "ratio_1": round(_ratio(floor, ours, 1), 3),
        "p50_alone_ms": round(ours.milliseconds(1, 0.5), 2),
        "p9988_64_ms": round(ours.milliseconds(64, 0.9988), 1),
        "per_second_64": round(ours.per_second(64)),
        "ways": {
            way.name: {
                str(count): {
                    "per_second": round(way.per_second(count), 1),
                    "p50_ms": round(way.milliseconds(count, 0.5), 2),
                    "p99_ms": round(way.milliseconds(count, 0.99), 2),
                    "p9988_ms": round(way.milliseconds(count, 0.9988), 2),
                }
                for count in SECONDS
            }
            for way in (floor, ours)
        },
        "cpu_ms_per_exchange": {name: round(used, 3) for name, used in cpu.items()},
        "cpu_ms_bare": {name: round(used, 3) for name, used in least.items()},
        "cpu_ratio": round(sum(cpu.values()) / sum(least.values()), 2),
        "cpu_ratio_between": round(_between(cpu) / _between(least), 2),
    }


def _between(cpu: dict[str, float]) -> float:
    """Processor time of what is between the two ends."""
    return sum(used for name, used in cpu.items() if not name.startswith(ENDS))


def _ratio(floor: Way, ours: Way, concurrency: int) -> float:
    """Whole to bare: the median of the ratios of neighbouring rounds."""
    pairs = zip(ours.rounds[concurrency], floor.rounds[concurrency], strict=True)
    return statistics.median(one.per_second / other.per_second for one, other in pairs)


def _subjects(store: Store) -> list[str]:
    """Persons whom both parties know: any of them can be asked about."""
    found = store.all_integrated_in(*PARTIES)
    if not found:
        raise AssertionError("nobody of the population is known to both parties")
    return found
