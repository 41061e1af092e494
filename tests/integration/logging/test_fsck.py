"""fsck on a real PostgreSQL: clean while the log works, and the first difference named."""

import os
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from services.logging.fsck import Report
from services.logging.journal import Journal
from services.logging.model import microseconds
from services.logging.retention import act_id
from services.logging.snapshot import open_snapshot
from services.logging.store import LogStore
from services.proof.record import Kind
from services.runtime.postgres import Database
from tests.support.log_tables import look
from tests.support.logs import ORIGIN, Log
from tests.support.platform import OpenDatabase


class Stored(NamedTuple):
    """A log on its database."""

    log: Log
    database: Database

    async def fsck(self, *held: str) -> Report:
        """Look at what is stored."""
        async with self.database.connection() as conn, open_snapshot(conn, ORIGIN) as snapshot:
            now = microseconds(self.log.clock.now())
            return await look(snapshot, self.log.safe, now, *held)

    async def change(self, statement: str) -> None:
        """Change what is stored, as somebody with a login could."""
        async with self.database.connection() as conn:
            done = await conn.execute(statement.encode())
            assert done.rowcount > 0


@pytest.fixture
async def stored(fresh_database: OpenDatabase) -> AsyncIterator[Stored]:
    """A log of a key, exchanges with and without outcome, and two full tiles; published."""
    database = await fresh_database("services.logging")
    log = Log(await LogStore.open(database, ORIGIN))
    async with log.running(key=True):
        for at in range(0, 520, 65):
            exchange = os.urandom(16)
            await log.sequencer.append(
                [
                    log.entry(exchange_id=exchange, kind=Kind.REQUEST, question_mac=bytes(32)),
                    log.entry(exchange_id=exchange, kind=Kind.RELEASE),
                    log.entry(kind=Kind.REQUEST, subject_key=f"{at}"),
                    *(log.entry(subject_key="") for _ in range(62)),
                ]
            )
            log.clock.advance(seconds=20)
        await log.sweeper.sweep()
        await log.checkpoints.publish()
        yield Stored(log, database)


async def test_a_log_that_nobody_touched_is_clean(stored: Stored) -> None:
    report = await stored.fsck(stored.log.copy.note)
    assert report.difference == ""
    size = stored.log.checkpoints.newest.size
    assert (report.entries, report.published, report.erased) == (size, size, 0)
    assert report.root == stored.log.checkpoints.newest.root


async def test_a_log_is_clean_while_it_grows(stored: Stored) -> None:
    async with stored.database.connection() as conn, open_snapshot(conn, ORIGIN) as snapshot:
        before = stored.log.checkpoints.newest.size
        await stored.log.sequencer.append([stored.log.entry() for _ in range(700)])
        await stored.log.checkpoints.publish()
        report = await look(snapshot, stored.log.safe, microseconds(stored.log.clock.now()))
    assert (report.difference, report.entries) == ("", before)
    assert (await stored.fsck()).entries == before + 700


async def test_an_erased_month_leaves_the_log_clean(stored: Stored) -> None:
    journal = Journal(log=stored.log.sequencer)
    async with stored.database.connection() as conn, open_snapshot(conn, ORIGIN) as snapshot:
        keys = await snapshot.data_keys()
    for key in keys:
        await journal.act(act_id("erase", key.id), "logging.erase", by=["logging"], audit={})
    for key in keys:
        await stored.log.safe.delete_key(key.transit_key)
    report = await stored.fsck(stored.log.copy.note)
    assert (report.difference, report.erased) == ("", report.entries)
    await stored.change("UPDATE entry SET leaf_hash = leaf_hash WHERE index = 5")
    await stored.change("UPDATE entry SET leaf_hash = sha256(leaf_hash) WHERE index = 5")
    assert "entries from 5 on" in (await stored.fsck()).difference


async def test_a_key_that_is_gone_and_was_not_erased_shows(stored: Stored) -> None:
    await stored.log.safe.delete_key(next(iter(stored.log.safe.data_keys)))
    assert "no entry says that it was erased" in (await stored.fsck()).difference


