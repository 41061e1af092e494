"""The log's signature under a checkpoint, by the key in Vault and, while it changes, by two.

Contract: after a rotation the version before the newest signs too, until Vault forbids it
(`min_encryption_version`): verifiers and witnesses have that long to learn the new key. A rotation
is noticed within half a minute and costs no checkpoint. Keys that signed once stay verifier keys as
long as Vault keeps their version.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from services.proof import checkpoint as c2sp
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.vault import KeyVersions

FRESH = timedelta(seconds=30)
"""How long the list of versions is believed."""


class Signer(Protocol):
    """The log's key, which stays in Vault."""

    async def sign(self, key: str, data: bytes, *, version: int = 0) -> bytes:
        """An Ed25519 signature by one version."""
        ...

    async def key_versions(self, key: str) -> KeyVersions:
        """The versions that there are."""
        ...


class LogKey:
    """Signs for one log. `key` names it in Vault."""

    def __init__(self, *, origin: str, key: str, signer: Signer, clock: Clock) -> None:
        self._origin = origin
        self._key = key
        self._signer = signer
        self._clock = clock
        self._versions = KeyVersions({}, 0, 1)
        self._learned: datetime | None = None
        self.verifier_keys: Sequence[str] = ()

    async def learn(self) -> None:
        """Ask Vault for the versions. Raises UNAVAILABLE."""
        asked = self._clock.now()
        self._versions = await self._signer.key_versions(self._key)
        newest_first = sorted(self._versions.public, reverse=True)
        self.verifier_keys = tuple(
            c2sp.verifier_key(self._origin, self._versions.public[version])
            for version in newest_first
        )
        self._learned = asked

    async def signed(self, body: str) -> str:
        """The note of a checkpoint's body. Raises UNAVAILABLE; the next try learns anew."""
        learned = self._learned
        if learned is None or not timedelta() <= self._clock.now() - learned < FRESH:
            await self.learn()
        self._learned, learned = None, self._learned
        signatures = [
            (
                self._versions.public[version],
                await self._signer.sign(self._key, body.encode(), version=version),
            )
            for version in self._signing()
        ]
        try:
            note = c2sp.signed_by(body, self._origin, signatures)
        except ValueError:
            raise CrossroadsError(Reason.UNAVAILABLE, "Vault signed with another key") from None
        self._learned = learned
        return note

    def _signing(self) -> list[int]:
        """The versions that sign: the newest first."""
        latest = self._versions.latest
        versions = (latest, latest - 1)
        return [
            v for v in versions if v >= self._versions.signs_from and v in self._versions.public
        ]
