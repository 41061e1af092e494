"""Servers of the made-up service, and channels to them, over mTLS in the test's process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from services.runtime.certificates import Certificates, Issuer
from services.runtime.channel import Channel
from services.runtime.server import Server
from tests.support.kinds import DESCRIPTOR, Behaviour, Kinds, adder
from tests.support.neighbours import Issued
from tests.support.pki import Pki


async def echo(text: str) -> str:
    """The behaviour of a service that has nothing to say."""
    return text


class World:
    """One authority, and everything that was started with it."""

    def __init__(self) -> None:
        self.pki = Pki()
        self.stack = AsyncExitStack()

    async def serve(
        self,
        behaviour: Behaviour = echo,
        *,
        name: str = "identity",
        issuer: Issuer | None = None,
        **options: Any,
    ) -> tuple[Server, Kinds]:
        """A server of that service, and its servicer."""
        certificates = Certificates(issuer=issuer or Issued(self.pki.service(name)))
        server = Server(certificates=certificates, issuers=self.pki.issuers, **options)
        kinds = Kinds(behaviour)
        server.add(adder, kinds, DESCRIPTOR)
        await server.start()
        self.stack.push_async_callback(server.stop, 0)
        return server, kinds

    async def channel(
        self, address: str, *, name: str = "identity", issuer: Issuer | None = None, **options: Any
    ) -> Channel:
        """A channel to the server of that name; the service "routing" calls."""
        certificates = Certificates(issuer=issuer or Issued(self.pki.service("routing")))
        await certificates.start()
        channel = Channel(
            target=address,
            name=name,
            certificates=certificates,
            trust=self.pki.intermediates["service"].pem,
            **options,
        )
        self.stack.push_async_callback(channel.close)
        return channel


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A world; all that it started ends with it."""
    made = World()
    async with made.stack:
        yield made
