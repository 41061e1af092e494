"""Sealing: the leaf, the evidence, the keys of the month, and what is not canonical."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.logging.model import RetentionClass, microseconds
from services.logging.sealing import KeyRing, Sealer, check_sections, subject_mac
from services.proof import record
from services.proof.record import Kind, Section
from services.runtime.errors import CrossroadsError
from services.runtime.ids import SystemIds
from tests.support.log_store import MemoryLogStore
from tests.support.logs import SUBJECT, Log, Safe

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
TIME = microseconds(NOW)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


async def sealer(safe: Safe, store: MemoryLogStore) -> Sealer:
    keys = KeyRing(custody=safe, store=store)
    await keys.prepare(NOW)
    return Sealer(keys=keys, ids=SystemIds())


@pytest.fixture
async def log() -> Log:
    log = Log(MemoryLogStore())
    await log.keys.prepare(NOW)
    return log


async def test_evidence_opens_to_what_hashes_to_the_leaf(log: Log) -> None:
    entry = log.entry(kind=Kind.RELEASE)
    (sealed,) = log.sealer.seal([entry], TIME)
    opened = await log.sealer.open(sealed.data_key_id, sealed.leaf_hash, sealed.evidence)
    assert (opened.party, opened.subject, opened.audit) == (
        entry.party,
        entry.subject,
        entry.audit,
    )
    assert opened.subject_key == SUBJECT
    hashes = [
        record.section_hash(section, salt, text)
        for section, salt, text in zip(
            Section,
            record.salts_apart(opened.salts),
            (opened.party, opened.subject, opened.audit),
            strict=True,
        )
    ]
    leaf = record.leaf(Kind.RELEASE, TIME // 3_600_000_000, *hashes)
    assert record.leaf_hash(leaf) == sealed.leaf_hash


async def test_the_same_entry_never_has_the_same_leaf_twice(log: Log) -> None:
    entry = log.entry()
    first, second = log.sealer.seal([entry, entry], TIME)
    assert first.leaf_hash != second.leaf_hash
    assert first.subject_mac == second.subject_mac


@pytest.mark.parametrize("place", [0, 50, -1])
async def test_evidence_that_was_altered_does_not_open(log: Log, place: int) -> None:
    (sealed,) = log.sealer.seal([log.entry()], TIME)
    evidence = bytearray(sealed.evidence)
    evidence[place] ^= 1
    with pytest.raises(CrossroadsError, match="altered"):
        await log.sealer.open(sealed.data_key_id, sealed.leaf_hash, bytes(evidence))


async def test_evidence_of_another_leaf_does_not_open(log: Log) -> None:
    first, second = log.sealer.seal([log.entry(), log.entry()], TIME)
    with pytest.raises(CrossroadsError, match="altered"):
        await log.sealer.open(first.data_key_id, first.leaf_hash, second.evidence)


async def test_evidence_holds_nothing_in_clear(log: Log) -> None:
    (sealed,) = log.sealer.seal([log.entry()], TIME)
    assert SUBJECT.encode() not in sealed.evidence
    assert sealed.subject_mac
    assert SUBJECT.encode() not in sealed.subject_mac


async def test_keys_exist_a_week_before_their_month() -> None:
    safe, store = Safe(), MemoryLogStore()
    await KeyRing(custody=safe, store=store).prepare(datetime(2026, 11, 23, tzinfo=UTC))
    assert {key.month for key in store.keys} == {"2026-11-01"}
    keys = KeyRing(custody=safe, store=store)
    await keys.prepare(datetime(2026, 11, 24, tzinfo=UTC))
    safe.away = True
    assert keys.at(RetentionClass.EXCHANGE, microseconds(datetime(2026, 12, 1, tzinfo=UTC)))
    assert {key.transit_key for key in store.keys} == {
        f"log-month-{retention}-{month}"
        for retention in ("exchange", "administrative")
        for month in ("2026-11", "2026-12")
    }


async def test_a_month_without_keys_takes_no_entries(log: Log) -> None:
    with pytest.raises(CrossroadsError, match="LOG_UNAVAILABLE"):
        log.sealer.seal([log.entry()], microseconds(datetime(2027, 2, 1, tzinfo=UTC)))


async def test_keys_differ_by_class_and_come_back_after_a_restart() -> None:
    safe, store = Safe(), MemoryLogStore()
    before = KeyRing(custody=safe, store=store)
    await before.prepare(NOW)
    after = KeyRing(custody=safe, store=store)
    await after.prepare(NOW)
    exchange = before.at(RetentionClass.EXCHANGE, TIME)
    assert exchange == after.at(RetentionClass.EXCHANGE, TIME)
    administrative = before.at(RetentionClass.ADMINISTRATIVE, TIME)
    assert not {exchange.evidence, exchange.subject_index} & {
        administrative.evidence,
        administrative.subject_index,
    }


async def test_evidence_is_gone_with_the_transit_key_of_its_month() -> None:
    safe, store = Safe(), MemoryLogStore()
    log = Log(store, safe=safe)
    (sealed,) = (await sealer(safe, store)).seal([log.entry()], TIME)
    await safe.delete_key("log-month-exchange-2026-11")
    restarted = Sealer(keys=KeyRing(custody=safe, store=store), ids=SystemIds())
    with pytest.raises(CrossroadsError, match="no such key"):
        await restarted.open(sealed.data_key_id, sealed.leaf_hash, sealed.evidence)


async def test_an_act_is_sealed_under_its_own_class(log: Log) -> None:
    exchange, act = log.sealer.seal([log.entry(), log.entry(kind=Kind.ADMINISTRATIVE)], TIME)
    assert exchange.data_key_id != act.data_key_id
    assert exchange.subject_mac != act.subject_mac


async def test_a_subject_is_indexed_under_its_mac(log: Log) -> None:
    (sealed,) = log.sealer.seal([log.entry()], TIME)
    key = await log.keys.get(sealed.data_key_id)
    assert sealed.subject_mac == subject_mac(key, SUBJECT.encode())


@pytest.mark.parametrize(
    "section",
    [
        b"",
        b"[]",
        b"1",
        b'{"a":1} ',
        b'{"a": 1}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{"a":1.5}',
        b'{"a":1.0}',
        b'{"a":1e16}',
        b'{"a":-1e16}',
        b'{"a":[1e16]}',
        b'{"a":[0,1e16]}',
        b'{"a":9007199254740993}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        '{"é":1}'.encode(),
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    ],
)
async def test_a_section_that_is_not_canonical_is_refused(log: Log, section: bytes) -> None:
    with pytest.raises(ValueError, match=r"canonical|JSON"):
        check_sections(log.entry()._replace(audit=section))


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.booleans())
@example({"a": 1e16}, True)
@example({"a": -1e-7}, True)
@example({"hash": "1e5", "version": "1.2"}, True)
def test_the_quick_check_agrees_with_the_thorough_one(value: object, sort: bool) -> None:
    option = orjson.OPT_SORT_KEYS if sort else 0
    try:
        section = orjson.dumps(value, option=option)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return
    entry = Log(MemoryLogStore.__new__(MemoryLogStore)).entry()._replace(party=section)
    assert _refused(check_sections, entry) == _refused(record.parse_canonical, section)


def _refused(check: object, value: object) -> bool:
    try:
        check(value)  # type: ignore[operator]
    except ValueError:
        return True
    return False
