"""The log's key in a real OpenBao gets another version while the log runs."""

import secrets
from collections.abc import Awaitable, Callable

import pytest

from services.logging.store import LogStore
from services.proof import checkpoint as c2sp
from services.proof.note import parse
from services.runtime.vault import Vault
from tests.support.logs import Log
from tests.support.platform import OpenBao, OpenDatabase
from tools import verify_log


async def one_more(log: Log) -> str:
    await log.sequencer.append([log.entry()])
    await log.checkpoints.publish()
    return log.checkpoints.newest.note


async def test_no_checkpoint_is_lost_and_old_ones_stay_verifiable(
    openbao: OpenBao,
    open_vault: Callable[[str], Awaitable[Vault]],
    fresh_database: OpenDatabase,
) -> None:
    vault = await open_vault("logging")
    origin = f"crossroads.test/{secrets.token_hex(4)}"
    store = await LogStore.open(await fresh_database("services.logging"), origin)
    async with Log(store, origin=origin, safe=vault).running() as log:
        first = await one_more(log)
        old = log.checkpoints.verifier_keys[0]
        operator = openbao.operator()
        operator.request("POST", "transit/keys/log-checkpoint/rotate")
        operator.close()
        unnoticed = await one_more(log)
        log.clock.advance(minutes=1)
        both = await one_more(log)
        new, *others = log.checkpoints.verifier_keys
    assert new != old
    assert old in others
    assert len(parse(unnoticed).signatures) == len(parse(first).signatures)
    for size, (note, keys) in enumerate([(first, [old]), (unnoticed, [old]), (both, [old])], 1):
        assert c2sp.verify(note, origin, keys).size == size
    assert c2sp.verify(both, origin, [new]).size == 3
    verify_log.verify_note(both, [new])
    with pytest.raises(ValueError, match="not signed"):
        c2sp.verify(first, origin, [new])
    again = Log(store, origin=origin, safe=vault)
    async with again.running():
        assert old in again.checkpoints.verifier_keys  # a restart forgets no key
