"""The sequencer's own connection: the one place from which the log is written.

Contract: `LogWriter.append` is one statement, hence one transaction and one round trip: it moves
the head from the size and epoch that the sequencer believes in, and inserts the entries only if the
head moved. The fate of a statement whose answer did not come is unknown; the connection is then of
no more use. Everything travels in binary, over libpq itself: what psycopg does for each statement
(0.1 ms) would be a good part of what a small batch costs.

The log's lock is a lease: PostgreSQL ends a session that it has not heard of for `LEASE_SECONDS`,
whether its process died, was cut off or was stopped, and so frees the lock for a standby. The
holder says something (`beat`) more often than that. The lock chooses who tries; the epoch says who
may write (docs/decisions/0023-the-lock-of-the-log-is-a-lease.md).

COPY, which the design names, needs six round trips for the same; measured, one statement with
unnest costs less at every batch size from 1 to 200, of which the database's part is planning: the
generic plan is forced.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import psycopg
from psycopg import errors, pq

from services.logging import arrays
from services.logging.model import (
    DuplicateError,
    EntryId,
    FencedError,
    Head,
    SealedEntry,
    StoredEntry,
    microseconds,
)
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Connection, Database

_logger = logging.getLogger(__name__)

LOCK_CLASS = 0x6C6F67  # "log"

LEASE_SECONDS = 2.0
"""After how long without a word the database ends the session that holds the log's lock."""

STANDBY_SECONDS = 0.25
"""How often a standby asks for the lock."""

_SESSION = """
SET plan_cache_mode = force_generic_plan;
SET jit = off;
SET synchronous_commit = on;
"""
# The second is for a statement that waits, or that arrived in part only.
_LEASE = """
SET idle_session_timeout = {lease};
SET transaction_timeout = {commit};
"""

_APPEND = b"""
WITH head AS (
    UPDATE log_head SET size = $3::int8, recorded_at = $4::timestamptz
    WHERE log_id = $1::int4 AND size = $2::int8 AND epoch = $5::int8
    RETURNING log_id
), fresh AS MATERIALIZED (
    SELECT head.log_id, t.* FROM head, unnest(
        $6::int8[], $7::uuid[], $8::int2[], $9::int4[], $10::timestamptz[], $11::timestamptz[],
        $12::int4[], $13::bytea[], $14::bytea[], $15::bytea[], $16::bytea[], $17::bytea[]
    ) AS t(index, exchange_id, kind, attempt, recorded_at, deadline,
           data_key_id, leaf_hash, evidence, nonce, question_mac, subject_mac)
), entries AS (
    INSERT INTO entry (index, recorded_at, deadline, exchange_id, log_id, attempt, data_key_id,
                       kind, leaf_hash, evidence)
    SELECT index, recorded_at, deadline, exchange_id, log_id, attempt, data_key_id,
           kind, leaf_hash, evidence FROM fresh
), recent AS (
    INSERT INTO recent_entry (index, exchange_id, log_id, attempt, kind, nonce, question_mac)
    SELECT index, exchange_id, log_id, attempt, kind, nonce, question_mac FROM fresh
), subjects AS (
    INSERT INTO subject_entry (index, log_id, data_key_id, subject_mac)
    SELECT index, log_id, data_key_id, subject_mac FROM fresh WHERE subject_mac IS NOT NULL
)
SELECT count(*) FROM head
"""

_FIND = """
SELECT r.exchange_id, r.kind, r.attempt, r.index, e.recorded_at, e.leaf_hash, r.nonce,
       r.question_mac, e.data_key_id, e.evidence,
       (SELECT max(x.attempt) FROM recent_entry x
        WHERE x.log_id = r.log_id AND x.exchange_id = r.exchange_id AND x.kind = r.kind)
FROM unnest(%b::uuid[], %b::int2[], %b::int4[]) AS q(exchange_id, kind, attempt)
JOIN recent_entry r ON r.log_id = %s AND r.exchange_id = q.exchange_id
    AND r.kind = q.kind AND r.attempt = q.attempt
JOIN entry e ON e.log_id = r.log_id AND e.index = r.index
"""


