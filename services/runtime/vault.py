"""Vault (or OpenBao): certificates, database logins and Transit keys of one service.

Contract: calls run in one worker thread, never on the event loop; hvac is imported there, at the
first login. A direct call that fails raises CrossroadsError(UNAVAILABLE), whose text names the path
and the status and nothing else. `keep` renews the token at two thirds of its life and logs in again
when it is gone. While Vault is away `healthy` is False `since` an instant; who holds a certificate
or a login keeps using it, so a process works on as long as these last.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

from services.runtime.clock import Clock
from services.runtime.config import VaultConfig
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.issuing import CERTIFICATE_LIFETIME, key_and_request
from services.runtime.vaultsession import Session, VaultError

Spawn = Callable[[str, Coroutine[Any, Any, None]], object]
"""Starts a supervised background task: its name, and what it runs."""

REVOKE_SECONDS = 2.0
RENEW_AT = 2 / 3
BACKOFF_SECONDS = (1.0, 30.0)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Issued:
    """A certificate with its chain (leaf first, no root) and its private key, all PEM."""

    key_pem: bytes = field(repr=False)
    chain_pem: bytes
    not_after: datetime


@dataclass(frozen=True)
class Credentials:
    """A login to a database, good until its lease ends."""

    username: str
    password: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class KeyVersions:
    """The versions of a key that signs: public halves by version.

    Versions from `signs_from` (min_encryption_version) to `latest` may sign.
    """

    public: Mapping[int, bytes]
    latest: int
    signs_from: int


class Vault:
    """What one service may have from Vault. Make it with `open`."""

    def __init__(self, *, config: VaultConfig, clock: Clock, heartbeat: float) -> None:
        self._config = config
        self._clock = clock
        self._heartbeat = heartbeat
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vault")
        self._session: Session | None = None
        self._renew_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self.healthy = False
        self.since = clock.now()

    @classmethod
    async def open(
        cls, config: VaultConfig, *, clock: Clock, spawn: Spawn | None = None, heartbeat: float = 10
    ) -> Self:
        """Log in as `config` says and keep the token alive in the background.

        `spawn` runs the background task under somebody's supervision; without it the task is the
        object's own. `heartbeat`: seconds between looks at Vault's health. Raises UNAVAILABLE.
        """
        vault = cls(config=config, clock=clock, heartbeat=heartbeat)
        try:
            await vault._run(vault._login)
        except CrossroadsError:
            vault._worker.shutdown(wait=False)
            raise
        if spawn is None:
            vault._task = asyncio.create_task(vault.keep(), name="vault")
        else:
            spawn("vault", vault.keep())
        return vault

    async def close(self, *, revoke: bool = True) -> None:
        """Stop. With `revoke` the token goes, and with it the database logins made from it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if revoke and self.healthy:
            try:
                async with asyncio.timeout(REVOKE_SECONDS):
                    await self.call("POST", "auth/token/revoke-self")
            except (CrossroadsError, TimeoutError):
                _logger.info("token not revoked; it ends by itself")
        self._worker.shutdown(wait=False, cancel_futures=True)

    # ---- PKI

    async def issue_certificate(
        self,
        mount: str,
        role: str,
        *,
        uri: str,
        dns: str,
        ttl: timedelta = CERTIFICATE_LIFETIME,
    ) -> Issued:
        """A certificate on a new EC P-256 key that never leaves this process.

        The names are checked against the role by Vault: a role allows exactly one of each.
        """
        key_pem, request_pem = await asyncio.to_thread(key_and_request, dns)
        chain_pem, not_after = await self.sign_request(
            mount, role, request_pem, uri=uri, dns=dns, ttl=ttl
        )
        return Issued(key_pem, chain_pem, not_after)

    async def sign_request(
        self,
        mount: str,
        role: str,
        request_pem: bytes,
        *,
        uri: str,
        dns: str,
        ttl: timedelta = CERTIFICATE_LIFETIME,
    ) -> tuple[bytes, datetime]:
        """The chain (PEM, leaf first) and its end for the key in a PKCS #10 request.

        Only the key is taken from the request; names are those given here.
        """
        body = {
            "csr": request_pem.decode(),
            "common_name": dns,
            "alt_names": dns,
            "uri_sans": uri,
            "ttl": f"{int(ttl.total_seconds())}s",
            "remove_roots_from_chain": True,
        }
        data = (await self.call("POST", f"{mount}/sign/{role}", body))["data"]
        chain = [data["certificate"], *(data.get("ca_chain") or [data["issuing_ca"]])]
        pem = "".join(f"{each.strip()}\n" for each in chain).encode()
        return pem, datetime.fromtimestamp(int(data["expiration"]), UTC)

    async def authority(self, mount: str) -> bytes:
        """The PEM of the intermediates under `mount`: two while one takes over from the other."""
        issuers = (await self.call("LIST", f"{mount}/issuers"))["data"]["keys"]
        pems = [
            (await self.call("GET", f"{mount}/issuer/{each}/json"))["data"]["certificate"]
            for each in issuers
        ]
        return "".join(f"{pem.strip()}\n" for pem in pems).encode()

    # ---- database engine

    async def database_credentials(self, role: str) -> Credentials:
        """A new login from the database engine."""
        asked = self._clock.now()  # before the call: never believe in a lease longer than it is
        answer = await self.call("GET", f"database/creds/{role}")
        data = answer["data"]
        lease = timedelta(seconds=float(answer["lease_duration"]))
        return Credentials(data["username"], data["password"], asked + lease)

    # ---- Transit

    async def sign(self, key: str, data: bytes, *, version: int = 0) -> bytes:
        """The signature by a version of `key` (0: the newest; Ed25519: 64 octets)."""
        body = {"input": _base64(data), "key_version": version}
        answer = await self.call("POST", f"transit/sign/{key}", body)
        return base64.b64decode(answer["data"]["signature"].rsplit(":", 1)[1])

    async def public_key(self, key: str) -> bytes:
        """The public half of the newest version of `key` (Ed25519: 32 octets)."""
        data = (await self.call("GET", f"transit/keys/{key}"))["data"]
        return base64.b64decode(data["keys"][str(data["latest_version"])]["public_key"])

    async def key_versions(self, key: str) -> KeyVersions:
        """Every version of `key` that Vault still has."""
        data = (await self.call("GET", f"transit/keys/{key}"))["data"]
        halves = {int(version): each["public_key"] for version, each in data["keys"].items()}
        return KeyVersions(
            public={version: base64.b64decode(half) for version, half in halves.items()},
            latest=int(data["latest_version"]),
            signs_from=max(1, int(data.get("min_encryption_version") or 0)),
        )

    async def data_key(self, key: str) -> tuple[bytes, str]:
        """A new 256-bit key: in clear, and wrapped by `key` ("vault:v1:…") for storing."""
        data = (await self.call("POST", f"transit/datakey/plaintext/{key}", {"bits": 256}))["data"]
        return base64.b64decode(data["plaintext"]), data["ciphertext"]

    async def unwrap(self, key: str, wrapped: str) -> bytes:
        """What `wrapped` (see `data_key`) holds."""
        answer = await self.call("POST", f"transit/decrypt/{key}", {"ciphertext": wrapped})
        return base64.b64decode(answer["data"]["plaintext"])

    async def hmac(self, key: str, data: bytes) -> bytes:
        """HMAC-SHA-256 of `data` under the newest version of `key`: 32 octets."""
        body = {"input": _base64(data)}
        answer = await self.call("POST", f"transit/hmac/{key}/sha2-256", body)
        return base64.b64decode(answer["data"]["hmac"].rsplit(":", 1)[1])

    async def create_key(self, key: str, *, kind: str = "aes256-gcm96") -> None:
        """Make a Transit key unless it exists. `kind`: aes256-gcm96, ed25519, hmac …"""
        await self.call("POST", f"transit/keys/{key}", {"type": kind})

    async def key_exists(self, key: str) -> bool:
        """Whether there is such a Transit key: False once it was erased."""
        return bool(await self._run(partial(self._find_key, key)))

    async def delete_key(self, key: str) -> None:
        """Erase a Transit key, and with it whatever only it can open."""
        await self.call("POST", f"transit/keys/{key}/config", {"deletion_allowed": True})
        await self.call("DELETE", f"transit/keys/{key}")

    # ---- machinery

    async def call(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """One request below /v1/, with a new login when the token is gone. Raises UNAVAILABLE."""
        answer: dict[str, Any] = await self._run(partial(self._request, method, path, body))
        return answer

    async def keep(self) -> None:
        """Renew the token, log in again, and watch Vault's health; never ends by itself."""
        delay, longest = BACKOFF_SECONDS
        wait = self._heartbeat
        while True:
            due = self._renew_at - self._clock.monotonic()
            await asyncio.sleep(max(0.0, min(wait, due)) if self.healthy else wait)
            try:
                if self._clock.monotonic() >= self._renew_at:
                    await self._run(self._renew)
                else:
                    await self._run(self._look)
                wait, delay = self._heartbeat, BACKOFF_SECONDS[0]
            except CrossroadsError as error:
                _logger.warning("%s", error.message)
                wait, delay = min(delay, self._heartbeat), min(delay * 2, longest)

    async def _run(self, work: Callable[[], Any]) -> Any:
        """`work` in the worker thread; its failure as UNAVAILABLE, and in `healthy`."""
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._worker, work)
        except VaultError as error:
            if error.status in (0, 429) or error.status >= 500:
                self._mark(healthy=False)
            raise CrossroadsError(
                Reason.UNAVAILABLE, f"Vault: {error}; retry later", retry_after=1.0
            ) from None  # the cause could quote what was sent
        self._mark(healthy=True)
        return answer

    def _mark(self, *, healthy: bool) -> None:
        if self.healthy != healthy:
            self.healthy, self.since = healthy, self._clock.now()

    # What follows runs in the worker thread.

    def _login(self) -> None:
        if self._session is None:
            self._session = Session(address=self._config.address, ca_file=self._config.ca_file)
        config, session = self._config, self._session
        asked = self._clock.monotonic()
        if config.kubernetes_role:
            token = _read(config.kubernetes_token_file)
            mount, role = config.kubernetes_mount, config.kubernetes_role
            lives = session.login_by_kubernetes(mount, role, token)
        else:
            lives = session.login(_read(config.role_id_file), _read(config.secret_id_file))
        self._renew_at = asked + RENEW_AT * lives

    def _renew(self) -> None:
        assert self._session is not None
        asked = self._clock.monotonic()
        try:
            auth = self._session.request("POST", "auth/token/renew-self", {})["auth"]
        except VaultError as error:
            if error.status not in (400, 403, 404):
                raise
            self._login()  # the token ended or was revoked
        else:
            self._renew_at = asked + RENEW_AT * float(auth["lease_duration"])

    def _look(self) -> None:
        assert self._session is not None
        self._session.request("GET", "sys/health?standbyok=true")

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        assert self._session is not None
        try:
            return self._session.request(method, path, body)
        except VaultError as error:
            if error.status != 403 or self._token_lives():
                raise
        self._login()
        return self._session.request(method, path, body)

    def _find_key(self, key: str) -> bool:
        try:
            self._request("GET", f"transit/keys/{key}", None)
        except VaultError as error:
            if error.status != 404:
                raise
            return False
        return True

    def _token_lives(self) -> bool:
        """Whether a 403 was about the right, not about the token."""
        assert self._session is not None
        try:
            self._session.request("GET", "auth/token/lookup-self")
        except VaultError as error:
            return error.status != 403
        return True


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read(file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise VaultError(0, f"login: {file}: {error.strerror}") from None
