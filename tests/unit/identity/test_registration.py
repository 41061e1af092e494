"""Keys are taken up from the institution that keeps their register, once, with one log entry."""

from typing import Any

import pytest

from services.identity.model import PersonKey, Register, batch_id
from services.runtime.errors import CrossroadsError, Reason
from tests.support.key_store import BCSS, RN, SECRET, Registers, bis, national, persons


@pytest.fixture
def registers() -> Registers:
    return Registers()


async def refusal(call: Any) -> CrossroadsError:
    with pytest.raises(CrossroadsError) as raised:
        await call
    return raised.value


async def test_keys_are_resolved_in_the_order_asked(registers: Registers) -> None:
    assert await registers.identity.register(RN, persons(3, 1, 2)) == 3
    asked = [national(2), national(9), national(1), national(2)]
    resolved = await registers.identity.resolve(asked)
    assert [each.current for each in resolved] == [asked[0], "", asked[2], asked[3]]
    assert [each.known for each in resolved] == [True, False, True, True]


async def test_keys_that_are_known_are_neither_counted_nor_logged_again(
    registers: Registers,
) -> None:
    await registers.identity.register(RN, persons(1, 2))
    assert await registers.identity.register(RN, persons(2, 1)) == 0
    assert await registers.identity.register(RN, persons(2, 3, 1)) == 1
    assert [entry[2] for entry in registers.journal.entries] == [2, 1]


async def test_entry_counts_the_keys_and_holds_none(registers: Registers) -> None:
    given = persons(1, 2, 3)
    await registers.identity.register(RN, given)
    (entry,) = registers.journal.entries
    assert entry == (batch_id(SECRET, given)[0], RN, 3, batch_id(SECRET, given)[1])
    assert not any(each.niss in repr(entry) for each in given)


def test_batch_is_the_same_in_any_order_and_nobody_can_compute_it_without_the_secret() -> None:
    forward, backward = persons(1, 2, 3), persons(3, 2, 1)
    assert batch_id(SECRET, forward) == batch_id(SECRET, backward)
    of_others = [
        batch_id(SECRET, persons(1, 2)),
        batch_id(SECRET, persons(1, 2, 3, register=Register.RAD)),
        batch_id(bytes(32), forward),
    ]
    assert not {batch_id(SECRET, forward)} & set(of_others)


@pytest.mark.parametrize(
    ("caller", "register"),
    [
        ("capac/payments", Register.RN),
        ("bcss/registers", Register.RN),
        ("bcss/registers", Register.RAD),
        ("rn/persons", Register.BIS),
        ("", Register.BIS),
    ],
)
async def test_nobody_else_says_what_is_in_a_register(
    registers: Registers, caller: str, register: Register
) -> None:
    given = persons(1, register=register)
    error = await refusal(registers.identity.register(caller, given))
    assert error.reason is Reason.CALLER_NOT_ALLOWED
    assert str(register) in error.message
    assert await registers.current(given[0].niss) == [""]
    assert registers.journal.entries == []


async def test_wrong_check_digits_name_their_fields_and_nothing_is_taken_up(
    registers: Registers,
) -> None:
    right = national(1)
    wrong = f"{right[:-2]}{(int(right[-2:]) % 97) + 1:02}"
    given = [PersonKey(right, Register.RN), PersonKey(wrong, Register.RN)]
    error = await refusal(registers.identity.register(RN, given))
    assert error.reason is Reason.INVALID_KEY
    assert [each.field for each in error.fields] == ["persons[1].niss"]
    assert wrong not in str(error)
    assert await registers.current(right) == [""]
    error = await refusal(registers.identity.resolve([right, wrong]))
    assert (error.reason, error.fields[0].field) == (Reason.INVALID_KEY, "niss[1]")
    error = await refusal(registers.identity.replace(BCSS, wrong, right))
    assert (error.reason, error.fields[0].field) == (Reason.INVALID_KEY, "old_niss")


@pytest.mark.parametrize(
    ("caller", "key", "register"),
    [
        (BCSS, national(1), Register.BIS),
        (RN, bis(1), Register.RN),
        (RN, bis(1), Register.RAD),
    ],
)
async def test_register_gives_out_keys_of_its_own_form_only(
    registers: Registers, caller: str, key: str, register: Register
) -> None:
    error = await refusal(registers.identity.register(caller, [PersonKey(key, register)]))
    assert error.reason is Reason.INVALID_KEY
    assert [each.field for each in error.fields] == ["persons[0].register"]
    assert await registers.current(key) == [""]


async def test_key_is_in_one_register(registers: Registers) -> None:
    await registers.identity.register(RN, persons(1))
    both = [*persons(2), *persons(1, register=Register.RAD)]
    error = await refusal(registers.identity.register(RN, both))
    assert (error.reason, error.retryable) == (Reason.ALREADY_EXISTS, False)
    assert [each.field for each in error.fields] == ["persons[1].register"]
    assert await registers.current(national(2)) == [""]


async def test_key_that_is_there_twice_is_refused(registers: Registers) -> None:
    error = await refusal(registers.identity.register(RN, persons(1, 2, 1)))
    assert error.reason is Reason.INVALID_ARGUMENT
    assert [each.field for each in error.fields] == ["persons[2].niss"]


async def test_replaced_key_may_be_told_again_by_its_register(registers: Registers) -> None:
    await registers.identity.register(BCSS, persons(1, register=Register.BIS))
    await registers.identity.register(RN, persons(1))
    await registers.identity.replace(BCSS, bis(1), national(1))
    again = persons(1, register=Register.BIS)
    assert await registers.identity.register(BCSS, again) == 0
    assert await registers.current(bis(1)) == [national(1)]


async def test_without_the_log_nothing_is_taken_up(registers: Registers) -> None:
    registers.journal.away = True
    error = await refusal(registers.identity.register(RN, persons(1)))
    assert (error.reason, error.retryable) == (Reason.LOG_UNAVAILABLE, True)
    assert await registers.current(national(1)) == [""]
    registers.journal.away = False
    assert await registers.identity.register(RN, persons(1)) == 1


async def test_repeat_after_a_lost_commit_finds_its_entry(registers: Registers) -> None:
    registers.store.lost = True
    error = await refusal(registers.identity.register(RN, persons(1, 2)))
    assert error.retryable
    assert await registers.current(national(1)) == [""]
    assert await registers.identity.register(RN, persons(2, 1)) == 2
    assert len(registers.journal.entries) == 1
