"""Large logs in databases of their own, put there without gRPC, and what is asked of them.

Contract: the tables are the log's own, made by its migrations; month keys and the signing key are
in the bench's OpenBao. `proof_and_search` makes a tree of so many leaves, and as many rows of
entries and of the subject index; entries of the persons who are searched for are sealed, the others
hold nothing. `check` writes sealed entries through the sequencer; their terms are not indexed.
Times are of the code that the service runs: `Proofs.inclusion`, `Finder.page`, `Fsck.run`.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import psycopg

from services.cli.bench.exchange import Tell
from services.cli.bench.load import percentile
from services.cli.bench.log_entries import entries, person
from services.cli.log import FSCK_PATIENCE, VaultKeys
from services.cli.platform.home import Home
from services.cli.platform.postgres import PostgresServer
from services.logging.config import Config
from services.logging.evidence import Evidence
from services.logging.evidence_model import Criteria
from services.logging.evidence_store import EvidenceStore
from services.logging.finder import Finder
from services.logging.fsck import Fsck
from services.logging.model import EntryId, NewEntry, RetentionClass, SealedEntry, microseconds
from services.logging.parts import Parts
from services.logging.published import CheckpointFile
from services.logging.sealing import subject_mac
from services.logging.sequencer import Limits
from services.logging.snapshot import open_snapshot
from services.logging.store import LogStore
from services.logging.term_index import Indexer
from services.logging.tree import Tree
from services.runtime.clock import SystemClock
from services.runtime.config import DatabaseConfig, load
from services.runtime.errors import CrossroadsError
from services.runtime.ids import SystemIds
from services.runtime.migrations import migrate
from services.runtime.postgres import Database
from services.runtime.vault import Credentials, Vault

SUPERUSER = "postgres"
LEAVES_OF_A_PERSON, SEARCHED, PAGE, PROOFS = 100, 20, 50, 200
STEP, SUBMISSIONS, TOGETHER = 1 << 16, 4, 128

_ENTRIES = """
INSERT INTO entry (index, recorded_at, exchange_id, log_id, attempt, data_key_id, kind, leaf_hash,
                   evidence)
SELECT i, %s, gen_random_uuid(), %s, 1, %s, 3, sha256(int8send(i)), ''
FROM generate_series(0::int8, %s - 1) i WHERE i %% %s >= %s
"""
_SEALED = """
INSERT INTO entry (index, recorded_at, deadline, exchange_id, log_id, attempt, data_key_id, kind,
                   leaf_hash, evidence)
