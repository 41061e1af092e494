"""One suite for identity's store in memory and for PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from crossroads.identity.v1.identity_service_pb2 import Replacement
from services.identity.model import PersonKey, Register, Resolved
from services.identity.store import IdentityStore
from services.runtime.clock import SystemClock
from services.runtime.watch.owner import Table
from tests.support.key_store import MemoryKeyStore, national, persons
from tests.support.platform import OpenDatabase

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C, D = KEYS = [national(number) for number in range(4)]


class PostgresKeyStore(IdentityStore):
    """The real one; `published` is the watched table as subscribers get it."""

    def __init__(self, *, table: Table, **options: Any) -> None:
        super().__init__(replacements=table, **options)
        self.table = table

    def published(self) -> dict[str, str]:
        rows = {key: Replacement.FromString(value) for key, value in self.table.rows.items()}
        assert all(key == row.old_niss for key, row in rows.items())
        return {key: row.current_niss for key, row in rows.items()}


@pytest.fixture(params=["memory", "postgres", "next version"])
async def store(request: pytest.FixtureRequest, fresh_database: OpenDatabase) -> AsyncIterator[Any]:
    """A store of each kind."""
    if request.param == "memory":
        yield MemoryKeyStore()
        return
    database = await fresh_database("services.identity", ahead=request.param == "next version")
    table = Table(name="replacements", database=database, clock=SystemClock())
    await table.load()
    yield PostgresKeyStore(database=database, table=table)


async def register(store: Any, given: Sequence[PersonKey], log_index: int = 1) -> None:
    """Take keys up in a transaction of its own."""
    async with store.exclusive() as tx:
        await tx.register(given, NOW, log_index)


async def replace(store: Any, old: str, current: str, log_index: int = 2) -> int:
    """Replace a key in a transaction of its own."""
    async with store.exclusive() as tx:
        version: int = await tx.replace(old, current, NOW, log_index)
        return version


async def test_keys_stand_for_themselves_until_they_are_replaced(store: Any) -> None:
    await register(store, [*persons(0, 1), *persons(2, register=Register.RAD)])
    assert await store.resolve([C, D, A]) == {
        A: Resolved(A, Register.RN),
        C: Resolved(C, Register.RAD),
    }
    async with store.exclusive() as tx:
        assert await tx.registers([C, D, A]) == {A: Register.RN, C: Register.RAD}
        assert await tx.version() == 0
    assert store.published() == {}


async def test_what_pointed_at_a_replaced_key_moves_with_it(store: Any) -> None:
    await register(store, [*persons(0, 1, 3), *persons(2, register=Register.RAD)])
    assert await replace(store, A, B) == 1
    assert store.published() == {A: B}
    assert await replace(store, B, C) == 2
    in_rad = Resolved(C, Register.RAD)
    assert await store.resolve(KEYS) == {
        A: in_rad,
        B: in_rad,
        C: in_rad,
        D: Resolved(D, Register.RN),
    }
    assert store.published() == {A: C, B: C}
    async with store.exclusive() as tx:
        assert await tx.version() == 2
        assert await tx.resolve([A]) == {A: in_rad}
        assert await tx.registers([A]) == {A: Register.RN}


async def test_transaction_that_fails_leaves_nothing(store: Any) -> None:
    await register(store, persons(0, 1))

    async def fail() -> None:
        async with store.exclusive() as tx:
            await tx.register(persons(2), NOW, 5)
            assert await tx.replace(A, B, NOW, 6) == 1
            moved = {A: Resolved(B, Register.RN), C: Resolved(C, Register.RN)}
            assert await tx.resolve([A, C]) == moved
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await store.resolve([A, C]) == {A: Resolved(A, Register.RN)}
    assert store.published() == {}
    assert await replace(store, B, A) == 1


async def test_one_transaction_at_a_time_sees_what_the_one_before_did(store: Any) -> None:
    async def count_up(number: int) -> int:
        async with store.exclusive() as tx:
            known = len(await tx.registers([national(each) for each in range(10)]))
            await asyncio.sleep(0)
            await tx.register(persons(number), NOW, number)
        return known

    seen = await asyncio.gather(*(count_up(number) for number in range(8)))
    assert sorted(seen) == list(range(8))


async def test_thousands_of_keys_are_taken_up_and_resolved_at_once(store: Any) -> None:
    given = persons(*range(5000))
    await register(store, given)
    keys = [each.niss for each in given]
    async with store.exclusive() as tx:
        assert len(await tx.registers(keys)) == 5000
    resolved = await store.resolve(keys)
    assert {key: each.current for key, each in resolved.items()} == {key: key for key in keys}


async def test_secret_stays_the_same(store: Any) -> None:
    secret = await store.secret()
    assert len(secret) == 32
    assert await store.secret() == secret


async def test_act_that_took_a_key_up_stays_on_record(fresh_database: OpenDatabase) -> None:
    database = await fresh_database("services.identity")
    table = Table(name="replacements", database=database, clock=SystemClock())
    store = PostgresKeyStore(database=database, table=table)
    await register(store, persons(0, 1), log_index=7)
    await replace(store, A, B, log_index=8)
    async with database.connection() as conn:
        rows = await conn.execute(
            "SELECT recorded_at, log_index, replaced_at, replaced_log_index"
            " FROM person_key ORDER BY niss"
        )
        assert await rows.fetchall() == [(NOW, 7, NOW, 8), (NOW, 7, None, None)]


async def test_two_databases_have_two_secrets(fresh_database: OpenDatabase) -> None:
    secrets = set()
    for _ in range(2):
        database = await fresh_database("services.identity")
        table = Table(name="replacements", database=database, clock=SystemClock())
        secrets.add(await PostgresKeyStore(database=database, table=table).secret())
    assert len(secrets) == 2
