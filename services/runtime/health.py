"""Health on a plain port of its own (grpc.health.v1), for supervisors and orchestrators.

Contract: the empty service name says whether this process takes calls. "live" is SERVING as long as
it answers at all, "ready" also while it stands by to take over: by these an orchestrator restarts
and counts. Other names are parts of it ("vault", "certificates", "database"): one that fails is
told as NOT_SERVING and does not take the process out of service, for exchanges go on from what is
in memory.
"""

from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """The state of the process and its parts."""

    def __init__(self) -> None:
        self.serving = False
        self.standing_by = False
        self._parts: dict[str, Callable[[], bool]] = {}

    def watch(self, part: str, healthy: Callable[[], bool]) -> None:
        """Ask `healthy` about that part each time that somebody asks here."""
        self._parts[part] = healthy

    def report(self, part: str, *, healthy: bool) -> None:
        """Note how that part fares."""
        self._parts[part] = lambda: healthy

    def status(self) -> dict[str, bool]:
        """Every part, and the process itself under ""."""
        return {"": self.serving} | {part: healthy() for part, healthy in self._parts.items()}

    def measured(self) -> dict[str, float]:
        """1 for each part that is well, 0 for others; the process itself is "serving"."""
        return {part or "serving": float(well) for part, well in self.status().items()}

    def of(self, name: str) -> bool | None:
        """What is told under that name; None when nothing is known under it."""
        told = {"live": True, "ready": self.serving or self.standing_by}
        return (told | self.status()).get(name)


class HealthServer:
    """Serves a `Health` without TLS. `listen` is host:port; port 0 takes a free one."""

    def __init__(self, *, health: Health, listen: str) -> None:
        self._health = health
        self._listen = listen
        self._server: grpc.aio.Server | None = None
        self.address = ""

    async def start(self) -> str:
        """Listen; the address is host:port."""
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        add: Any = health_pb2_grpc.add_HealthServicer_to_server  # generated without types
        add(_Servicer(self._health), self._server)
        port = self._server.add_insecure_port(self._listen)
        await self._server.start()
        self.address = f"{self._listen.rpartition(':')[0]}:{port}"
        return self.address

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.stop(None)


class _Servicer(health_pb2_grpc.HealthServicer):
    """grpc.health.v1.Health: Check and List; Watch is optional there."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the protocol
        """One part; NOT_FOUND for one that nobody reported."""
        serving = self._health.of(request.service)
        if serving is None:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            return health_pb2.HealthCheckResponse()
        return health_pb2.HealthCheckResponse(status=_SERVING if serving else _NOT_SERVING)

    async def List(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - the protocol's
        """Every part."""
        response = health_pb2.HealthListResponse()
        for part, serving in self._health.status().items():
            response.statuses[part].status = _SERVING if serving else _NOT_SERVING
        return response