VALUES (%s, %s, %s, encode(%s, 'hex')::uuid, %s, %s, %s, %s, %s, %s)
"""
_SUBJECTS = """
INSERT INTO subject_entry (index, log_id, data_key_id, subject_mac)
SELECT i, %s, %s, coalesce((%s::bytea[])[i %% %s + 1], sha256(int8send(i %% %s)))
FROM generate_series(0::int8, %s - 1) i
"""


class Large(NamedTuple):
    """A log of the bench: its parts, its tables, Vault, and a connection as the superuser."""

    parts: Parts
    store: LogStore
    database: Database
    vault: Vault
    conn: "psycopg.Connection[Any]"
    origin: str


@asynccontextmanager
async def open_large(home: Home, name: str) -> AsyncIterator[Large]:
    """An empty log in a database of that name. Raises CrossroadsError."""
    config, clock = load(Config, home.config / "logging.toml"), SystemClock()
    server = PostgresServer(home=home)
    with psycopg.connect(**server.superuser()) as conn:
        conn.execute(f'CREATE DATABASE "{name}"')
    async with AsyncExitStack() as stack:
        assert config.runtime.vault is not None
        vault = await Vault.open(config.runtime.vault, clock=clock)
        stack.push_async_callback(vault.close)
        database = await _database(home, server, name)
        stack.push_async_callback(database.close)
        await migrate(database, "services.logging")
        store = await LogStore.open(database, config.origin, commit_seconds=60.0)
        parts = Parts(
            store=store,
            vault=vault,
            copy=CheckpointFile(path=""),
            origin=config.origin,
            checkpoint_key=config.checkpoint_key,
            limits=Limits(batch_entries=SUBMISSIONS * TOGETHER),
            clock=clock,
            ids=SystemIds(),
        )
        await parts.keys.prepare(clock.now())
        conn = psycopg.connect(**server.superuser(name))
        stack.callback(conn.close)
        yield Large(parts, store, database, vault, conn, config.origin)


async def _database(home: Home, server: PostgresServer, name: str) -> Database:
    password = server.superuser()["password"]
    login = Credentials(SUPERUSER, password, datetime.now(UTC) + timedelta(days=1))

    async def credentials() -> Credentials:
        return login

    config = DatabaseConfig(name=name, role="", owner=SUPERUSER, host=str(home.socket_dir))
    return await Database.open(config, credentials, SystemClock())


async def proof_and_search(large: Large, leaves: int, tell: Tell) -> dict[str, float]:
    """Milliseconds of an inclusion proof and of a subject's first page, among so many leaves."""
    persons = max(SEARCHED, leaves // LEAVES_OF_A_PERSON)
    tell(f"{leaves:,} leaves: rows of entries and of the subject index")
    now = microseconds(SystemClock().now())
    new = [_new_entry(n, i) for i in range(leaves) if (n := i % persons) < SEARCHED]
    places = [i for i in range(leaves) if i % persons < SEARCHED]
    sealed = dict(zip(places, large.parts.sealer.seal(new, now), strict=True))
    await asyncio.to_thread(_fill, large, leaves, persons, sealed, now)
    tell(f"{leaves:,} leaves: the tree")
    await _grow(Tree(store=large.store), leaves, {i: e.leaf_hash for i, e in sealed.items()})
    return await _proofs(large, leaves) | await _searches(large)


async def _proofs(large: Large, leaves: int) -> dict[str, float]:
    """Of leaves anywhere: nearly every proof needs tiles that are not in memory."""
    parts = large.parts
    await parts.checkpoints.load(leaves)
    await parts.checkpoints.publish()
    took = []
    for index in range(leaves % PROOFS, leaves, leaves // PROOFS):
        began = time.perf_counter()
        await parts.proofs.inclusion(index, 0)
        took.append(time.perf_counter() - began)
    return {
        "proof_ms_1e7": round(statistics.median(took) * 1000, 3),
        "proof_p99_ms_1e7": round(percentile(took, 0.99) * 1000, 3),
    }


async def _searches(large: Large) -> dict[str, float]:
    """The newest page about each of a few persons, each asked for the first time."""
    tables = EvidenceStore(database=large.database, log_id=large.store.log_id)
    keys = large.parts.keys
    evidence = Evidence(store=tables, keys=keys, custody=large.vault)
    indexer = Indexer(store=tables, keys=keys, evidence=evidence)
    finder = Finder(store=tables, keys=keys, evidence=evidence, indexer=indexer)
    took = []
    for number in range(SEARCHED):
        began = time.perf_counter()
        page = await finder.page(Criteria(subjects=(person(number),)), limit=PAGE)
        took.append(time.perf_counter() - began)
        if len(page.records) < PAGE:
            raise AssertionError("a search did not find what the log holds")
    return {
        "subject_search_ms_1e7": round(statistics.median(took) * 1000, 3),
        "subject_search_max_ms_1e7": round(max(took) * 1000, 3),
    }


def _fill(
    large: Large, leaves: int, persons: int, sealed: dict[int, SealedEntry], now: int
) -> None:
    """The rows; primary keys are made when all are there."""
    conn, log_id = large.conn, large.store.log_id
    key = large.parts.keys.at(RetentionClass.EXCHANGE, now)
    at = datetime.fromtimestamp(now / 1e6, UTC)
    macs = [subject_mac(key, person(number).encode()) for number in range(SEARCHED)]
    for table in ("entry", "subject_entry"):
        conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, SET UNLOGGED")
    conn.execute("DROP INDEX entry_exchange")  # nothing here looks for an exchange
    conn.execute("SET maintenance_work_mem = '512MB'")
    conn.execute(_ENTRIES, (at, log_id, key.id, leaves, persons, SEARCHED))
    conn.execute(_SUBJECTS, (log_id, key.id, macs, persons, persons, leaves))
    with conn.cursor() as cursor:
        cursor.executemany(_SEALED, [_row(log_id, i, each, at) for i, each in sealed.items()])
    conn.execute("ALTER TABLE entry ADD PRIMARY KEY (log_id, index)")
    conn.execute("ALTER TABLE subject_entry ADD PRIMARY KEY (log_id, subject_mac, index)")
    conn.execute("VACUUM ANALYZE entry, subject_entry")
    conn.execute("UPDATE log_head SET size = %s, recorded_at = %s", (leaves, at))


def _row(log_id: int, index: int, sealed: SealedEntry, at: datetime) -> tuple[Any, ...]:
    exchange, kind, attempt = sealed.entry.id
    due = sealed.entry.deadline
    deadline = None if due is None else datetime.fromtimestamp(due / 1e6, UTC)
    stored = (sealed.data_key_id, kind, sealed.leaf_hash, sealed.evidence)
    return index, at, deadline, exchange, log_id, attempt, *stored


async def _grow(tree: Tree, leaves: int, known: dict[int, bytes]) -> None:
    """Store the tiles of a tree of these leaves."""
    for start in range(0, leaves, STEP):
        numbers = range(start, min(start + STEP, leaves))
        tree.add([known.get(i) or sha256(i.to_bytes(8, "big")).digest() for i in numbers])
        await tree.save()


def _new_entry(number: int, index: int) -> NewEntry:
    """An entry about person `number`."""
    (entry,) = _new_entries(2 * number + index % 2, 1)
    return entry


def _new_entries(first: int, count: int) -> Iterator[NewEntry]:
    for each in entries(first, count):
        yield NewEntry(
            EntryId(each.exchange_id or bytes(16), each.kind, each.attempt),
            each.nonce,
            each.party,
            each.subject,
            each.audit,
            each.question_mac,
            each.subject_key,
            each.deadline.ToMicroseconds() if each.HasField("deadline") else None,
        )


async def check(large: Large, count: int, tell: Tell) -> dict[str, float]:
    """Seconds that fsck takes for so many entries."""
    tell(f"{count:,} entries for fsck")
    await _append(large, count)

    def progress(done: int, size: int) -> None:
        if done * 10 // size > (done - 4096) * 10 // size:
            tell(f"fsck: {done:,} of {size:,} entries")

    began = time.perf_counter()
    async with (
        large.database.connection(patience=FSCK_PATIENCE) as conn,
        open_snapshot(conn, large.origin) as snapshot,
    ):
        report = await Fsck(
            tables=snapshot,
            origin=large.origin,
            keys=VaultKeys(vault=large.vault),
            now=microseconds(SystemClock().now()),
            progress=progress,
        ).run()
    if report.difference or report.entries < count:
        raise AssertionError(f"fsck: {report.entries} entries; {report.difference}")
    return {"fsck_seconds_1e6": round(time.perf_counter() - began, 2)}


async def _append(large: Large, count: int) -> None:
    """Through the sequencer, a few submissions at a time; then a checkpoint of all."""
    parts = large.parts
    running = asyncio.create_task(parts.sequencer.run())
    try:
        await parts.sequencer.opened()
        for start in range(0, count, SUBMISSIONS * TOGETHER):
            new = list(_new_entries(start, min(SUBMISSIONS * TOGETHER, count - start)))
            await _together(parts, [new[i : i + TOGETHER] for i in range(0, len(new), TOGETHER)])
        await parts.checkpoints.publish()
    finally:
        running.cancel()
        await asyncio.wait({running})


async def _together(parts: Parts, submissions: Sequence[list[NewEntry]]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in submissions:
            group.create_task(_insisted(parts, each))


async def _insisted(parts: Parts, new: list[NewEntry]) -> None:
    """Again with the same nonces while the log refuses for now: on a busy machine it may lose its
    session with the database."""
    while True:
        try:
            await parts.sequencer.append(new)
        except CrossroadsError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(error.retry_after or 1.0)
        else:
            return
