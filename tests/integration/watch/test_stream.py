"""From commit to subscriber, over real gRPC and PostgreSQL."""

import asyncio
import time
from dataclasses import dataclass
from statistics import quantiles

import grpc
import pytest

from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.postgres import Database
from services.runtime.watch.owner import Table
from services.runtime.watch.rows import Change
from tests.support.watching import Gate, served, subscribed, until


async def publish(database: Database, table: Table, *changes: Change) -> int:
    async with database.transaction() as conn:
        return (await table.publish(conn, *changes)).version


async def test_no_change_is_lost_under_concurrent_writers_and_late_subscribers(
    database: Database, table: Table
) -> None:
    async def write(writer: int) -> None:
        for number in range(30):
            key = f"{writer}-{number % 7}"
            value = None if number % 5 == 4 else b"%d" % number
            await publish(database, table, Change(key, value))

    async with served(table) as target, subscribed(target) as early:
        seen: list[tuple[int, bytes]] = []
        early.on_change(lambda _changes, version, digest: seen.append((version, digest)))
        await early.ready()
        writers = [asyncio.create_task(write(writer)) for writer in range(4)]
        await until(lambda: early.version > 10)
        async with subscribed(target) as late:
            await asyncio.gather(*writers)
            await until(lambda: early.version == late.version == 120)
            await table.refresh()
            assert early.digest == late.digest == table.digest
            assert dict(early.items()) == dict(late.items()) == dict(table.rows)
            assert early.recorded_at == late.recorded_at == table.recorded_at
        for version, digest in seen[:: max(1, len(seen) // 5)]:
            assert (await table.snapshot_of(version)).digest == digest


async def test_a_lost_stream_is_resumed_with_what_was_missed(
    database: Database, table: Table
) -> None:
    await publish(database, table, Change("a", b"1"))
    await table.load()
    snapshots: list[int] = []
    changes: list[int] = []
    async with served(table) as first, subscribed(first) as replica:
        replica.on_snapshot(lambda _rows, version, _digest: snapshots.append(version))
        replica.on_change(lambda _rows, version, _digest: changes.append(version))
        await replica.ready()
        async with _moved(first, table) as move:
            await publish(database, table, Change("a", b"2"))
            await table.refresh()
            await move()
            await until(lambda: replica.version == 2)
            await replica.ready()
    assert (snapshots, changes) == ([1], [2])


async def test_a_restarted_owner_takes_its_subscriber_up_where_it_was(
    database: Database, table: Table
) -> None:
    pass