CHANGES = {
    "DELETE FROM entry WHERE index = 7": "entry 7 is missing",
    "DELETE FROM entry WHERE index >= 7": "entry 7 is missing",
    "UPDATE entry SET attempt = attempt + 1 WHERE index = 3": "entry 3: attempt",
    "UPDATE entry SET attempt = -attempt WHERE index = 3": "entry 3: attempt",
    "UPDATE entry SET deadline = deadline + interval '1 us' WHERE index = 1": "entry 1: deadline",
    "UPDATE entry SET deadline = NULL WHERE index = 1": "entry 1: deadline",
    "UPDATE entry SET exchange_id = gen_random_uuid() WHERE index = 9": "entry 9: exchange_id",
    "UPDATE entry SET evidence = evidence || '\\x00' WHERE index = 400": "entry 400: the evidence",
    "UPDATE entry SET leaf_hash = sha256(leaf_hash) WHERE index = 400": "entry 400: the evidence",
    "UPDATE entry SET recorded_at = 'infinity' WHERE index = 519": "can't be read",
    "UPDATE entry SET index = 1000000 WHERE index = 519": "entry 519 is missing",
    "UPDATE log_head SET size = size - 1": "the log has",
    "UPDATE log_head SET size = size + 1": "is missing",
    "UPDATE log_head SET recorded_at = recorded_at + interval '1 us'": "log_head: says another",
    "DELETE FROM tile WHERE index = 1": "tile 1 of level 0 is missing",
    "INSERT INTO tile SELECT log_id, 3, 0, hashes FROM tile LIMIT 1": "tile: 3 are stored",
    "UPDATE tile SET hashes = overlay(hashes placing '\\x00' from 33) WHERE index = 1": "from 257",
    "DELETE FROM subject_entry WHERE index = 66": "entry 66 is not found",
    "UPDATE subject_entry SET index = 67 WHERE index = 68": "subject_entry",
    "DELETE FROM recent_entry WHERE index = 8": "entry 8 is missing",
    "UPDATE recent_entry SET nonce = '\\x0000000000000000' WHERE index = 8": "entry 8 differs",
    "DELETE FROM receipt_key": "the key in entry 0 is not listed",
    "UPDATE receipt_key SET index = 1": "entry 1 holds no key",
    "UPDATE data_key SET month = month + interval '3 months' WHERE data_key_id = 1": "Transit key",
    "UPDATE data_key SET wrapped = wrapped || 'AAAA' WHERE data_key_id = 1": "not what Vault",
    "UPDATE published_checkpoint SET size = size - 1": "another size or root",
    "UPDATE published_checkpoint SET note = translate(note, 'ABCDEF', 'BCDEFA')": "checkpoint:",
    "UPDATE published_checkpoint SET size = 0, root = '', note = ''": "kept elsewhere",
    "UPDATE sweep SET closed = closed + 100000": "sweep: its marks",
}


@pytest.mark.parametrize("statement", CHANGES)
async def test_the_first_difference_is_named(stored: Stored, statement: str) -> None:
    await stored.change(statement)
    assert CHANGES[statement] in (await stored.fsck(stored.log.copy.note)).difference


async def test_a_log_under_another_name_is_not_there(stored: Stored) -> None:
    await stored.change("UPDATE log_head SET origin = 'crossroads.test/other'")
    assert "knows no log" in (await stored.fsck()).difference


async def test_a_database_that_was_put_back_is_found_by_a_note_kept_elsewhere(
    stored: Stored,
) -> None:
    note, size = stored.log.copy.note, stored.log.checkpoints.newest.size
    for table in ("entry", "recent_entry", "subject_entry"):
        await stored.change(f"DELETE FROM {table} WHERE index >= 100")
    await stored.change("DELETE FROM tile")
    await stored.change(
        "UPDATE log_head SET size = 100,"
        " recorded_at = (SELECT recorded_at FROM entry WHERE index = 99)"
    )
    await stored.change("UPDATE published_checkpoint SET size = 0, root = '', note = ''")
    await stored.change("UPDATE sweep SET closed = 0, forgotten = 0")
    assert (await stored.fsck()).difference == ""
    assert f"of {size} entries, the log has 100" in (await stored.fsck(note)).difference
