"""Versions and instants, as PostgreSQL gives them to writers that meet."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.clock import SystemClock
from services.runtime.postgres import Database
from services.runtime.watch.owner import Table, WentBackError
from services.runtime.watch.publication import publish
from services.runtime.watch.rows import MAX_ROW_BYTES, Change, Version

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def publish_one(database: Database, key: str, value: bytes | None = b"v") -> Version:
    async with database.transaction() as conn:
        return await publish(conn, "grants", [Change(key, value)], NOW)


async def test_versions_have_no_gap_when_writers_meet_and_some_give_up(database: Database) -> None:
    class GivesUpError(Exception):
        pass

    async def write(writer: int) -> list[Version]:
        done = []
        for number in range(12):
            try:
                async with database.transaction() as conn:
                    version = await publish(
                        conn, "grants", [Change(f"{writer}-{number}", b"v")], NOW
                    )
                    if number % 3 == 2:
                        raise GivesUpError  # noqa: TRY301 - inside the transaction
                done.append(version)
            except GivesUpError:
                pass
        return done

    written = [v for done in await asyncio.gather(*map(write, range(6))) for v in done]
    written.sort(key=lambda version: version.version)
    assert [version.version for version in written] == list(range(1, 6 * 8 + 1))
    instants = [version.recorded_at for version in written]
    assert instants == [NOW + timedelta(microseconds=n) for n in range(6 * 8)]


async def test_a_change_that_commits_after_a_later_begun_one_has_the_later_version(
    database: Database, table: Table
) -> None:
    async with database.transaction() as early:
        # The early one has begun, and holds its snapshot of the time, before the other.
        await early.execute("SELECT count(*) FROM watch_head")
        late = await publish_one(database, "late")
        await table.refresh()
        assert (late.version, dict(table.rows)) == (1, {"late": b"v"})
        before = NOW - timedelta(minutes=1)
        version = await publish(early, "grants", [Change("early", b"v")], before)
        await table.refresh()
        assert table.version == 1
    assert late.recorded_at is not None
    assert version == Version(2, late.recorded_at + timedelta(microseconds=1))
    await table.refresh()
    assert (table.version, set(table.rows)) == (2, {"late", "early"})


async def test_a_writer_waits_for_the_one_that_published_and_has_not_committed(
    database: Database, table: Table
) -> None:
    async with database.transaction() as first:
        await publish(first, "grants", [Change("first", b"v")], NOW)
        second = asyncio.create_task(publish_one(database, "second"))
        _, pending = await asyncio.wait([second], timeout=0.2)
        assert pending
        await table.refresh()
        assert table.version == 0
    assert (await second).version == 2
    await table.refresh()
    assert table.version == 2


async def test_each_table_counts_for_itself(database: Database) -> None:
    async with database.transaction() as conn:
        await publish(conn, "grants", [Change("a", b"v")], NOW)
        other = await publish(conn, "catalogue", [Change("a", b"v")], NOW)
    assert other == Version(1, NOW)


async def test_a_table_reads_as_known_at_any_instant(database: Database, table: Table) -> None:
    async def record(minute: int, *changes: Change) -> None:
        async with database.transaction() as conn:
            await publish(conn, "grants", changes, NOW + timedelta(minutes=minute))

    await record(0, Change("a", b"1"), Change("b", b"1"))
    await record(1, Change("a", b"2"))
    await table.load()
    digest = table.digest
    await record(2, Change("a", None), Change("c", b"3"))
    await table.refresh()
    known = [
        (await table.snapshot_at(NOW + timedelta(minutes=minute))) for minute in (-1, 0, 1.5, 9)
    ]
    assert [(image.version, image.rows) for image in known] == [
        (0, {}),
        (1, {"a": b"1", "b": b"1"}),
        (2, {"a": b"2", "b": b"1"}),
        (3, {"b": b"1", "c": b"3"}),
    ]
    assert known[2].digest == digest
    assert known[2].recorded_at == NOW + timedelta(minutes=1)
    assert known[3].digest == table.digest
    assert (await table.snapshot_of(2)).digest == digest
    with pytest.raises(LookupError):
        await table.snapshot_of(4)


async def test_a_table_caught_up_with_is_the_table_that_is_loaded(
    database: Database, table: Table
) -> None:
    for number in range(20):
        await publish_one(database, f"k{number % 7}", None if number % 5 == 4 else b"%d" % number)
        if number % 3 == 0:
            await table.refresh()
    await table.refresh()
    loaded = Table(name="grants", database=database, clock=SystemClock())
    await loaded.load()
    assert (loaded.version, loaded.digest) == (table.version, table.digest)
    assert (loaded.recorded_at, dict(loaded.rows)) == (table.recorded_at, dict(table.rows))


async def test_a_change_larger_than_a_message_is_loaded_whole(
    database: Database, table: Table
) -> None:
    async with database.transaction() as conn:
        await table.publish(conn, *(Change(f"k{n}", bytes(100_000)) for n in range(30)))
    await table.refresh()
    assert len(table.rows) == 30


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [Change("a", b"1"), Change("a", None)],
        [Change("a", bytes(MAX_ROW_BYTES))],
    ],
    ids=["nothing", "a key twice", "too large"],
)
async def test_what_is_no_version_is_refused(database: Database, changes: list[Change]) -> None:
    async with database.transaction() as conn:
        with pytest.raises(ValueError, match=r"version|row"):
            await publish(conn, "grants", changes, NOW)


async def test_a_table_does_not_follow_its_database_back(database: Database, table: Table) -> None:
    await publish_one(database, "a")
    await publish_one(database, "b")
    await table.refresh()
    async with database.transaction() as conn:
        await conn.execute("UPDATE watch_head SET version = 1")
    with pytest.raises(WentBackError):
        await table.refresh()
