"""A process's own certificate, renewed without a restart and without a lost call.

Contract: `Certificates` holds the current key and chain; it asks its issuer for the next one at two
thirds of the lifetime and goes on with the one it has while the issuer fails. A server reads it at
each handshake (`server_credentials`); a channel can't, so it is told (`on_rotate`) and swaps.
Usable without Vault: `FileIssuer` reads files that somebody else renews.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import grpc

from services.runtime.clock import Clock, SystemClock

RENEW_AT = 2 / 3
FILE_POLL_SECONDS = 5.0
RETRY_SECONDS = (1.0, 60.0)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """A private key and the chain of its certificate (leaf first), PEM, and when it ends."""

    key_pem: bytes = field(repr=False)
    chain_pem: bytes
    not_after: datetime


class Issuer(Protocol):
    """Where certificates come from."""

    async def issue(self) -> tuple[bytes, bytes, datetime]:
        """(key PEM, chain PEM, not after); any exception means "not now"."""
        ...


class FileIssuer:
    """Reads a key and a chain from files; whoever renews them puts both in place."""

    def __init__(self, *, key_file: str | Path, chain_file: str | Path) -> None:
        self._key_file = Path(key_file)
        self._chain_file = Path(chain_file)
        self.poll_seconds = FILE_POLL_SECONDS

    async def issue(self) -> tuple[bytes, bytes, datetime]:
        """What the files hold. Raises OSError, or ValueError when they don't belong together."""
        from cryptography import x509  # noqa: PLC0415 - 0.08 s of CPU, only where it is needed
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

        key, chain = self._key_file.read_bytes(), self._chain_file.read_bytes()
        leaf = x509.load_pem_x509_certificate(chain)
        own = serialization.load_pem_private_key(key, None).public_key()
        if own != leaf.public_key():
            raise ValueError(f"{self._key_file} is not the key of {self._chain_file}")
        return key, chain, leaf.not_valid_after_utc


class Certificates:
    """The current certificate. `start` gets the first one, `run` renews it for ever."""

    def __init__(self, *, issuer: Issuer, clock: Clock | None = None) -> None:
        self._issuer = issuer
        self._clock: Clock = clock or SystemClock()
        self._poll: float | None = getattr(issuer, "poll_seconds", None)
        self._material: Material | None = None
        self._renew_at = 0.0
        self._listeners: list[Callable[[], None]] = []
        self.healthy = True

    @property
    def material(self) -> Material:
        """What to present now. Raises LookupError before `start`."""
        if self._material is None:
            raise LookupError("no certificate yet: await Certificates.start() first")
        return self._material

    @property
    def expired(self) -> bool:
        """Whether the current certificate is no longer good: no new connection will be accepted."""
        return self.remaining <= 0

    @property
    def remaining(self) -> float:
        """For how many seconds the current certificate is good yet."""
        return (self.material.not_after - self._clock.now()).total_seconds()

    async def start(self) -> None:
        """Get the first certificate. Raises what the issuer raises."""
        if self._material is None:
            await self._renew()

    def on_rotate(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after each change; the result, called, undoes it."""
        self._listeners.append(listener)

        def forget() -> None:
            # A channel may be closed by whoever made it and again with the process.
            if listener in self._listeners:
                self._listeners.remove(listener)

        return forget

    async def run(self) -> None:
        """Renew at two thirds of the lifetime, until cancelled."""
        await self.start()
        delay = RETRY_SECONDS[0]
        while True:
            wait = max(0.0, self._renew_at - self._clock.monotonic())
            await asyncio.sleep(wait if self._poll is None else min(wait, self._poll))
            try:
                await self._renew()
            except Exception as error:  # noqa: BLE001 - whatever the issuer has, the old one goes on
                self.healthy = False
                _logger.warning("certificate not renewed: %s", type(error).__name__)
                await asyncio.sleep(min(delay, max(0.1, self.remaining / 10)))
                delay = min(delay * 2, RETRY_SECONDS[1])
            else:
                self.healthy = True
                delay = RETRY_SECONDS[0]

    async def _renew(self) -> None:
        key, chain, not_after = await self._issuer.issue()
        lifetime = max(0.0, (not_after - self._clock.now()).total_seconds())
        new = Material(key, chain, not_after)
        if new == self._material:
            # From files: the next look is after the poll interval, however late it is.
            self._renew_at = max(self._renew_at, self._clock.monotonic() + (self._poll or 1.0))
            return
        self._renew_at = self._clock.monotonic() + lifetime * RENEW_AT
        self._material = new
        for listener in tuple(self._listeners):
            listener()

    def server_credentials(self, trust: bytes) -> grpc.ServerCredentials:
        """Credentials of a server that demands a certificate issued under `trust` (PEM).

        Each handshake presents the certificate of that moment.
        """
        presented = self.material

        def configuration() -> grpc.ServerCertificateConfiguration:
            pairs = [(presented.key_pem, presented.chain_pem)]
            return grpc.ssl_server_certificate_configuration(pairs, trust)

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal presented
            if presented is self.material:
                return None
            presented = self.material
            return configuration()

        make: Any = grpc.dynamic_ssl_server_credentials  # its types forget "None: no change"
        credentials: grpc.ServerCredentials = make(
            configuration(), fetch, require_client_authentication=True
        )
        return credentials

    def channel_credentials(self, trust: bytes) -> grpc.ChannelCredentials:
        """Credentials of a client that accepts servers certified under `trust` (PEM)."""
        material = self.material
        return grpc.ssl_channel_credentials(trust, material.key_pem, material.chain_pem)
