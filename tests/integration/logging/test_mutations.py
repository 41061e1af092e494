"""Whatever is changed in a small log's tables, fsck finds it: bits, swaps, deletions, rollbacks."""

import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from services.logging.model import microseconds
from services.logging.snapshot import open_snapshot
from services.logging.store import LogStore
from services.proof.record import Kind
from tests.support.log_tables import MemoryTables, copy_tables, look
from tests.support.logs import ORIGIN, Log
from tests.support.mutations import TABLES, mutations, tile_mutations
from tests.support.platform import OpenDatabase


class Small(NamedTuple):
    """A log's tables now and a while ago, and what was kept elsewhere."""

    tables: MemoryTables
    before: MemoryTables
    log: Log

    async def difference(self, tables: MemoryTables) -> str:
        now = microseconds(self.log.clock.now())
        return (await look(tables, self.log.safe, now, self.log.copy.note)).difference


async def small(fresh_database: OpenDatabase, entries: int) -> AsyncIterator[Small]:
    """A log of every kind of row, `entries` more, written by the real statements."""
    database = await fresh_database("services.logging")
    log = Log(await LogStore.open(database, ORIGIN))

    async def tables() -> MemoryTables:
        await log.sweeper.sweep()
        await log.checkpoints.publish()
        async with database.connection() as conn, open_snapshot(conn, ORIGIN) as snapshot:
            return await copy_tables(snapshot)

    async with log.running(key=True):
        exchange = os.urandom(16)
        request = log.entry(exchange_id=exchange, kind=Kind.REQUEST, question_mac=os.urandom(32))
        await log.sequencer.append([request])
        before = await tables()
        await log.sequencer.append([log.entry(exchange_id=exchange, kind=Kind.RELEASE)])
        log.clock.advance(seconds=1)
        await log.sequencer.append([log.entry(kind=Kind.REQUEST), log.entry(subject_key="1")])
        await log.sequencer.append([log.entry(kind=Kind.ADMINISTRATIVE, subject_key="")])
        await log.sequencer.append([log.entry() for _ in range(entries)])
        yield Small(await tables(), before, log)


@pytest.fixture
async def stored(fresh_database: OpenDatabase) -> AsyncIterator[Small]:
    """A log of six entries."""
    async for each in small(fresh_database, 0):
        yield each


@pytest.fixture
async def tiled(fresh_database: OpenDatabase) -> AsyncIterator[Small]:
    """A log with a full tile."""
    async for each in small(fresh_database, 256):
        yield each


def is_harmless(stored: Small, tables: MemoryTables) -> bool:
    """Changes that no reader of the log could come to know, and why.

    A mark of the sweeper that is lower than it was makes it look again at what it looked at. A data
    key that no entry uses yet has no identity but its class and month: without it, another is made.
    """
    old, new = stored.tables.sweep, tables.sweep
    if new != old:
        return 0 <= new.forgotten <= new.closed <= old.closed
    used = {row.data_key_id for row in stored.tables.entry}
    before, after = stored.tables.keys, tables.keys
    if before == after or [k for k in before if k.id in used] != [k for k in after if k.id in used]:
        return False
    known = [replace(key, id=0) for key in before if key.id not in used]
    return all(replace(key, id=0) in known for key in after if key.id not in used)


async def all_found(stored: Small, step: int, first: int = 0) -> int:
    assert await stored.difference(stored.tables) == ""
    tried, missed = 0, []
    for what, tables in itertools.islice(mutations(stored.tables), first, None, step):
        tried += 1
        if not is_harmless(stored, tables) and not await stored.difference(tables):
            missed.append(what)
    assert missed == []
    return tried


async def test_a_sample_of_all_changes_is_found(stored: Small) -> None:
    assert await all_found(stored, 23) > 500


@pytest.mark.long
async def test_every_change_is_found(stored: Small) -> None:
    assert await all_found(stored, 1) > 20_000


@pytest.mark.long
async def test_a_change_in_any_octet_of_a_tile_is_found(tiled: Small) -> None:
    """Each ninth bit: it is one comparison of octets, and every octet has its turn."""
    assert await tiled.difference(tiled.tables) == ""
    missed = []
    for what, tables in itertools.islice(tile_mutations(tiled.tables), None, None, 9):
        if not await tiled.difference(tables):
            missed.append(what)
    assert missed == []


async def test_any_tables_put_back_to_what_they_were_are_found(stored: Small) -> None:
    """All of them together too: the copy of the checkpoint says that there was more."""
    names = [*TABLES, "sweep"]
    for count in range(1, len(names) + 1):
        for chosen in itertools.combinations(names, count):
            values = {name: getattr(stored.before, name) for name in chosen}
            if any(values[name] != getattr(stored.tables, name) for name in chosen):
                tables = replace(stored.tables.copy(), **values)
                found = await stored.difference(tables)
                assert found or is_harmless(stored, tables), chosen
