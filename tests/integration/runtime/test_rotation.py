"""Certificates rotate on both sides, under load, and no call is lost."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from services.runtime.certificates import Certificates, FileIssuer
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.peer import current_peer
from tests.support.kinds import Text, ask, raw
from tests.support.neighbours import Issued
from tests.support.pki import Pki
from tests.support.served import World
from tests.support.watching import until

ROTATIONS = 4
CALLERS = 16
PATIENCE = 15.0


class Hasty:
    """Gives a new certificate each time, and asks to be asked again after a fifth of a second."""

    def __init__(self, pki: Pki, name: str) -> None:
        self._pki = pki
        self._name = name
        self.serials: list[str] = []
        self.away = False

    async def issue(self) -> tuple[bytes, bytes, datetime]:
        if self.away:
            raise OSError("away")
        leaf = self._pki.service(self._name)
        self.serials.append(leaf.serial)
        return leaf.key_pem, leaf.chain_pem, datetime.now(UTC) + timedelta(seconds=0.3)


@asynccontextmanager
async def renewing(*certificates: Certificates) -> AsyncIterator[None]:
    """These renew themselves meanwhile."""
    tasks = [asyncio.create_task(each.run()) for each in certificates]
    yield
    for each in tasks:
        each.cancel()
    await asyncio.wait(tasks)


async def test_no_call_is_lost_while_both_sides_rotate(world: World) -> None:
    seen: set[str] = set()

    async def behaviour(text: str) -> str:
        seen.add(current_peer().serial)
        await asyncio.sleep(0.01)
        return text

    own, others = Hasty(world.pki, "identity"), Hasty(world.pki, "routing")
    server, _ = await world.serve(behaviour, issuer=own)
    channel = await world.channel(server.address, issuer=others)
    enough = asyncio.Event()
    calls = 0

    async def call_on() -> None:
        nonlocal calls
        while not enough.is_set():
            assert await ask(channel, "One", "a") == ["a"]
            calls += 1

    async with (
        asyncio.timeout(PATIENCE),
        renewing(server._certificates, channel._certificates),
        asyncio.TaskGroup() as group,
    ):
        for _ in range(CALLERS):
            group.create_task(call_on())
        await stream_on(channel, lambda: min(len(own.serials), len(others.serials)) > ROTATIONS)
        enough.set()
    assert calls > CALLERS
    assert len(seen) >= ROTATIONS
    assert seen <= set(others.serials)


async def stream_on(channel: Channel, enough: Callable[[], bool]) -> None:
    """Keep one stream busy: it stays on the connection that it was opened on."""
    sent = asyncio.Queue[str]()

    async def texts() -> AsyncIterator[Any]:
        while True:
            yield Text(value=await sent.get())

    async with raw(channel, "Both")(texts()) as opened:
        while not enough():
            sent.put_nowait("b")
            assert (await opened.read()).value == "b"
            await asyncio.sleep(0.02)


async def test_new_connection_is_met_with_the_newest_certificate(world: World) -> None:
    issuer = Hasty(world.pki, "identity")
    server, _ = await world.serve(issuer=issuer)
    assert await asyncio.to_thread(presented, server.address) == issuer.serials[0]
    async with renewing(server._certificates):
        await until(lambda: len(issuer.serials) >= 2)
    newest = f"{leaf_of(server._certificates).serial_number:x}"
    assert await asyncio.to_thread(presented, server.address) == newest
    assert newest != issuer.serials[0]


async def test_certificate_stays_in_use_while_its_issuer_is_away(world: World) -> None:
    issuer = Hasty(world.pki, "identity")
    server, _ = await world.serve(issuer=issuer)
    channel = await world.channel(server.address)
    certificates = server._certificates
    issuer.away = True
    async with renewing(certificates):
        await until(lambda: not certificates.healthy)
        assert await ask(channel, "One", "a") == ["a"]
        issuer.away = False
        await until(lambda: certificates.healthy)
    assert len(issuer.serials) >= 2


async def test_key_that_does_not_fit_its_certificate_is_not_taken(
    world: World, tmp_path: Path
) -> None:
    """Whoever renews the files puts them in place one after the other."""
    first, second = world.pki.service("identity"), world.pki.service("identity")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    key.write_bytes(first.key_pem)
    chain.write_bytes(first.chain_pem)
    issuer = FileIssuer(key_file=key, chain_file=chain)
    certificates = Certificates(issuer=issuer)
    await certificates.start()
    key.write_bytes(second.key_pem)
    with pytest.raises(ValueError, match="is not the key of"):
        await issuer.issue()
    assert certificates.material.key_pem == first.key_pem
    chain.write_bytes(second.chain_pem)
    assert (await issuer.issue())[0] == second.key_pem


async def test_client_whose_certificate_has_ended_is_told_that_it_is_its_own(
    world: World,
) -> None:
    server, _ = await world.serve()
    expired = world.pki.service("routing", lifetime=timedelta(seconds=-5))
    channel = await world.channel(server.address, issuer=Issued(expired))
    for kind in ("One", "Many", "Gathered", "Both"):
        with pytest.raises(CrossroadsError, match="certificate has expired; renew it") as caught:
            await ask(channel, kind, "a")
        assert caught.value.reason is Reason.UNAUTHENTICATED


def leaf_of(certificates: Certificates) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificates.material.chain_pem)


def presented(address: str) -> str:
    """The serial of the certificate that a server presents in a handshake of this moment."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = address.partition(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain) as secured,
    ):
        der = secured.getpeercert(binary_form=True)
    assert der is not None
    return f"{x509.load_der_x509_certificate(der).serial_number:x}"
