"""Appending through gRPC with mTLS, and the floor: PostgreSQL alone with the same rows.

Contract: a round appends so many entries over a few streams, each with one message in flight, as
several instances of routing would. Its floor takes the rows that the log wrote in that round, in
the transactions that the log made of them (`xmin` tells them apart), and writes them by COPY to
tables of the same form: one transaction, one sync for each, on the same server.
"""

import asyncio
import itertools
import os
import statistics
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg

from crossroads.logging.v1 import logging_service_pb2 as api
from services.cli.bench.load import percentile
from services.cli.bench.log_entries import messages
from services.cli.bench.ways import certificate_of_routing, open_channel, seconds_used
from services.cli.platform import ports, status
from services.cli.platform.enrolment import DOMAIN
from services.cli.platform.home import Home
from services.cli.platform.postgres import PostgresServer

STREAMS, TOGETHER = 4, 32
"""Messages in flight, and entries in each."""

SUSTAINED = 2000
"""Entries a second beside which the index of terms keeps up."""

INDEXED_SECONDS = 600.0
"""At most, until what the rounds left behind is indexed."""

APPEND_STREAM = "/crossroads.logging.v1.LoggingService/AppendStream"
TABLES = {
    "entry": "index, recorded_at, deadline, exchange_id, log_id, attempt, data_key_id, kind,"
    " leaf_hash, evidence",
    "recent_entry": "index, exchange_id, log_id, attempt, kind, nonce, question_mac",
    "subject_entry": "index, log_id, data_key_id, subject_mac",
}
_HEADER = 19
"""Octets of the header of a binary COPY without extensions."""
_TRAILER = b"\xff\xff"
_BATCHES = "SELECT min(index), max(index) FROM entry WHERE index >= %s GROUP BY xmin ORDER BY 1"


@dataclass
class Appending:
    """What the rounds took: entries per second of ours and of the floor, seconds of each answer
    and of each transaction of the floor."""

    streams: Sequence[Any]
    home: Home
    conn: "psycopg.Connection[Any]"
    sent: int = 0
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    counted: int = 0

    async def warm(self, count: int) -> None:
        """Append without counting: connections, caches, the statement's plan."""
        await self._append(self._made(count))

    async def round(self, count: int) -> None:
        """Append, then write the same rows without us."""
        first, waiting = self._size(), self._made(count)
        known = status.read(self.home).processes
        pids = {name: each.pid for name, each in known.items()} | {"client": os.getpid()}
        before = {name: seconds_used(name, pid) for name, pid in pids.items()}
        elapsed, durations = await self._append(waiting)
        for name, pid in pids.items():
            self.cpu[name] = self.cpu.get(name, 0.0) + seconds_used(name, pid) - before[name]
        self.counted += count
        self.ours.append(count / elapsed)
        self.durations += durations
        batches = self._written(first)
        self.batches += [len(each["entry"]) for each in batches]
        rows = sum(len(each["entry"]) for each in batches)
        self.floor.append(rows / await asyncio.to_thread(self._copy, batches))

    async def sustained(self, seconds: float) -> int:
        """Append so many entries a second that the index of terms should keep up; how many it is
        behind at the end. (What the rounds left is indexed before.)"""
        async with asyncio.timeout(INDEXED_SECONDS):
            while self._behind():  # noqa: ASYNC110 - another process, which tells nobody
                await asyncio.sleep(0.1)
        await self._append(self._made(int(SUSTAINED * seconds)), rate=SUSTAINED)
        return self._behind()

    def figures(self) -> dict[str, Any]:
        """The figures of all rounds."""
        pairs = zip(self.ours, self.floor, strict=True)
        return {
            "entries_per_s": round(statistics.median(self.ours)),
            "ack_p50_ms": round(percentile(self.durations, 0.5) * 1000, 2),
            "ack_p99_ms": round(percentile(self.durations, 0.99) * 1000, 2),
            "floor_ratio": round(statistics.median(one / other for one, other in pairs), 3),
            "floor_entries_per_s": round(statistics.median(self.floor)),
            "floor_commit_p99_ms": round(percentile(self.commits, 0.99) * 1000, 2),
            "entries_in_a_batch": round(statistics.mean(self.batches), 1),
            "cpu_us_per_entry": {
                name: round(seconds * 1e6 / self.counted, 1) for name, seconds in self.cpu.items()
            },
        }

    async def _append(
        self, waiting: "deque[bytes]", *, rate: float = 0.0
    ) -> tuple[float, list[float]]:
        """Seconds in all, and of each acknowledgement. `rate`: entries a second, 0 for no limit."""
        durations: list[float] = []
        place = itertools.count()

        async def follow(stream: Any) -> None:
            while waiting:
                message = waiting.popleft()
                if rate:
                    due = started + next(place) * TOGETHER / rate
                    await asyncio.sleep(due - time.perf_counter())
                began = time.perf_counter()
                await stream.write(message)
                answer = api.AppendStreamResponse.FromString(await stream.read())
                if answer.refused:
                    raise AssertionError(f"the log refused entries: {answer.refused}")
                took = time.perf_counter() - began
                durations.extend([took] * len(answer.acknowledgements))

        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for stream in self.streams:
                group.create_task(follow(stream))
        return time.perf_counter() - started, durations

    def _made(self, count: int) -> "deque[bytes]":
        made = messages(self.sent, count, TOGETHER)
        self.sent += count
        return deque(made)

    def _size(self) -> int:
        row = self.conn.execute("SELECT max(size) FROM log_head").fetchone()
        assert row is not None
        return int(row[0])

    def _behind(self) -> int:
        """How many entries are not found by their terms yet."""
        row = self.conn.execute("SELECT max(size) FROM term_index").fetchone()
        return self._size() - int(row[0] or 0 if row else 0)

    def _written(self, first: int) -> list[dict[str, list[bytes]]]:
        """For each transaction from entry `first` on, the rows of each table as COPY takes them."""
        ends = [row[1] for row in self.conn.execute(_BATCHES, (first,)).fetchall()]
        batches: list[dict[str, list[bytes]]] = [{name: [] for name in TABLES} for _ in ends]
        for table, columns in TABLES.items():
            place = 0
            for row in _rows(self.conn, table, columns, first):
                index = int.from_bytes(row[6:14], "big")  # after the count of fields and its length
                while index > ends[place]:
                    place += 1
                batches[place][table].append(row)
        return batches

    def _copy(self, batches: list[dict[str, list[bytes]]]) -> float:
        """Write them; seconds."""
        header = b"PGCOPY\n\xff\r\n\0" + bytes(8)
        ready = [
            {name: header + b"".join(rows) + _TRAILER for name, rows in each.items()}
            for each in batches
        ]
        began = time.perf_counter()
        for each in ready:
            started = time.perf_counter()
            with self.conn.transaction(), self.conn.cursor() as cursor:
                cursor.execute("UPDATE floor.log_head SET size = size + 1")
                for table, columns in TABLES.items():
                    with cursor.copy(
                        f"COPY floor.{table} ({columns}) FROM STDIN (FORMAT BINARY)"
                    ) as copy:
                        copy.write(each[table])
            self.commits.append(time.perf_counter() - started)
        return time.perf_counter() - began


