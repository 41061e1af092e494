"""What a service is given: clock, identifiers, server, certificates, peers, database, Vault.

Contract: made by `process.run`. Certificates come from Vault (mount pki-services, the role of the
service's name) or from files when the configuration names some; who is trusted from the files that
the configuration names, else from Vault. Vault and PostgreSQL are imported only where configured.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.runtime.certificates import Certificates, FileIssuer, Issuer
from services.runtime.channel import SERVICE_SILENCE_SECONDS, SILENCE_SECONDS, Channel
from services.runtime.clock import Clock, SystemClock
from services.runtime.config import ConfigError, RuntimeConfig
from services.runtime.health import Health
from services.runtime.ids import Ids, SystemIds
from services.runtime.server import Server
from services.runtime.tasks import TaskDiedError, TaskSupervisor
from services.runtime.telemetry import Telemetry

if TYPE_CHECKING:
    from services.runtime.otlp import OtlpExporter
    from services.runtime.postgres import Database
    from services.runtime.vault import Vault

PKI_MOUNTS = {
    "service": "pki-services",
    "institution": "pki-institutions",
    "person": "pki-persons",
}

_logger = logging.getLogger(__name__)


class Runtime:
    """The machinery of one process. `package` is the service's ("services.identity").

    `calls` names the services that it may call; None is any.
    """

    def __init__(
        self,
        *,
        config: RuntimeConfig,
        package: str,
        on_death: Callable[[TaskDiedError], None],
        calls: Collection[str] | None = None,
    ) -> None:
        self.config = config
        self._calls = calls
        self.package = package
        self.clock: Clock = SystemClock()
        self.ids: Ids = SystemIds()
        self.health = Health()
        self.tasks = TaskSupervisor(on_death=on_death)
        self.telemetry = Telemetry()
        self.opened_server: Server | None = None
        self._certificates: Certificates | None = None
        self._vault: Vault | None = None
        self._database: Database | None = None
        self._exporter: OtlpExporter | None = None
        self._issuers: Mapping[str, bytes] = {}
        self._channels: list[Channel] = []
        self._closers: list[Callable[[], Awaitable[object]]] = []

    @property
    def server(self) -> Server:
        """Where `start` adds its servicers."""
        assert self.opened_server is not None
        return self.opened_server

    @property
    def certificates(self) -> Certificates:
        """This process's own certificate."""
        assert self._certificates is not None
        return self._certificates

    @property
    def vault(self) -> "Vault":
        """Vault, logged in. Raises ConfigError when none is configured."""
        if self._vault is None:
            raise ConfigError(["runtime.vault: missing; this service needs it"])
        return self._vault

    async def open(self) -> None:
        """Telemetry, Vault, certificates, server: what every process has."""
        config = self.config
        self._open_telemetry()
        await self._show_metrics()
        await self.open_vault()
        self._issuers = self._read_issuers() or {
            kind: await self.vault.authority(mount) for kind, mount in PKI_MOUNTS.items()
        }
        self._certificates = certificates = Certificates(issuer=self._issuer(), clock=self.clock)
        await certificates.start()
        self.tasks.spawn("certificates", certificates.run())
        self.health.watch("certificates", lambda: certificates.healthy)
        self.telemetry.metrics.gauge(
            "crossroads.certificate.remaining", lambda: certificates.remaining, unit="s"
        )
        self.opened_server = Server(
            certificates=certificates,
            issuers=self._issuers,
            listen=config.listen,
            telemetry=self.telemetry,
            reflection=not config.production,
        )

    async def open_vault(self) -> None:
        """Log in to Vault, where one is configured."""
        if self.config.vault is None:
            return
        from services.runtime.vault import Vault  # noqa: PLC0415 - only where configured

        self._vault = vault = await Vault.open(
            self.config.vault, clock=self.clock, spawn=self.tasks.spawn
        )
        self.health.watch("vault", lambda: vault.healthy)
        self._closers.append(vault.close)

    async def database(self) -> "Database":
        """The service's database, its migrations applied; opened once."""
        if self._database is None:
            from services.runtime.migrations import migrate  # noqa: PLC0415 - 0.2 s of CPU
            from services.runtime.postgres import Database  # noqa: PLC0415

            config, vault = self.config.database, self.vault
            if config is None:
                raise ConfigError(["runtime.database: missing; this service needs it"])
            role = config.role
            self._database = await Database.open(
                config,
                lambda: vault.database_credentials(role),
                self.clock,
                spawn=self.tasks.spawn,
            )
            self._closers.append(self._database.close)
            await migrate(self._database, self.package)
        return self._database

    def channel(self, service: str) -> Channel:
        """A channel to another service, at the address that the configuration gives."""
        if self._calls is not None and service not in self._calls:
            raise ConfigError([f"{self.package}.config: `calls` must name {service} to call it"])
        target = self.config.peers.get(service)
        if target is None:
            raise ConfigError([f"runtime.peers.{service}: missing; give its host:port"])
        return self.channel_to(target, service, trust="service")

    def channel_to(self, target: str, name: str, *, trust: str) -> Channel:
        """A channel to any server of the kind `trust` ("service", "institution").

        `target` is host:port; `name` is what its certificate must name: "<service>", or
        "<application>.<institution>" for a source.
        """
        if trust not in self._issuers:
            raise ConfigError([f"runtime.trust.{trust}s: missing; name the PEM file"])
        channel = Channel(
            target=target,
            name=name,
            certificates=self.certificates,
            trust=self._issuers[trust],
            telemetry=self.telemetry,
            silence=SERVICE_SILENCE_SECONDS if trust == "service" else SILENCE_SECONDS,
        )
        self._channels.append(channel)
        return channel

    def on_stop(self, close: Callable[[], Awaitable[object]]) -> None:
        """Have `close` awaited when the process ends, after the calls; the last one added first."""
        self._closers.append(close)

    async def close(self) -> None:
        """Close everything, the last opened first; flush telemetry at the end."""
        # Before their tasks end: Vault revokes its token, the database closes its connections.
        for close in reversed(self._closers):
            try:
                await close()
            except Exception as error:  # noqa: BLE001 - the others must be closed as well
                _logger.warning("not closed: %s", type(error).__name__)
        await self.tasks.close()
        # After what still had something to say: routing logs its last counts on the way out.
        for channel in self._channels:
            await channel.close()
        if self._exporter is not None:
            await self._exporter.close()

    def _open_telemetry(self) -> None:
        config = self.config.telemetry
        self.telemetry = Telemetry(sample_ratio=config.sample_ratio)
        self.telemetry.metrics.gauge_by("crossroads.healthy", "part", self.health.measured)
        if not config.otlp_endpoint:
            return
        from services.runtime.otlp import OtlpExporter  # noqa: PLC0415 - only where configured

        exporter = OtlpExporter(
            endpoint=config.otlp_endpoint,
            service=self.config.name,
            instance=str(os.getpid()),
            metrics=self.telemetry.metrics,
        )
        self._exporter = self.telemetry.sink = exporter
        self.tasks.spawn("telemetry", exporter.run())

    async def _show_metrics(self) -> None:
        if self.config.metrics_listen:
            from services.runtime.exposition import server  # noqa: PLC0415 - only where configured

            shown = server(self.telemetry.metrics, self.config.metrics_listen)
            await shown.start()
            self._closers.append(shown.stop)

    def _issuer(self) -> Issuer:
        files = self.config.certificate
        if files is not None:
            return FileIssuer(key_file=files.key_file, chain_file=files.chain_file)
        return _VaultIssuer(vault=self.vault, service=self.config.name)

    def _read_issuers(self) -> Mapping[str, bytes]:
        """For each kind of caller the PEM of its intermediate, from the files configured."""
        trust = self.config.trust
        files = {
            "service": trust.services,
            "institution": trust.institutions,
            "person": trust.persons,
        }
        return {kind: Path(file).read_bytes() for kind, file in files.items() if file}


class _VaultIssuer:
    """Certificates of a service, from Vault's PKI engine."""

    def __init__(self, *, vault: Any, service: str) -> None:
        self._vault = vault
        self._service = service

    async def issue(self) -> tuple[bytes, bytes, datetime]:
        """A new key and its certificate. Raises UNAVAILABLE."""
        name = self._service
        issued = await self._vault.issue_certificate(
            PKI_MOUNTS["service"],
            name,
            uri=f"spiffe://crossroads/service/{name}",
            dns=f"{name}.crossroads.internal",
        )
        return issued.key_pem, issued.chain_pem, issued.not_after
