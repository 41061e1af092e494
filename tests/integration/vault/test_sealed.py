"""Somebody seals Vault: a service works on from what it holds, says so, and recovers by itself.

That Vault is away is tested in tests/integration/runtime; a sealed one answers, with status 503.
"""

import asyncio

import pytest

from services.cli.platform.openbao import ACTIVE
from services.runtime.clock import SystemClock
from services.runtime.config import RuntimeConfig
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.vault import Vault
from tests.support.answering import answering
from tests.support.health import told
from tests.support.kinds import ask
from tests.support.own_vault import OwnVault
from tests.support.platform import OpenBao
from tests.support.watching import until

pytestmark = pytest.mark.xdist_group("own_vault")

NAME = "routing"
AT_ONCE = 20
SEALED = 503


WELL = {"": True, "vault": True, "certificates": True}


@pytest.fixture
async def vault(local_vault: OwnVault) -> OwnVault:
    """An OpenBao that stays sealed.

    One that was started before there was anything to unseal tries every five seconds until it
    succeeds, and so undoes a seal that comes in between. After another start it does not.
    """
    await unsealed(local_vault)
    return local_vault


def config(local: OwnVault) -> RuntimeConfig:
    """Of a process on that OpenBao and its database."""
    openbao = OpenBao(local.home)
    database = openbao.database_config(NAME)
    return RuntimeConfig(name=NAME, vault=openbao.config(NAME), database=database)


async def test_a_service_works_on_while_vault_is_sealed_and_says_so(vault: OwnVault) -> None:
    async with answering(config(vault)) as (runtime, address):
        assert await told(runtime) == WELL
        await sealed(vault)
        try:
            with pytest.raises(CrossroadsError, match="status 503; retry later") as caught:
                await runtime.vault.database_credentials(NAME)
            assert caught.value.reason is Reason.UNAVAILABLE
            # New connections on both sides: a handshake, and logins to the database.
            channel = runtime.channel_to(address, NAME, trust="service")
            await asyncio.gather(*(ask(channel, "One", "a") for _ in range(AT_ONCE)))
            assert await told(runtime) == WELL | {"vault": False}
        finally:
            await unsealed(vault)
        await runtime.vault.database_credentials(NAME)
        assert await told(runtime) == WELL


async def test_a_seal_is_noticed_without_vault_being_needed(vault: OwnVault) -> None:
    routing = await Vault.open(OpenBao(vault.home).config(NAME), clock=SystemClock(), heartbeat=0.1)
    assert routing.healthy
    await sealed(vault)
    try:
        await until(lambda: not routing.healthy)
    finally:
        await unsealed(vault)
    await until(lambda: routing.healthy)
    await routing.close()


async def sealed(own: OwnVault) -> None:
    """As somebody with a root token seals it: the server goes on, and opens nothing."""
    await asyncio.to_thread(own.root.request, "PUT", "sys/seal")
    await asyncio.to_thread(own.server.wait, SEALED)


async def unsealed(own: OwnVault) -> None:
    """Started anew, it unseals itself."""
    await asyncio.to_thread(own.server.stop)
    await asyncio.to_thread(own.server.start)
    await asyncio.to_thread(own.server.wait, ACTIVE)
