"""Building something large that stays, without standing still.

Two things stall an event loop while 100,000 rows become objects: the work itself, and the full
collections that Python's cyclic collector makes on the way (200 ms for 10⁶ objects, again and
again). Both are cut into steps here. The same goes for taking something large apart.
"""

import asyncio
import gc
from typing import Any

STEP_ROWS = 256


async def settle() -> None:
    """Between two steps of building: what was made so far stays, so the collector leaves it alone.

    It is still freed when nothing refers to it any more; only a cycle that is garbage by now, and
    is older than the young generations, would never be found.
    """
    gc.collect(1)
    gc.freeze()
    await asyncio.sleep(0)


async def dismantle(rows: dict[str, Any]) -> None:
    """Empty `rows` in steps: freeing 100,000 objects at once takes long as well."""
    while rows:
        for _ in range(min(STEP_ROWS, len(rows))):
            rows.popitem()
        await asyncio.sleep(0)
