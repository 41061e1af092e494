"""What institutions may declare, and what of it is logged and recorded."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import pytest

from services.routing.declarations import Declarations
from services.routing.model import Caller, Integration, Logged, declaration_id
from services.routing.records import Entry
from services.runtime.errors import CrossroadsError, Reason
from tests.support.exchanges import CAPAC, KNOWN, STRANGER, MemoryLog, TestClock, integration

ONEM = Caller("onem", "benefits")
MAC_KEY = bytes(range(32))


class Institutions:
    def manages(self, manager: str, institution: str) -> bool:
        return manager == institution or (manager, institution) == ("onem", "capac")

    def capacities(self, institution: str) -> frozenset[str]:
        return frozenset({"18/1", "18/2"})


class Keys:
    def __init__(self) -> None:
        self.bearers = {KNOWN}

    async def known(self, subjects: Sequence[str]) -> frozenset[str]:
        return frozenset(subjects) & self.bearers

    def keys_of(self, subject: str) -> Sequence[str]:
        return [subject]


class MemoryStore:
    def __init__(self) -> None:
        self.rows: dict[Integration, bool] = {}

    async def on_record(self, subjects: Sequence[str], institution: str) -> Sequence[Integration]:
        return [e for e in self.rows if e.subject in subjects and e.institution == institution]

    async def declare(
        self,
        declared: Sequence[Integration],
        *,
        declared_by: str,
        verified: Collection[str],
        log_indices: Sequence[int],
        now: datetime,
    ) -> None:
        for each in declared:
            for old in [row for row in self.rows if row[:5] == each[:5]]:
                del self.rows[old]
            self.rows[each] = each.subject in verified

    async def unverified(self, after: str, limit: int) -> Sequence[str]:
        return sorted({e.subject for e, v in self.rows.items() if not v and e.subject > after})

    async def verify(self, subjects: Sequence[str], now: datetime) -> None:
        for each in self.rows:
            self.rows[each] = self.rows[each] or each.subject in subjects


class ManyLog(MemoryLog):
    async def append_all(self, entries: Sequence[Entry], deadline: float) -> list[Logged]:
        return [await self.append(each, deadline) for each in entries]


class Fixture:
    def __init__(self) -> None:
        self.log = ManyLog()
        self.store = MemoryStore()
        self.keys = Keys()
        self.declarations = Declarations(
            institutions=Institutions(),
            keys=self.keys,
            store=self.store,
            log=self.log,
            check_key=lambda key: key in {KNOWN, STRANGER},
            mac_key=MAC_KEY,
            clock=TestClock(),
        )

    async def declare(self, *declared: Integration, caller: Caller = CAPAC) -> None:
        await self.declarations.declare(caller, "capac", declared, 10.0)

    async def refused(self, *declared: Integration, **options: Any) -> CrossroadsError:
        with pytest.raises(CrossroadsError) as raised:
            await self.declare(*declared, **options)
        assert self.store.rows == {}
        assert self.log.entries == []
        return raised.value


async def test_declaration_is_logged_under_its_subject_and_recorded() -> None:
    fixture = Fixture()
    await fixture.declare(integration("capac"))
    (entry,) = fixture.log.entries
    assert entry.subject_key == KNOWN
    assert fixture.log.sections(0)["subject"]["capacity"] == "18/1"
    assert fixture.store.rows == {integration("capac"): True}


async def test_nothing_is_recorded_when_the_log_is_down() -> None:
    fixture = Fixture()
    fixture.log.down = True
    assert (await fixture.refused(integration("capac"))).reason is Reason.LOG_UNAVAILABLE


async def test_managing_institution_declares_for_those_it_manages() -> None:
    fixture = Fixture()
    await fixture.declare(integration("capac"), caller=ONEM)
    assert list(fixture.store.rows) == [integration("capac")]
    stranger = Caller("csc", "payments")
    error = await Fixture().refused(integration("capac"), caller=stranger)
    assert error.reason is Reason.CALLER_NOT_ALLOWED


async def test_wrong_check_digit_names_the_field() -> None:
    error = await Fixture().refused(integration("capac"), integration("capac", "85073003329"))
    assert error.reason is Reason.INVALID_KEY
    assert [each.field for each in error.fields] == ["integrations[1].subject"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"capacity": "5/1"}, "integrations[1].capacity"),
        ({"end": date(2020, 1, 1)}, "integrations[1].until"),
        ({}, "integrations[1]"),
    ],
)
async def test_what_can_not_be_declared_is_refused_as_a_whole(
    changes: dict[str, Any], field: str
) -> None:
    error = await Fixture().refused(integration("capac"), integration("capac", **changes))
    assert error.reason is Reason.INVALID_ARGUMENT
    assert field in [each.field for each in error.fields]


async def test_unknown_key_gets_the_same_reply_and_waits_until_it_is_known() -> None:
    fixture = Fixture()
    unknown = integration("capac", STRANGER)
    await fixture.declare(unknown)
    assert fixture.store.rows == {unknown: False}
    assert list(await fixture.declarations.declared(CAPAC, STRANGER)) == [unknown]
    await fixture.declarations.verify()
    assert fixture.store.rows == {unknown: False}
    fixture.keys.bearers.add(STRANGER)
    await fixture.declarations.verify()
    assert fixture.store.rows == {unknown: True}


async def test_same_words_again_are_neither_logged_nor_recorded_again() -> None:
    fixture = Fixture()
    for _ in range(2):
        await fixture.declare(integration("capac"))
    assert len(fixture.log.entries) == 1


async def test_return_to_earlier_words_is_an_act_of_its_own() -> None:
    fixture = Fixture()
    closed = integration("capac", end=date(2025, 1, 1))
    for each in (integration("capac"), closed, integration("capac")):
        await fixture.declare(each)
    assert list(fixture.store.rows) == [integration("capac")]
    assert [each.attempt for each in fixture.log.entries] == [1, 1, 2]


def test_id_of_a_declaration_says_nothing_without_the_key() -> None:
    declared = integration("capac")
    own = declaration_id(MAC_KEY, "capac", declared)
    assert own == declaration_id(MAC_KEY, "capac", declared)
    assert own != declaration_id(bytes(32), "capac", declared)
    assert own != declaration_id(MAC_KEY, "capac", integration("capac", STRANGER))
