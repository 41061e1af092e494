"""Erasing a month with a real OpenBao and PostgreSQL: gone everywhere, and nothing breaks."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.logging.evidence_model import Criteria
from services.logging.model import RetentionClass, microseconds
from services.logging.retention import Retention, Shredder, transit_key
from services.logging.sealing import Sealer
from services.logging.store import LogStore
from services.logging.term_index import CAUGHT_UP_AT_ONCE, STEP_ENTRIES
from services.proof import merkle
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import SystemIds
from services.runtime.vault import KeyVersions, Vault
from tests.support.evidence import PrivateLog, exchange
from tests.support.logs import ORIGIN, SUBJECT, StoppedClock
from tests.support.platform import OpenDatabase

BEGIN = datetime(2001, 3, 10, 12, tzinfo=UTC)
OTHER = "00012556777"


class Backup:
    """What a copy of the tables holds."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.entries: list[Any] = []

    async def take(self, log: PrivateLog) -> None:
        """Copy keys and entries, as a dump does."""
        async with log.store._database.connection() as conn:
            keys = await conn.execute("SELECT data_key_id, transit_key, wrapped FROM data_key")
            self.keys = await keys.fetchall()
            entries = await conn.execute("SELECT leaf_hash, data_key_id, evidence FROM entry")
            self.entries = await entries.fetchall()


@pytest.fixture
async def log(
    fresh_database: OpenDatabase, open_vault: Any, request: pytest.FixtureRequest
) -> AsyncIterator[PrivateLog]:
    """A log in its first month; Transit keys are those of OpenBao."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    vault = await open_vault("logging")
    safe = Prefixed(vault, prefix=f"{store._database._config.name}-")
    log = PrivateLog(store, clock=StoppedClock(BEGIN), safe=safe)
    async with log.running():
        yield log


class Prefixed:
    """Vault Transit, with month keys of the test's own: tests share one OpenBao."""

    def __init__(self, vault: Vault, *, prefix: str) -> None:
        self._vault = vault
        self._prefix = prefix

    def _name(self, key: str) -> str:
        for family in ("log-month-", "log-hold-"):
            key = key.replace(family, f"{family}{self._prefix}")
        return key

    async def create_key(self, key: str, *, kind: str = "aes256-gcm96") -> None:
        await self._vault.create_key(self._name(key), kind=kind)

    async def key_exists(self, key: str) -> bool:
        return await self._vault.key_exists(self._name(key))

    async def delete_key(self, key: str) -> None:
        await self._vault.delete_key(self._name(key))

    async def data_key(self, key: str) -> tuple[bytes, str]:
        return await self._vault.data_key(self._name(key))

    async def unwrap(self, key: str, wrapped: str) -> bytes:
        return await self._vault.unwrap(self._name(key), wrapped)

    async def sign(self, key: str, data: bytes, *, version: int = 0) -> bytes:
        return await self._vault.sign(key, data, version=version)

    async def key_versions(self, key: str) -> KeyVersions:
        return await self._vault.key_versions(key)


async def found(log: PrivateLog, criteria: Criteria) -> list[int]:
    page = await log.finder.page(criteria, limit=50)
    return [record.row.index for record in page.records if record.opened]


async def test_an_erased_month_opens_neither_here_nor_from_a_backup(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(), exchange(subject=OTHER)])
    await log.checkpoints.publish()
    backup = Backup()
    await backup.take(log)
    await log.later(days=365 * 10 + 40)
    await log.sequencer.append([exchange()])

    due = await log.shredder.sweep()
    assert [(each.retention_class, f"{each.month:%Y-%m}") for each in due] == [
        (RetentionClass.EXCHANGE, "2001-03")
    ]
    for process in (log, log.restarted()):
        records = await process.evidence.records([0, 1])
        assert [record.opened for record in records] == [None, None]
        assert await found(process, Criteria(subjects=(SUBJECT,))) == [2]
        await process.keys.prepare(log.clock.time)
        sealer = Sealer(keys=process.keys, ids=SystemIds())
        for leaf_hash, data_key_id, evidence in backup.entries:
            with pytest.raises(CrossroadsError):
                await sealer.open(data_key_id, bytes(leaf_hash), bytes(evidence))
    for _, key, wrapped in backup.keys:
        if key.endswith("exchange-2001-03"):
            with pytest.raises(CrossroadsError):
                await log.safe.unwrap(key, wrapped)


