"""Vault goes away: a process works on from what it holds, and says so in its health."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from services.runtime.clock import SystemClock
from services.runtime.config import RuntimeConfig, VaultConfig
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.vault import Vault
from tests.support.answering import answering
from tests.support.forwarder import Forwarder, forwarding
from tests.support.health import told
from tests.support.kinds import ask
from tests.support.platform import OpenBao
from tests.support.watching import until

NAME = "routing"
AT_ONCE = 20


@pytest_asyncio.fixture
async def way(openbao: OpenBao) -> AsyncIterator[Forwarder]:
    """The way to Vault."""
    async with forwarding(openbao.address.removeprefix("https://")) as forwarder:
        yield forwarder


def config(openbao: OpenBao, way: Forwarder) -> VaultConfig:
    return replace(openbao.config(NAME), address=f"https://{way.address}")


async def test_calls_and_queries_go_on_without_vault(openbao: OpenBao, way: Forwarder) -> None:
    made = RuntimeConfig(
        name=NAME,
        vault=config(openbao, way),
        trust=openbao.trust(),
        database=openbao.database_config(NAME),
    )
    async with answering(made) as (runtime, address):
        assert runtime.health.status() == {"": True, "vault": True, "certificates": True}

        await way.cut()
        with pytest.raises(CrossroadsError, match="no answer; retry later") as caught:
            await runtime.vault.database_credentials(NAME)
        assert caught.value.reason is Reason.UNAVAILABLE
        # New connections on both sides: a handshake, and logins to the database.
        channel = runtime.channel_to(address, NAME, trust="service")
        await asyncio.gather(*(ask(channel, "One", "a") for _ in range(AT_ONCE)))
        assert await told(runtime) == {"": True, "vault": False, "certificates": True}

        await way.mend()
        await runtime.vault.database_credentials(NAME)
        assert (await told(runtime))["vault"]


async def test_vault_is_noticed_to_be_away_and_back_without_being_needed(
    openbao: OpenBao, way: Forwarder
) -> None:
    vault = await Vault.open(config(openbao, way), clock=SystemClock(), heartbeat=0.1)
    assert vault.healthy
    await way.cut()
    await until(lambda: not vault.healthy)
    since = vault.since
    await way.mend()
    await until(lambda: vault.healthy)
    assert vault.since > since
    await vault.close()
