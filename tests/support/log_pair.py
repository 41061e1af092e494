"""Two processes of one log on the shared PostgreSQL and OpenBao, with callers."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.cli.platform.home import Home
from services.cli.platform.ports import LOOPBACK, claim
from services.runtime.certificates import Certificates
from services.runtime.channel import SERVICE_SILENCE_SECONDS, Channel
from services.runtime.clock import SystemClock
from services.runtime.errors import CrossroadsError
from services.runtime.postgres import Database
from services.runtime.vault import Vault
from tests.support.log_processes import Instance, Load, VaultIssued, Wire, until
from tests.support.log_truth import assert_clean, assert_kept
from tests.support.platform import OpenBao

PATIENCE_SECONDS = 30.0


@dataclass
class Pair:
    """Two instances of one log, each on a wire of its own, and callers."""

    origin: str
    instances: dict[str, Instance]
    wires: dict[str, Wire]
    load: Load
    channel: Channel
    """To whichever of the two serves."""
    database: Database
    vault: Vault

    async def ready(self) -> tuple[str, str]:
        """Have one serve and the other stand by: their names."""
        for instance in self.instances.values():
            if not instance.runs:
                await instance.start()
        active: list[str] = []

        def settled() -> bool:
            active[:] = [name for name, each in self.instances.items() if each.address]
            return len(active) == 1 and any(each.stands_by for each in self.instances.values())

        await until(settled, 30, self.said)
        (serving,) = active
        (standby,) = self.instances.keys() - active
        return serving, standby

    def said(self) -> str:
        """What they logged."""
        return "\n".join(each.said() for each in self.instances.values())

    async def kept(self) -> None:
        """What was acknowledged stands, once, in a log without gaps.

        After a crash of PostgreSQL the log may be at work again before the reader has a connection.
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    await assert_kept(
                        self.database, self.vault, self.origin, self.load.acknowledged
                    )
                except CrossroadsError as error:
                    if not error.retryable:
                        raise
                    await asyncio.sleep(0.1)
                else:
                    return

    async def clean(self, instance: Instance) -> None:
        """fsck finds nothing, the instance's own copy of the checkpoint among what it reads."""
        await assert_clean(instance.config)


@asynccontextmanager
async def open_pair(openbao: OpenBao, folder: Path) -> AsyncIterator[Pair]:
    """A log that two processes share, which `ready` starts. `folder` is their own."""
    origin = f"crossroads.test/{secrets.token_hex(4)}"
    stored = openbao.database_config("logging")
    async with AsyncExitStack() as stack:
        vault = await Vault.open(openbao.config("logging"), clock=SystemClock())
        stack.push_async_callback(vault.close)
        caller = await Vault.open(openbao.config("routing"), clock=SystemClock())
        stack.push_async_callback(caller.close)
        database = await Database.open(
            stored, lambda: vault.database_credentials("logging"), SystemClock()
        )
        stack.push_async_callback(database.close)
        certificates = Certificates(issuer=VaultIssued(vault=caller, service="routing"))
        await certificates.start()
        wires, instances = {}, {}
        ports = await asyncio.to_thread(_ports, folder)
        for name in ("one", "other"):
            wire = Wire(folder=folder / f"wire-{name}", database=stored)
            wires[name] = await stack.enter_async_context(wire.open())
            instances[name] = Instance(
                openbao=openbao,
                origin=origin,
                folder=folder / name,
                database=wire.database,
                port=ports[name],
            )
            stack.push_async_callback(instances[name].end)
        load = Load(
            instances=[*instances.values()], certificates=certificates, trust=_trust(openbao)
        )
        stack.push_async_callback(load.close)
        channel = Channel(
            target="ipv4:" + ",".join(f"{LOOPBACK}:{port}" for port in ports.values()),
            name="logging",
            certificates=certificates,
            trust=_trust(openbao),
            silence=SERVICE_SILENCE_SECONDS,
        )
        stack.push_async_callback(channel.close)
        yield Pair(origin, instances, wires, load, channel, database, vault)


def _ports(folder: Path) -> dict[str, int]:
    folder.mkdir(exist_ok=True)
    return claim(Home(folder), ("one", "other"))


def _trust(openbao: OpenBao) -> bytes:
    return Path(openbao.trust().services).read_bytes()