async def test_proofs_outlive_the_evidence(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(), exchange(), exchange()])
    await log.checkpoints.publish()
    await log.proofs.inclusion(1, 3)
    before = log.checkpoints.newest
    await log.later(days=365 * 10 + 40)
    await log.shredder.sweep()
    await log.checkpoints.publish()
    after = log.checkpoints.newest
    for index in range(after.size):
        proof = await log.proofs.inclusion(index, 0)
        merkle.verify_inclusion(
            index, proof.tree_size, proof.leaf_hash, list(proof.hashes), after.root
        )
    hashes = await log.proofs.consistency(before.size, after.size)
    merkle.verify_consistency(before.size, after.size, hashes, before.root, after.root)


async def test_an_erasure_is_logged_and_reported_once_no_snapshot_holds_the_key(
    log: PrivateLog,
) -> None:
    await log.sequencer.append([exchange()])
    await log.later(days=365 * 10 + 40)
    await log.shredder.sweep()
    (erasure,) = await log.tables.erasures()
    assert erasure.final_at == log.clock.time + timedelta(days=30)
    (record,) = await log.evidence.records([erasure.index])
    assert record.act == "logging.erase"
    assert record.audit["month"] == "2001-03"
    await log.later(days=29)
    await log.shredder.sweep()
    assert (await log.tables.erasures())[0].final_index is None
    await log.later(days=1)
    await log.shredder.sweep()
    index = (await log.tables.erasures())[0].final_index
    assert index is not None
    (record,) = await log.evidence.records([index])
    assert (record.act, record.audit["erase_index"]) == ("logging.erased", erasure.index)
    size = log.sequencer.size
    await log.shredder.sweep()
    assert log.sequencer.size == size


async def test_acts_stay_readable_longer_than_exchanges(log: PrivateLog) -> None:
    index = await log.journal.act(bytes(16), "registry.act", by=["anna"], audit={"reason": "x"})
    await log.sequencer.append([exchange()])
    await log.later(days=365 * 20)
    await log.shredder.sweep()
    exchanged, kept = await log.evidence.records([index, index + 1])
    assert exchanged.opened is None
    assert kept.audit == {"reason": "x"}
    await log.later(days=365 * 11)
    await log.shredder.sweep()
    (kept,) = await log.evidence.records([index])
    assert kept.opened is None


@pytest.mark.parametrize("held", [False, True], ids=["", "with a hold"])
async def test_a_crash_between_the_key_and_the_note_of_it_is_made_good(
    log: PrivateLog, held: bool
) -> None:
    await log.sequencer.append([exchange()])
    if held:
        await log.holds.place(
            by="anna", authority="a", reason="r", criteria=Criteria(subjects=(SUBJECT,))
        )
    await log.later(days=365 * 10 + 40)
    (span,) = [
        each
        for each in await log.tables.months()
        if (each.retention_class, f"{each.month:%Y-%m}") == ("exchange", "2001-03")
    ]
    await log.holds.rescue(span)
    await log.safe.delete_key(transit_key(span))
    again = log.restarted()
    shredder = Shredder(
        store=again.tables,
        keys=again.keys,
        custody=log.safe,
        holds=again.holds,
        journal=log.journal,
        retention=Retention(),
        clock=log.clock,
    )
    await shredder.sweep()
    assert [each.data_key_id for each in await log.tables.erasures()] == [span.data_key_id]
    (record,) = await log.restarted().evidence.records([0])
    assert (record.opened is not None) == held


async def test_a_key_that_a_snapshot_of_vault_brings_back_is_erased_again(log: PrivateLog) -> None:
    await log.sequencer.append([exchange()])
    await log.later(days=365 * 10 + 40)
    (span,) = await log.shredder.sweep()
    await log.safe.create_key(transit_key(span))
    size = log.sequencer.size
    await log.shredder.sweep()
    assert not await log.safe.key_exists(transit_key(span))
    assert log.sequencer.size == size


