"""The digest of a table: the same whatever way led to the content."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.watch.migrations import WATCH_MIGRATION
from services.runtime.watch.rows import EMPTY_DIGEST, Change, RowHashes, row_hash

KEYS = st.sampled_from([f"k{n}" for n in range(12)])
CHANGES = st.lists(st.builds(Change, KEYS, st.none() | st.binary(max_size=4)), max_size=60)


def specified_digest(rows: dict[str, bytes]) -> bytes:
    """The digest as architecture.md words it, with nothing clever."""
    hashes = [
        hashlib.sha256(len(key.encode()).to_bytes(4, "big") + key.encode() + value).digest()
        for key, value in rows.items()
    ]
    return hashlib.sha256(b"".join(sorted(hashes))).digest()


@given(CHANGES)
def test_digest_is_that_of_the_specification_after_any_changes(changes: list[Change]) -> None:
    rows: dict[str, bytes] = {}
    hashes = RowHashes()
    for change in changes:
        if change.value is None:
            rows.pop(change.key, None)
        else:
            rows[change.key] = change.value

    async def digest() -> bytes:
        await hashes.apply(changes)
        return await hashes.digest()

    assert asyncio.run(digest()) == specified_digest(rows)
    assert len(hashes) == len(rows)


async def test_digest_of_the_empty_table_is_constant() -> None:
    assert await RowHashes().digest() == EMPTY_DIGEST == specified_digest({})


def test_row_hash_keeps_key_and_value_apart() -> None:
    assert row_hash("ab", b"c") != row_hash("a", b"bc")


async def test_digest_of_many_rows_lets_the_loop_go_on() -> None:
    hashes = RowHashes()
    await hashes.apply(Change(str(n), b"") for n in range(70_000))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count())
    await hashes.digest()
    counter.cancel()
    assert turns >= 1


MIGRATIONS = [
    path
    for path in Path("services").glob("*/migrations/*.sql")
    if "watch_head" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", MIGRATIONS, ids=str)
def test_an_owners_migration_holds_the_tables_of_the_watch_package(path: Path) -> None:
    assert WATCH_MIGRATION in path.read_text(encoding="utf-8")