def _rows(conn: "psycopg.Connection[Any]", table: str, columns: str, first: int) -> list[bytes]:
    query = f"SELECT {columns} FROM {table} WHERE index >= {first:d} ORDER BY index"  # noqa: S608
    with (
        conn.cursor() as cursor,
        cursor.copy(cast("Any", f"COPY ({query}) TO STDOUT (FORMAT BINARY)")) as copy,
    ):
        rows = [bytes(each) for each in copy]
    rows[0] = rows[0][_HEADER:]
    return [each for each in rows if each and each != _TRAILER]


async def appending(home: Home, stack: AsyncExitStack, *, segments: int) -> Appending:
    """Streams to the log as routing, and a connection to its database as the superuser.

    The server is made to have `segments` of write-ahead log to use again (16 MiB each).
    """
    key, chain = await asyncio.to_thread(certificate_of_routing, home)
    trust = (home.authorities / "services.pem").read_bytes()
    streams = []
    for _ in range(STREAMS):
        made = open_channel(ports.known(home)["logging"], f"logging.{DOMAIN}", trust, key, chain)
        stack.push_async_callback(made.close)
        call: Any = made.stream_stream(APPEND_STREAM)()
        stack.callback(call.cancel)
        streams.append(call)
    conn = psycopg.connect(**PostgresServer(home=home).superuser("logging"))
    stack.callback(conn.close)
    conn.execute("CREATE SCHEMA floor")
    for table in (*TABLES, "log_head"):
        conn.execute(f"CREATE TABLE floor.{table} (LIKE public.{table} INCLUDING ALL)")
    conn.execute("INSERT INTO floor.log_head (origin) VALUES ('floor')")
    await asyncio.to_thread(_recycle, conn, segments)
    return Appending(streams, home, conn)


def _recycle(conn: "psycopg.Connection[Any]", segments: int) -> None:
    """A new server fills each segment with zeros before it uses it, which holds every commit up for
    some 80 ms; one that has run for a while uses old ones again, as many as `min_wal_size` says.
    """
    conn.execute("ALTER SYSTEM SET min_wal_size = '1GB'")
    conn.execute("ALTER SYSTEM SET max_wal_size = '2GB'")
    conn.execute("SELECT pg_reload_conf()")
    for _ in range(segments):
        conn.execute("SELECT pg_logical_emit_message(false, 'bench', '')")
        conn.execute("SELECT pg_switch_wal()")
    conn.execute("CHECKPOINT")
