"""Keys taken up, replaced and resolved, over real mTLS, with the log's own entries.

Each test has persons of its own: one identity serves the module.
"""

import asyncio
from typing import Any

import grpc
import pytest

from crossroads.identity.v1 import identity_service_pb2 as api
from services.identity.model import PersonKey, Register
from services.proof.record import canonical_json
from services.runtime.errors import Reason
from services.runtime.watch.replica import Replica, watching
from tests.support.asking import refusal
from tests.support.key_store import BCSS, RN, bis, national, persons
from tests.support.registers import RegisterNetwork, registration

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_five_thousand_keys_are_one_call_and_one_entry_without_a_key(
    network: RegisterNetwork,
) -> None:
    given = persons(*range(5000))
    before = await network.log.tables.size()
    assert await network.register(RN, given) == 5000
    assert await network.register(RN, given) == 0
    assert await network.log.tables.size() == before + 1
    keys = [each.niss for each in reversed(given)]
    assert await network.current(*keys) == keys

    entry = (await network.acts())[0]
    assert entry.party == {"act": "identity.register", "by": [RN]}
    assert entry.subject == {}
    assert set(entry.audit) == {"digest", "keys"}
    assert entry.audit["keys"] == 5000
    text = (canonical_json(dict(entry.party)) + canonical_json(dict(entry.audit))).decode()
    assert not any(each.niss in text for each in given)


async def test_answers_come_in_the_order_asked_with_the_register(network: RegisterNetwork) -> None:
    await network.register(BCSS, persons(6001, register=Register.BIS))
    await network.register(RN, persons(6002, register=Register.RAD))
    stub = await network.asker("contact")
    asked = [national(6002), national(6009), bis(6001), national(6002)]
    response = await stub.ResolveKeys(api.ResolveKeysRequest(niss=asked))
    struck_off = api.ResolvedKey(known=True, current_niss=national(6002), register=api.REGISTER_RAD)
    in_bis = api.ResolvedKey(known=True, current_niss=bis(6001), register=api.REGISTER_BIS)
    assert list(response.keys) == [struck_off, api.ResolvedKey(), in_bis, struck_off]


async def test_replacement_is_in_the_log_under_the_person(network: RegisterNetwork) -> None:
    await network.register(BCSS, persons(6101, register=Register.BIS))
    await network.register(RN, persons(6101, 6102))
    await network.replace(bis(6101), national(6101))
    version = await network.replace(national(6101), national(6102))
    assert await network.replace(bis(6101), national(6102)) == version
    assert await network.current(bis(6101), national(6101)) == [national(6102)] * 2
    (entry,) = await network.acts(national(6102))
    assert entry.party == {"act": "identity.replace", "by": [BCSS]}
    assert entry.subject == {
        "act": "identity.replace",
        "current": national(6102),
        "replaced": national(6101),
    }
    (before,) = await network.acts(national(6101))
    assert before.subject["replaced"] == bis(6101)


async def test_circle_is_refused_and_not_logged(network: RegisterNetwork) -> None:
    await network.register(RN, persons(6201, 6202))
    await network.replace(national(6201), national(6202))
    before = await network.log.tables.size()
    stub = await network.teller(BCSS)
    request = api.ReplaceKeyRequest(old_niss=national(6202), new_niss=national(6201))
    seen = await refusal(stub.ReplaceKey(request))
    assert (seen.reason, seen.code) == (
        Reason.FAILED_PRECONDITION,
        grpc.StatusCode.FAILED_PRECONDITION,
    )
    assert seen.fields == ("new_niss",)
    assert await network.log.tables.size() == before


async def test_subscriber_learns_of_a_replacement_and_of_the_chain_behind_it(
    network: RegisterNetwork,
) -> None:
    await network.register(RN, persons(6301, 6302, 6303))
    await network.replace(national(6301), national(6302))
    stub = await network.asker("logging")
    replica = Replica(
        name="replacements",
        connect=watching(stub.WatchReplacements, api.WatchReplacementsRequest),
        decode=lambda _, value: api.Replacement.FromString(value).current_niss,
        clock=network.identity.clock,
    )
    task = asyncio.create_task(replica.run())
    try:
        await replica.ready()
        assert replica.get(national(6301)) == national(6302)
        version = await network.replace(national(6302), national(6303))
        await network.until(lambda: replica.version >= version)
        assert replica.get(national(6301)) == replica.get(national(6302)) == national(6303)
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.mark.parametrize(
    ("caller", "register"),
    [
        ("capac/payments", Register.RN),
        (RN, Register.BIS),
        (BCSS, Register.RN),
    ],
)
async def test_institution_that_does_not_keep_the_register_is_refused(
    network: RegisterNetwork, caller: str, register: Register
) -> None:
    given = persons(6401, register=register)
    seen = await refusal((await network.teller(caller)).RegisterPersons(registration(given)))
    assert (seen.reason, seen.code) == (
        Reason.CALLER_NOT_ALLOWED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    assert await network.current(given[0].niss) == [""]


async def test_only_the_crossroads_bank_replaces_and_only_services_resolve(
    network: RegisterNetwork,
) -> None:
    await network.register(RN, persons(6501, 6502))
    stub = await network.teller(RN)
    replace = api.ReplaceKeyRequest(old_niss=national(6501), new_niss=national(6502))
    resolve = api.ResolveKeysRequest(niss=[national(6501)])
    calls: list[Any] = [stub.ReplaceKey(replace), stub.ResolveKeys(resolve)]
    calls.append((await network.asker("authorization")).ResolveKeys(resolve))
    calls.append((await network.asker("routing")).RegisterPersons(registration(persons(6503))))
    for call in calls:
        assert (await refusal(call)).reason is Reason.CALLER_NOT_ALLOWED
    assert await network.current(national(6501), national(6503)) == [national(6501), ""]


async def test_wrong_check_digits_name_the_field_and_not_the_key(network: RegisterNetwork) -> None:
    right = national(6601)
    wrong = f"{right[:-2]}{(int(right[-2:]) % 97) + 1:02}"
    given = [PersonKey(right, Register.RN), PersonKey(wrong, Register.RN)]
    seen = await refusal((await network.teller(RN)).RegisterPersons(registration(given)))
    assert (seen.reason, seen.fields) == (Reason.INVALID_KEY, ("persons[1].niss",))
    request = api.ReplaceKeyRequest(old_niss=right, new_niss=wrong)
    seen = await refusal((await network.teller(BCSS)).ReplaceKey(request))
    assert (seen.reason, seen.fields) == (Reason.INVALID_KEY, ("new_niss",))
    asked = api.ResolveKeysRequest(niss=[right, wrong])
    seen = await refusal((await network.asker()).ResolveKeys(asked))
    assert (seen.reason, seen.fields) == (Reason.INVALID_KEY, ("niss[1]",))
    assert await network.current(right) == [""]


async def test_key_of_another_form_is_refused_before_anything_is_done(
    network: RegisterNetwork,
) -> None:
    given = [PersonKey("0123", Register.RN)]
    seen = await refusal((await network.teller(RN)).RegisterPersons(registration(given)))
    assert (seen.reason, seen.fields) == (Reason.INVALID_ARGUMENT, ("persons[0].niss",))