async def test_what_is_held_survives_its_month_and_goes_with_the_hold(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(), exchange(subject=OTHER)])
    hold, count = await log.holds.place(
        by="anna",
        authority="labour court of Liège",
        reason="case 26/114",
        criteria=Criteria(subjects=(SUBJECT,)),
    )
    assert count == 1
    late = exchange(ticket="T-2")
    await log.sequencer.append([late])  # held as well, though it came afterwards
    await log.later(days=365 * 10 + 40)
    await log.shredder.sweep()

    process = log.restarted()
    records = (await process.finder.page(Criteria(hold_id=hold.hold_id), limit=50)).records
    tickets = [record.party.get("ticket") for record in records if record.opened]
    assert tickets == ["T-2", None, "T-1"]  # the hold's own entry is between them
    (other,) = await process.evidence.records([1])
    assert other.opened is None

    await log.holds.release(hold.hold_id, by="anna", reason="the case is closed")
    assert all(record.opened is None for record in await process.evidence.records([0]))
    with pytest.raises(CrossroadsError, match="NOT_FOUND"):
        await log.holds.release(hold.hold_id, by="anna", reason="again")


async def test_a_hold_keeps_what_the_index_of_terms_does_not_reach_yet(log: PrivateLog) -> None:
    backlog = CAUGHT_UP_AT_ONCE + STEP_ENTRIES
    await log.sequencer.append([exchange(ticket="T-2") for _ in range(backlog)])
    await log.sequencer.append([exchange(ticket="T-1")])
    _, count = await log.holds.place(
        by="anna", authority="a", reason="r", criteria=Criteria(ticket="T-1")
    )
    assert count == 1


async def test_a_key_that_a_release_could_not_delete_is_deleted_with_the_next_sweep(
    log: PrivateLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, _ = await log.holds.place(
        by="anna", authority="a", reason="r", criteria=Criteria(subjects=(SUBJECT,))
    )

    async def refuse(key: str) -> None:
        raise CrossroadsError(Reason.UNAVAILABLE, "Vault went away")

    with monkeypatch.context() as away:
        away.setattr(log.safe, "delete_key", refuse)
        await log.holds.release(hold.hold_id, by="anna", reason="over")
        assert await log.safe.key_exists(hold.transit_key)
    await log.shredder.sweep()
    assert not await log.safe.key_exists(hold.transit_key)


async def test_nothing_is_erased_beside_a_hold_that_does_not_say_what_it_covers(
    log: PrivateLog,
) -> None:
    hold, _ = await log.holds.place(
        by="anna", authority="a", reason="r", criteria=Criteria(subjects=(SUBJECT,))
    )
    await log.later(days=365 * 31)
    await log.shredder.sweep()
    async with log.store.database.connection() as conn:
        await conn.execute("DELETE FROM held_entry")
    await log.sequencer.append([exchange()])
    await log.later(days=365 * 11)
    with pytest.raises(CrossroadsError, match="then release it"):
        await log.shredder.sweep()
    await log.holds.release(hold.hold_id, by="anna", reason="nobody knows what it covers")
    assert await log.shredder.sweep()


async def test_a_hold_of_everything_is_refused(log: PrivateLog) -> None:
    with pytest.raises(CrossroadsError, match="criteria"):
        await log.holds.place(
            by="anna", authority="a", reason="r", criteria=Criteria(start=microseconds(BEGIN))
        )


async def test_nothing_in_the_tables_names_the_subject_in_clear(log: PrivateLog) -> None:
    await log.sequencer.append([exchange()])
    await log.indexer.step()
    await log.holds.place(
        by="anna", authority="a", reason="r", criteria=Criteria(subjects=(SUBJECT,))
    )
    async with log.store._database.connection() as conn:
        tables = await conn.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
        for (table,) in await tables.fetchall():
            rows = await conn.execute(f"SELECT t::text FROM {table} t".encode())
            text = orjson.dumps(await rows.fetchall()).decode()
            assert SUBJECT not in text
            assert SUBJECT.encode().hex() not in text


async def test_old_keys_leave_memory(log: PrivateLog) -> None:
    await log.sequencer.append([exchange()])
    await log.later(days=62)
    own = {each.data_key_id for each in await log.tables.months() if each.month.month == 5}
    await log.evidence.records([0])
    assert len(log.keys._by_id) > len(own)
    await log.later(minutes=59)
    await log.later(minutes=2)
    assert log.keys._by_id.keys() == own
