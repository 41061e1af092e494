"""Channels of this home's persons and applications to its services, by their own certificates.

Contract: `Connections` is an asynchronous context manager; what it opened is closed at its end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from services.cli.platform import instance, ports
from services.cli.platform.home import Home, PlatformError
from services.runtime.certificates import Certificates, FileIssuer
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.telemetry import Telemetry

T = TypeVar("T")
PATIENCE_SECONDS, LATE_SECONDS, PAUSE_SECONDS = 15.0, 3.0, 0.1
LATE = frozenset({Reason.CALLER_NOT_ALLOWED, Reason.UNAUTHENTICATED, Reason.INVALID_ARGUMENT})
"""What a service says about whom or what its copies of registry's tables do not have yet."""


class Connections:
    """Channels of one home."""

    def __init__(self, *, home: Home, telemetry: Telemetry | None = None) -> None:
        self.home = home
        self._telemetry = telemetry
        self._ports = ports.known(home)
        self._stack = AsyncExitStack()
        self._certificates: dict[Path, Certificates] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def address(self, service: str) -> str:
        """Where a service answers. Raises PlatformError when no platform runs here."""
        instance.require_running(self.home)
        return f"{ports.LOOPBACK}:{self._ports[service]}"

    @property
    def platform(self) -> bytes:
        """The PEM of the intermediate that issues to the platform's services."""
        return (self.home.authorities / "services.pem").read_bytes()

    async def certificates(self, folder: Path) -> Certificates:
        """The certificate in a folder of the home. Raises PlatformError when there is none."""
        if folder not in self._certificates:
            made = Certificates(
                issuer=FileIssuer(key_file=folder / "key.pem", chain_file=folder / "cert.pem")
            )
            try:
                await made.start()
            except (OSError, ValueError) as error:
                raise PlatformError(
                    f"{folder.name} has no certificate in {folder.parent}; name one of that folder,"
                    " or let `crossroads up --demo` enrol the demo's applications and persons"
                ) from error
            self._certificates[folder] = made
        return self._certificates[folder]

    async def person(self, person: str, service: str, stub: Any) -> Any:
        """A stub of a service, for a person."""
        return await self.holder(self.home.persons / person, service, stub)

    async def application(self, path: str, service: str, stub: Any) -> Any:
        """A stub of a service, for an application ("<institution>/<application>")."""
        return await self.holder(self.folder(path), service, stub)

    def folder(self, path: str) -> Path:
        """Where an application's key and certificate are."""
        return self.home.institutions / path.replace("/", ".")

    async def holder(self, folder: Path, service: str, stub: Any) -> Any:
        """A stub of a service, for whoever the certificate in `folder` names."""
        channel = Channel(
            target=self.address(service),
            name=service,
            certificates=await self.certificates(folder),
            trust=self.platform,
            telemetry=self._telemetry,
        )
        self._stack.push_async_callback(channel.close)
        return cast("Any", stub)(channel)


async def patiently(call: Callable[..., Awaitable[T]], *arguments: Any, **options: Any) -> T:
    """Make a call again while a repeat may help: it fails for now, or registry's last act is still
    on its way to whom it is about. What no repeat can mend is raised after some seconds.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_SECONDS
    while True:
        try:
            return await call(*arguments, **options)
        except CrossroadsError as error:
            late = error.reason in LATE and loop.time() < until - PATIENCE_SECONDS + LATE_SECONDS
            if loop.time() > until or not (error.retryable or late):
                raise
            await asyncio.sleep(error.retry_after or PAUSE_SECONDS)
