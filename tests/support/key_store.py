"""Keys in memory, and what a test sees of the log: what unit tests of identity run on.

`MemoryKeyStore` is held to the same contract as PostgreSQL. `lost` makes the next commit fail, as
a broken connection does.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from services.identity.model import PersonKey, Register, Resolved
from services.identity.operations import Identity
from services.keys.person import MonthOffset, make
from services.runtime.errors import CrossroadsError, Reason
from tests.support.logs import StoppedClock

SECRET = bytes(range(32))
RN, BCSS = "rn/persons", "bcss/registers"
FIRST_DAY = date(1950, 1, 1)


def national(number: int) -> str:
    """The national number of synthetic person `number`."""
    return make(FIRST_DAY + timedelta(days=number // 900), 1 + number % 900)


def bis(number: int) -> str:
    """The BIS number of synthetic person `number`."""
    day = FIRST_DAY + timedelta(days=number // 900)
    return make(day, 1 + number % 900, offset=MonthOffset.BIS_SEX_KNOWN)


def persons(*numbers: int, register: Register = Register.RN) -> list[PersonKey]:
    """Keys to take up."""
    key = bis if register is Register.BIS else national
    return [PersonKey(key(each), register) for each in numbers]


@dataclass(frozen=True)
class Rows:
    """What a commit keeps: register and current key of each key, the table, its version."""

    registers: dict[str, Register]
    current: dict[str, str]
    replacements: dict[str, str]
    version: int


class MemoryKeyStore:
    """The store, and its only transaction: changes are made on a copy."""

    def __init__(self) -> None:
        self.kept = Rows({}, {}, {}, 0)
        self.lost = False
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator["MemoryTransaction"]:
        """The transaction; nothing is kept if its block raises."""
        async with self._alone:
            kept = self.kept
            tx = MemoryTransaction(
                Rows(
                    dict(kept.registers), dict(kept.current), dict(kept.replacements), kept.version
                )
            )
            yield tx
            if self.lost:
                self.lost = False
                raise CrossroadsError(Reason.STORE_UNAVAILABLE, "the commit was lost; retry")
            self.kept = tx.rows

    async def resolve(self, keys: Sequence[str]) -> dict[str, Resolved]:
        """What each key that is known stands for."""
        return _resolve(self.kept, keys)

    async def secret(self) -> bytes:
        """What ids are keyed with."""
        return SECRET

    def published(self) -> dict[str, str]:
        """The watched table."""
        return dict(self.kept.replacements)


class MemoryTransaction:
    """What `exclusive` gives."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    async def registers(self, keys: Sequence[str]) -> dict[str, Register]:
        """The register of each key that is known."""
        return {each: self.rows.registers[each] for each in keys if each in self.rows.registers}

    async def resolve(self, keys: Sequence[str]) -> dict[str, Resolved]:
        """What each key that is known stands for."""
        return _resolve(self.rows, keys)

    async def register(self, persons: Sequence[PersonKey], at: datetime, log_index: int) -> None:
        """Take keys up."""
        for each in persons:
            self.rows.registers[each.niss] = each.register
            self.rows.current[each.niss] = each.niss

    async def replace(self, old: str, current: str, at: datetime, log_index: int) -> int:
        """Move `old`, and what pointed at it."""
        rows = self.rows
        moved = [each for each, end in rows.current.items() if end == old]
        for each in moved:
            rows.current[each] = rows.replacements[each] = current
        self.rows = Rows(rows.registers, rows.current, rows.replacements, rows.version + 1)
        return self.rows.version

    async def version(self) -> int:
        """The version of the table."""
        return self.rows.version


def _resolve(rows: Rows, keys: Sequence[str]) -> dict[str, Resolved]:
    return {
        each: Resolved(rows.current[each], rows.registers[rows.current[each]])
        for each in keys
        if each in rows.current
    }


class SeenJournal:
    """The log as its answers show it: the same act again finds its entry. `away`: it refuses."""

    def __init__(self) -> None:
        self.entries: list[tuple[Any, ...]] = []
        self.away = False

    async def registered(self, act_id: bytes, by: str, count: int, digest: bytes) -> int:
        """Log that keys were taken up."""
        return self._append((act_id, by, count, digest))

    async def replaced(self, act_id: bytes, by: str, old: str, current: str) -> int:
        """Log a replacement."""
        return self._append((act_id, by, old, current))

    def _append(self, entry: tuple[Any, ...]) -> int:
        if self.away:
            raise CrossroadsError(Reason.LOG_UNAVAILABLE, "the log takes no entries; retry")
        if entry not in self.entries:
            self.entries.append(entry)
        return self.entries.index(entry)


class Registers:
    """Identity's operations on all of these."""

    def __init__(self) -> None:
        self.store = MemoryKeyStore()
        self.journal = SeenJournal()
        self.identity = Identity(
            store=self.store, journal=self.journal, secret=SECRET, clock=StoppedClock()
        )

    async def current(self, *keys: str) -> list[str]:
        """What each key stands for; "" where nobody bears it."""
        return [each.current for each in await self.identity.resolve(keys)]
