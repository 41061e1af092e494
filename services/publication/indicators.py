"""Indicators: how many exchanges there were, by day and service; as JSON, CSV and pages. Pure.

Contract: counts come as they may be shown: who counts leaves out what is too small (`FEWEST`), and
here a count below it is refused, so that no fault of the other side shows one.
"""

import csv
import io
import re
from collections.abc import Iterator

from services.proof.record import canonical_json
from services.publication.indicator_pages import FEWEST, OUTCOMES, indicator_pages
from services.publication.model import Document, Indicator, Snapshot, Value
from services.publication.operations import Transaction
from services.runtime.errors import invalid

_SERVICE = re.compile(r"[a-z][a-z0-9_]{1,62}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class IndicatorsEditor:
    """Takes one push."""

    def __init__(self, snapshot: Snapshot, _: Snapshot | None, tx: Transaction) -> None:
        self._snapshot = snapshot
        self._tx = tx
        self._found: dict[tuple[str, str, str], Indicator] = {}

    async def take(self, value: Value) -> None:
        """The next count."""
        if not isinstance(value, Indicator):
            raise invalid("item", "is not an indicator")
        named = _DAY.fullmatch(value.day) and _SERVICE.fullmatch(value.service)
        if not named or value.outcome not in OUTCOMES:
            raise invalid("item", "an indicator has a day, a service and a known outcome")
        if value.day >= self._snapshot.made_at.date().isoformat():
            raise invalid("item.day", "is not over yet")
        if value.exchanges is not None and value.exchanges < FEWEST:
            raise invalid("item.exchanges", f"is below {FEWEST}; such a count must be left out")
        key = value[:3]
        if key in self._found:
            raise invalid("item", f"{'/'.join(key)} comes twice")
        self._found[key] = value

    async def finish(self) -> None:
        """There are no more: make the documents."""
        rows = [self._found[key] for key in sorted(self._found)]
        for document in _documents(rows, self._snapshot):
            await self._tx.put(document)


def _documents(rows: list[Indicator], snapshot: Snapshot) -> Iterator[Document]:
    listed = [each._asdict() for each in rows]
    yield Document(
        "indicators/indicators.json", canonical_json({"fewest": FEWEST, "indicators": listed})
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow(Indicator._fields)
    writer.writerows(["" if cell is None else cell for cell in each] for each in rows)
    yield Document("indicators/indicators.csv", text.getvalue().encode())
    yield from indicator_pages(rows, snapshot.made_at)