class LogWriter:
    """One session of the sequencer on one connection. Make it with `open_writer`."""

    def __init__(self, *, conn: Connection, log_id: int, commit_seconds: float) -> None:
        self._conn = conn
        self._log_id = log_id
        self._commit_seconds = commit_seconds

    async def take_over(self, epoch: int | None) -> Head | None:
        """Raise the epoch, so that no other sequencer (nor a statement of ours whose fate is
        unknown) can move the head any more. With `epoch`, only if it is still the head's.

        None: another sequencer took over.
        """
        async with _within(self._conn, self._commit_seconds):
            rows = await self._conn.execute(
                "UPDATE log_head SET epoch = epoch + 1"
                " WHERE log_id = %s AND (%s::int8 IS NULL OR epoch = %s)"
                " RETURNING size, epoch, recorded_at",
                (self._log_id, epoch, epoch),
            )
            row = await rows.fetchone()
        if row is None:
            return None
        return Head(self._log_id, row[0], row[1], microseconds(row[2]))

    async def beat(self) -> None:
        """Keep the lock: say something to the database. Raises STORE_UNAVAILABLE."""
        async with _within(self._conn, self._commit_seconds):
            await self._conn.execute("SELECT 1")

    async def append(self, head: Head, entries: Sequence[SealedEntry]) -> bool:
        """Append `entries` at the head's size; durable when this returns.

        False: the head is not as believed, nothing was written. Raises DuplicateError, and
        STORE_UNAVAILABLE when the answer did not come: then the fate is unknown.
        """
        start, length = head.size, len(entries)
        new, time, leaf, _, _, _, data_key, evidence, mac = zip(*entries, strict=True)
        ids, nonces, _, _, _, questions, _, deadlines, _ = zip(*new, strict=True)
        exchanges, kinds, attempts = zip(*ids, strict=True)
        result = await self._execute(
            [
                arrays.int4(self._log_id),
                arrays.int8(start),
                arrays.int8(start + length),
                arrays.timestamptz(time[-1]),
                arrays.int8(head.epoch),
                arrays.int8_range(start, length),
                arrays.uuid_array(exchanges),
                arrays.int2_array(kinds),
                arrays.int4_array(attempts),
                arrays.timestamptz_array(time),
                arrays.timestamptz_array(deadlines),
                arrays.int4_array(data_key),
                arrays.bytea_array(leaf),
                arrays.bytea_array(evidence),
                arrays.bytea_array(nonces),
                arrays.bytea_array(questions),
                arrays.bytea_array(mac),
            ]
        )
        return result.get_value(0, 0) == arrays.int8(1)

    async def find(self, ids: Sequence[EntryId]) -> dict[EntryId, StoredEntry]:
        """Those of `ids` that exist, with what stands under them."""
        exchanges, kinds, attempts = zip(*ids, strict=True)
        async with _within(self._conn, self._commit_seconds):
            rows = await self._conn.execute(
                _FIND,
                ([UUID(bytes=each) for each in exchanges], [*kinds], [*attempts], self._log_id),
            )
        return {
            EntryId(row[0].bytes, row[1], row[2]): StoredEntry(
                index=row[3],
                recorded_at=microseconds(row[4]),
                leaf_hash=bytes(row[5]),
                nonce=bytes(row[6]),
                question_mac=bytes(row[7]),
                data_key_id=row[8],
                evidence=bytes(row[9]),
                last_attempt=row[10],
            )
            async for row in rows
        }

    async def _execute(self, parameters: Sequence[bytes]) -> pq.abc.PGresult:
        """The result of the prepared append."""
        wire = self._conn.pgconn
        try:
            async with asyncio.timeout(self._commit_seconds):
                wire.send_query_prepared(b"append", parameters, _BINARY, pq.Format.BINARY)
                await _flushed(wire)
                result = await _result(wire)
        except (TimeoutError, psycopg.OperationalError):
            wire.finish()
            raise CrossroadsError(
                Reason.STORE_UNAVAILABLE, "the log's database does not answer", retry_after=1.0
            ) from None
        except asyncio.CancelledError:
            wire.finish()
            raise
        if result.status == pq.ExecStatus.TUPLES_OK:
            return result
        if result.error_field(pq.DiagnosticField.SQLSTATE) == b"23505":
            raise DuplicateError
        raise errors.error_from_result(result)


