"""Without the log, the database or the directory: refused, retryable, nothing changed."""

import asyncio
from typing import Any

import grpc
import psycopg
import pytest

from crossroads.identity.v1 import identity_service_pb2 as api
from services.runtime.errors import CrossroadsError, Reason
from tests.support.asking import patiently, refusal
from tests.support.key_store import BCSS, RN, national, persons
from tests.support.platform import Postgres
from tests.support.registers import RegisterNetwork, registration

pytestmark = pytest.mark.asyncio(loop_scope="module")


def cut_off(network: RegisterNetwork, postgres: Postgres) -> int:
    """End every session on identity's database, as a restart of the server does; how many.

    They are gone when it returns.
    """
    with psycopg.connect(**postgres.server.superuser()) as conn:
        ended = conn.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            (network.identity_database,),
        )
        return ended.rowcount


async def test_without_the_log_nothing_is_taken_up_or_replaced(network: RegisterNetwork) -> None:
    await network.register(RN, persons(1, 2))
    rn, bcss = await network.teller(RN), await network.teller(BCSS)
    replace = api.ReplaceKeyRequest(old_niss=national(1), new_niss=national(2))
    await network.services["logging"].stop(0)
    try:
        seen = [
            await refusal(rn.RegisterPersons(registration(persons(3)), timeout=2)),
            await refusal(bcss.ReplaceKey(replace, timeout=2)),
        ]
        assert await network.current(national(1), national(3)) == [national(1), ""]
        assert await network.register(RN, persons(2)) == 0
    finally:
        await network.start_logging()
    for each in seen:
        assert (each.reason, each.code, each.retry) == (
            Reason.LOG_UNAVAILABLE,
            grpc.StatusCode.UNAVAILABLE,
            True,
        )
    assert (await patiently(rn.RegisterPersons, registration(persons(3)))).registered == 1
    await patiently(bcss.ReplaceKey, replace)
    assert await network.current(national(1), national(3)) == [national(2), national(3)]


async def test_database_that_goes_away_before_the_commit_costs_no_second_entry(
    network: RegisterNetwork, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    await patiently((await network.teller(RN)).RegisterPersons, registration(persons(11, 12)))
    append = network.log.sequencer.append
    ended: list[int] = []

    async def append_then_cut_off(entries: Any) -> Any:
        done = await append(entries)
        ended.append(cut_off(network, postgres))
        return done

    rn, bcss = await network.teller(RN), await network.teller(BCSS)
    register = registration(persons(13, 14))
    replace = api.ReplaceKeyRequest(old_niss=national(11), new_niss=national(12))
    before = await network.log.tables.size()
    with monkeypatch.context() as patch:
        patch.setattr(network.log.sequencer, "append", append_then_cut_off)
        async with asyncio.timeout(20):
            for count, (method, request) in enumerate(
                ((rn.RegisterPersons, register), (bcss.ReplaceKey, replace)), start=1
            ):
                # A connection that the last cut left broken fails before the log is asked.
                while len(ended) < count:
                    seen = await refusal(method(request))
                    assert (seen.reason, seen.retry) == (Reason.STORE_UNAVAILABLE, True)
    assert all(ended)
    assert await network.current(national(11), national(13)) == [national(11), ""]
    assert await network.log.tables.size() == before + 2

    assert (await patiently(rn.RegisterPersons, register)).registered == 2
    await patiently(bcss.ReplaceKey, replace)
    assert await network.log.tables.size() == before + 2
    assert await network.current(national(11), national(13)) == [national(12), national(13)]


async def test_without_the_directory_no_institution_is_believed(network: RegisterNetwork) -> None:
    gate = network.owners.gates["directory"]
    gate.shut()
    try:
        await network.until(lambda: not _current(network))
        stub = await network.teller(RN)
        seen = await refusal(stub.RegisterPersons(registration(persons(21))))
        assert await network.current(national(21)) == [""]
    finally:
        gate.open()
    assert (seen.reason, seen.retry) == (Reason.LEASE_EXPIRED, True)
    assert (await patiently(stub.RegisterPersons, registration(persons(21)))).registered == 1


def _current(network: RegisterNetwork) -> bool:
    directory = network.identity.server.directory
    assert directory is not None
    try:
        directory.require()
    except CrossroadsError:
        return False
    return True
