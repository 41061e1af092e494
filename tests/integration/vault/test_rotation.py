"""Transit keys get other versions while the log takes entries: none waits, none is lost."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from services.cli import log_keys
from services.cli.log import VaultKeys
from services.cli.platform.configuration import service_config
from services.cli.platform.home import SERVICES, PlatformError
from services.logging.fsck import Fsck, Trust
from services.logging.model import microseconds
from services.logging.snapshot import open_snapshot
from services.logging.store import LogStore
from services.proof import checkpoint as c2sp
from services.proof.note import VerifierKey
from services.runtime.clock import SystemClock
from services.runtime.config import VaultConfig
from services.runtime.postgres import Database
from services.runtime.vault import Vault
from tests.support.logs import Log
from tests.support.own_vault import OwnVault
from tests.support.platform import OpenDatabase

pytestmark = pytest.mark.xdist_group("own_vault")

ROTATIONS, WRITERS = 4, 8


@pytest.fixture
async def transit(local_vault: OwnVault) -> AsyncIterator[Vault]:
    """Vault as logging has it."""
    folder = local_vault.home.secrets / "logging"
    config = VaultConfig(
        address=local_vault.server.address,
        ca_file=str(local_vault.home.vault_ca),
        role_id_file=str(folder / "role_id"),
        secret_id_file=str(folder / "secret_id"),
    )
    opened = await Vault.open(config, clock=SystemClock())
    yield opened
    await opened.close()


async def test_the_log_goes_on_while_its_keys_are_rotated(
    local_vault: OwnVault, transit: Vault, fresh_database: OpenDatabase
) -> None:
    origin = f"crossroads.test/{secrets.token_hex(4)}"
    database = await fresh_database("services.logging")
    store = await LogStore.open(database, origin)
    log = Log(store, origin=origin, safe=transit)
    done = asyncio.Event()
    appended: list[int] = []
    async with log.running():

        async def append() -> None:
            while not done.is_set():
                appended.extend(
                    each.index for each in await log.sequencer.append([log.entry(), log.entry()])
                )

        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(append())
            keys = await _rotate_and_publish(local_vault, log, origin, appended)
            done.set()
        await log.checkpoints.publish()
        assert sorted(appended) == list(range(len(appended)))
        assert len(keys) == ROTATIONS
        await _is_whole(database, log, transit, len(appended))

    again = Log(store, origin=origin, safe=transit)  # it opens what older versions have wrapped
    async with again.running():
        await again.sequencer.append([again.entry()])
        await again.checkpoints.publish()
        await _is_whole(database, again, transit, len(appended) + 1)


async def _rotate_and_publish(
    own: OwnVault, log: Log, origin: str, appended: list[int]
) -> set[str]:
    """Rotate as the operator while entries come; the new keys. Each checkpoint verifies."""
    operator = own.session()
    folder = own.home.secrets / "operator"
    operator.login((folder / "role_id").read_text(), (folder / "secret_id").read_text())
    names = await asyncio.to_thread(operator.request, "LIST", "transit/keys")
    months = [name for name in names["data"]["keys"] if name.startswith("log-month-")]
    assert months
    first, keys = set(log.checkpoints.verifier_keys), set[str]()
    for _ in range(ROTATIONS):
        for key in ("log-checkpoint", *months):
            await asyncio.to_thread(operator.request, "POST", f"transit/keys/{key}/rotate")
        before, known = len(appended), set(log.checkpoints.verifier_keys)
        for _ in range(20):  # beside those that come all the time
            appended.extend(each.index for each in await log.sequencer.append([log.entry()]))
        log.clock.advance(minutes=1)  # when the log looks for another version of its key
        await log.checkpoints.publish()
        note = log.checkpoints.newest.note
        # Who knew the key before the rotation can check what was signed after it.
        assert c2sp.verify(note, origin, sorted(known)).size > before
        keys |= set(log.checkpoints.verifier_keys)
    operator.close()
    return keys - first


async def _is_whole(database: Database, log: Log, transit: Vault, size: int) -> None:
    versions = await transit.key_versions("log-checkpoint")
    async with database.connection() as conn, open_snapshot(conn, log.origin) as snapshot:
        keys = [VerifierKey(log.origin, half) for half in versions.public.values()]
        report = await Fsck(
            tables=snapshot,
            origin=log.origin,
            keys=VaultKeys(vault=transit),
            now=microseconds(log.clock.now()),
            trust=Trust(log=keys),
        ).run()
    assert (report.difference, report.entries) == ("", size)


def test_a_third_key_of_the_log_waits_until_the_first_signs_no_more(local_vault: OwnVault) -> None:
    home = local_vault.home
    known = dict.fromkeys((*SERVICES, *(f"{name}-health" for name in SERVICES)), 1)
    ports = known | {"otlp": 1, "logging-tiles": 1}
    ports["openbao"] = int(local_vault.server.address.rsplit(":", 1)[1])
    (home.config / "logging.toml").write_text(service_config(home, "logging", ports))
    log_keys.retire(home)  # whatever other tests left
    before = log_keys.known(home)
    after = log_keys.rotate(home)
    assert after[1:] == before
    with pytest.raises(PlatformError, match="two keys sign already"):
        log_keys.rotate(home)
    assert log_keys.known(home) == after
    log_keys.retire(home)
    assert log_keys.rotate(home)[1:] == after
