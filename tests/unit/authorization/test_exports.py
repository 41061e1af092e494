"""When there is an edition of the publication."""

from types import SimpleNamespace
from typing import Any

from services.authorization.exports import Exports
from services.runtime.clock import SystemClock
from services.runtime.ids import SystemIds


async def test_before_anything_was_published_there_is_no_edition_and_no_act_in_the_log() -> None:
    """The publisher looks before the genesis as well, which must be the log's first entry."""
    nobody: Any = object()
    empty: Any = SimpleNamespace(table=SimpleNamespace(version=0), require=lambda: None)
    exports = Exports(
        store=nobody,
        current=empty,
        registry=nobody,
        journal=nobody,
        clock=SystemClock(),
        ids=SystemIds(),
    )
    assert await exports.export("publisher") is None
