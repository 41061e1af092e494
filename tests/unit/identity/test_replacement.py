"""A replaced key points at the end of its chain; a chain never closes to a circle."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.model import Register, replacement_id
from services.runtime.errors import CrossroadsError, Reason
from tests.support.key_store import BCSS, RN, SECRET, Registers, bis, national, persons

KEYS = [national(number) for number in range(8)]
replacements = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=24)


class Chains:
    """What was said, followed link by link: what identity must agree with."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    def end(self, key: str) -> str:
        while key in self.said:
            key = self.said[key]
        return key

    def say(self, old: str, new: str) -> bool:
        """Whether this may be said: it closes no circle, and says nothing else of `old`."""
        if old == new or self.end(new) == old:
            return False
        if old in self.said:
            return self.end(old) == self.end(new)
        self.said[old] = new
        return True


async def registered() -> Registers:
    registers = Registers()
    await registers.identity.register(RN, persons(*range(len(KEYS))))
    await registers.identity.register(BCSS, persons(0, register=Register.BIS))
    return registers


async def reason_of(call: Any) -> Reason | None:
    try:
        await call
    except CrossroadsError as error:
        return error.reason
    return None


@given(replacements)
def test_chains_are_followed_and_circles_refused(said: list[tuple[str, str]]) -> None:
    async def run() -> None:
        registers, chains = await registered(), Chains()
        for old, new in said:
            reason = await reason_of(registers.identity.replace(BCSS, old, new))
            assert reason is (None if chains.say(old, new) else Reason.FAILED_PRECONDITION)
            assert await registers.current(*KEYS) == [chains.end(each) for each in KEYS]
        published = registers.store.published()
        assert published == {each: chains.end(each) for each in chains.said}
        assert not set(published) & set(published.values())
        assert registers.store.kept.version == len(registers.journal.entries) - 2

    asyncio.run(run())


@given(replacements)
def test_everything_may_be_said_again(said: list[tuple[str, str]]) -> None:
    async def run() -> None:
        registers = await registered()
        taken = [
            (old, new)
            for old, new in said
            if await reason_of(registers.identity.replace(BCSS, old, new)) is None
        ]
        before, entries = registers.store.kept, list(registers.journal.entries)
        versions = [await registers.identity.replace(BCSS, old, new) for old, new in taken]
        assert set(versions) <= {before.version}
        assert (registers.store.kept, registers.journal.entries) == (before, entries)

    asyncio.run(run())


async def test_bis_number_stands_for_the_national_number_and_its_register() -> None:
    registers = await registered()
    assert await registers.identity.replace(BCSS, bis(0), KEYS[0]) == 1
    (resolved,) = await registers.identity.resolve([bis(0)])
    assert (resolved.current, resolved.register) == (KEYS[0], Register.RN)


async def test_replacement_is_logged_under_the_end_of_the_chain() -> None:
    registers = await registered()
    await registers.identity.replace(BCSS, KEYS[1], KEYS[2])
    await registers.identity.replace(BCSS, KEYS[0], KEYS[1])
    act_id = replacement_id(SECRET, KEYS[0], KEYS[2])
    assert registers.journal.entries[-1] == (act_id, BCSS, KEYS[0], KEYS[2])
    assert act_id != replacement_id(bytes(32), KEYS[0], KEYS[2])


@pytest.mark.parametrize("caller", [RN, "capac/payments", "bcss-x/registers", ""])
async def test_only_the_crossroads_bank_says_what_replaced_what(caller: str) -> None:
    registers = await registered()
    reason = await reason_of(registers.identity.replace(caller, KEYS[0], KEYS[1]))
    assert reason is Reason.CALLER_NOT_ALLOWED
    assert await registers.current(KEYS[0]) == [KEYS[0]]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [(national(90), KEYS[0], "old_niss"), (KEYS[0], national(90), "new_niss")],
)
async def test_both_keys_must_be_known(old: str, new: str, field: str) -> None:
    registers = await registered()
    with pytest.raises(CrossroadsError) as raised:
        await registers.identity.replace(BCSS, old, new)
    assert raised.value.reason is Reason.NOT_FOUND
    assert [each.field for each in raised.value.fields] == [field]


async def test_without_the_log_nothing_is_replaced() -> None:
    registers = await registered()
    registers.journal.away = True
    reason = await reason_of(registers.identity.replace(BCSS, KEYS[0], KEYS[1]))
    assert reason is Reason.LOG_UNAVAILABLE
    assert await registers.current(KEYS[0]) == [KEYS[0]]
    assert registers.store.published() == {}


async def test_replacement_after_a_lost_commit_finds_its_entry() -> None:
    registers = await registered()
    registers.store.lost = True
    assert await reason_of(registers.identity.replace(BCSS, KEYS[0], KEYS[1])) is (
        Reason.STORE_UNAVAILABLE
    )
    assert await registers.current(KEYS[0]) == [KEYS[0]]
    entries = list(registers.journal.entries)
    await registers.identity.replace(BCSS, KEYS[0], KEYS[1])
    assert registers.journal.entries == entries
    assert await registers.current(KEYS[0]) == [KEYS[1]]