_BINARY = [pq.Format.BINARY] * 17


@contextlib.asynccontextmanager
async def open_writer(
    database: Database, log_id: int, *, epoch: int | None, commit_seconds: float
) -> AsyncIterator[LogWriter]:
    """A session that holds the log's lock: whoever holds it is the one who may try to write.

    Waits while another holds it. `epoch` is the one of a sequencer that held the log before: once
    another took it over, that one must not wait, for it still listens. `commit_seconds`: how long
    until a statement counts as lost. Raises STORE_UNAVAILABLE when the database does not answer,
    and FencedError.
    """
    async with database.connection() as conn:
        try:
            async with _within(conn, commit_seconds):
                await conn.execute(_SESSION)
            standing_by = False
            while not await _locked(conn, log_id, epoch, commit_seconds):
                if not standing_by:
                    _logger.info("standing by: another sequencer holds the log")
                    standing_by = True
                await asyncio.sleep(STANDBY_SECONDS)
            async with _within(conn, commit_seconds):
                await conn.execute(_lease(commit_seconds))
                _prepare(conn)
            yield LogWriter(conn=conn, log_id=log_id, commit_seconds=commit_seconds)
            # At once: when a session that was closed ends, nobody knows.
            await conn.execute("SELECT pg_advisory_unlock(%s, %s)", (LOCK_CLASS, log_id))
        finally:
            await conn.close()  # frees the lock; the settings of this session must not leak


async def _locked(conn: Connection, log_id: int, epoch: int | None, seconds: float) -> bool:
    async with _within(conn, seconds):
        rows = await conn.execute(
            "SELECT pg_try_advisory_lock(%s, log_id), epoch FROM log_head WHERE log_id = %s",
            (LOCK_CLASS, log_id),
        )
        row = await rows.fetchone()
    if row is None or epoch not in (None, row[1]):
        raise FencedError("another sequencer took the log over")
    return bool(row[0])


def _lease(commit_seconds: float) -> str:
    """The settings by which the server ends the session of a holder that fell silent."""
    return _LEASE.format(lease=int(LEASE_SECONDS * 1000), commit=int(commit_seconds * 1000))


@contextlib.asynccontextmanager
async def _within(conn: Connection, seconds: float) -> AsyncIterator[None]:
    """A statement of psycopg's whose answer must come in time, or the connection is lost.

    Not a timeout: cancelled, psycopg asks the server to give the statement up and waits for it. A
    socket that is shut down is one that the server closed.
    """
    timer = asyncio.get_running_loop().call_later(seconds, _hang_up, conn)
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(conn: Connection) -> None:
    if not conn.closed:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(conn.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)


def _prepare(conn: Connection) -> None:
    result = conn.pgconn.prepare(b"append", _APPEND)
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise errors.error_from_result(result)


async def _flushed(wire: pq.abc.PGconn) -> None:
    """Until what was sent has left this process."""
    while wire.flush():
        loop = asyncio.get_running_loop()
        writable = loop.create_future()
        loop.add_writer(wire.socket, _done, writable)
        try:
            await writable
        finally:
            loop.remove_writer(wire.socket)


async def _result(wire: pq.abc.PGconn) -> pq.abc.PGresult:
    """The one result of the statement that was sent."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()

    def read() -> None:
        try:
            wire.consume_input()
            if wire.is_busy():
                return
        except psycopg.OperationalError as error:
            if not arrived.done():
                arrived.set_exception(error)
        else:
            _done(arrived)

    socket = wire.socket
    loop.add_reader(socket, read)
    try:
        await arrived
    finally:
        loop.remove_reader(socket)
    result = wire.get_result()
    if result is None:
        raise psycopg.OperationalError("no result")
    # The rows are sent before the commit, and what the commit failed with comes after them.
    if wire.get_result() is not None or wire.transaction_status != pq.TransactionStatus.IDLE:
        raise psycopg.OperationalError("not committed")
    return result


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
