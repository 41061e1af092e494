"""Appending over gRPC: durable, in order, once; what is malformed is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crossroads.logging.v1 import logging_service_pb2 as api
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from tests.integration.logging.conftest import message
from tests.support.logs import Log


async def test_an_acknowledged_entry_is_in_the_database(log: Log, stub: Any) -> None:
    done = await stub.Append(
        api.AppendRequest(entries=[message(log.entry()), message(log.entry(receipt=True))])
    )
    first, second = done.acknowledgements
    assert [first.outcome, second.outcome] == [api.OUTCOME_APPENDED] * 2
    assert [first.index, second.index] == [1, 2]
    assert await log.store.leaf_hashes(1, 3) == [first.leaf_hash, second.leaf_hash]
    assert not first.HasField("receipt")
    assert second.receipt.index == 2


async def test_a_stream_answers_each_batch_in_order(log: Log, stub: Any) -> None:
    async with stub.AppendStream() as stream:
        indices = []
        for batch in range(1, 6):
            entries = [message(log.entry()) for _ in range(batch)]
            await stream.write(api.AppendStreamRequest(batch=batch, entries=entries))
            answer = await stream.read()
            assert (answer.batch, answer.refused) == (batch, "")
            indices += [each.index for each in answer.acknowledgements]
    assert indices == list(range(1, 16))


async def test_many_streams_share_the_log_without_a_gap(log: Log, stub: Any) -> None:
    async def append() -> list[int]:
        indices = []
        async with stub.AppendStream() as stream:
            for batch in range(20):
                entries = [message(log.entry()), message(log.entry())]
                await stream.write(api.AppendStreamRequest(batch=batch, entries=entries))
                answer = await stream.read()
                indices += [each.index for each in answer.acknowledgements]
        return indices

    all_of_them = await asyncio.gather(*(append() for _ in range(8)))
    assert all(each == sorted(each) for each in all_of_them)
    assert sorted(index for each in all_of_them for index in each) == list(range(1, 321))


async def test_a_batch_that_is_refused_does_not_end_the_stream(log: Log, stub: Any) -> None:
    bad = message(log.entry())
    bad.party = b'{"a": 1}'
    async with stub.AppendStream() as stream:
        await stream.write(api.AppendStreamRequest(batch=1, entries=[message(log.entry()), bad]))
        refused = await stream.read()
        await stream.write(api.AppendStreamRequest(batch=2))
        empty = await stream.read()
        await stream.write(api.AppendStreamRequest(batch=3, entries=[message(log.entry())]))
        taken = await stream.read()
    assert (refused.batch, refused.refused) == (1, "INVALID_ARGUMENT")
    assert not refused.acknowledgements
    assert empty.refused == "INVALID_ARGUMENT"
    assert [each.index for each in taken.acknowledgements] == [1]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exchange_id", b"short"),
        ("nonce", b"123456789"),
        ("kind", 0),
        ("kind", 99),
        ("attempt", 0),
        ("attempt", 2**31),
        ("question_mac", bytes(65)),
        ("subject_key", "9" * 65),
        ("party", b'{"b":1,"a":2}'),
        ("subject", b'{"a":1.5}'),
        ("audit", b""),
    ],
)
async def test_an_entry_that_breaks_a_rule_is_refused_by_name(
    log: Log, stub: Any, field: str, value: object
) -> None:
    entry = message(log.entry())
    setattr(entry, field, value)
    with pytest.raises(CrossroadsError) as refused:
        await stub.Append(api.AppendRequest(entries=[message(log.entry()), entry]))
    assert refused.value.reason is Reason.INVALID_ARGUMENT
    assert refused.value.fields[0].field.startswith("entries[1]")
    assert await log.store.leaf_hashes(1, 9) == []


async def test_a_request_without_a_deadline_is_refused(log: Log, stub: Any) -> None:
    entry = message(log.entry(kind=Kind.REQUEST))
    entry.ClearField("deadline")
    with pytest.raises(CrossroadsError, match="deadline"):
        await stub.Append(api.AppendRequest(entries=[entry]))


async def test_another_question_under_the_same_id_is_told_as_a_duplicate(
    log: Log, stub: Any
) -> None:
    entry = log.entry(kind=Kind.REQUEST, question_mac=b"first")
    other = log.entry(exchange_id=entry.id.exchange_id, kind=Kind.REQUEST, question_mac=b"second")
    await stub.Append(api.AppendRequest(entries=[message(entry)]))
    done = await stub.Append(api.AppendRequest(entries=[message(log.entry()), message(other)]))
    taken, duplicate = done.acknowledgements
    assert taken.outcome == api.OUTCOME_APPENDED
    assert duplicate.outcome == api.OUTCOME_DUPLICATE
    assert (duplicate.index, duplicate.question_mac) == (1, b"first")
    assert (duplicate.nonce, duplicate.last_attempt) == (entry.nonce, 1)


async def test_a_repeat_gets_the_same_receipt(log: Log, stub: Any) -> None:
    entry = message(log.entry(kind=Kind.RELEASE, receipt=True))
    first = await stub.Append(api.AppendRequest(entries=[entry]))
    again = await stub.Append(api.AppendRequest(entries=[entry]))
    assert again == first
    assert again.acknowledgements[0].receipt.signature


async def test_a_thousand_entries_of_one_message_are_one_answer(log: Log, stub: Any) -> None:
    async def requests() -> AsyncIterator[api.AppendStreamRequest]:
        entries = [message(log.entry()) for _ in range(1000)]
        yield api.AppendStreamRequest(batch=7, entries=entries)

    async with stub.AppendStream(requests()) as stream:
        answer = await stream.read()
    assert [each.index for each in answer.acknowledgements] == list(range(1, 1001))


async def test_an_exchange_is_found_with_its_entries(log: Log, stub: Any) -> None:
    request = log.entry(kind=Kind.REQUEST)
    release = log.entry(exchange_id=request.id.exchange_id, kind=Kind.RELEASE)
    done = await stub.Append(api.AppendRequest(entries=[message(request), message(release)]))
    found = await stub.FindExchange(api.FindExchangeRequest(exchange_id=request.id.exchange_id))
    assert [(each.kind, each.attempt) for each in found.entries] == [
        (api.KIND_REQUEST, 1),
        (api.KIND_RELEASE, 1),
    ]
    assert [each.leaf_hash for each in found.entries] == [
        each.leaf_hash for each in done.acknowledgements
    ]
    with pytest.raises(CrossroadsError) as refused:
        await stub.FindExchange(api.FindExchangeRequest(exchange_id=bytes(16)))
    assert refused.value.reason is Reason.NOT_FOUND
