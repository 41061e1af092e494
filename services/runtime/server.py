"""The server: mTLS, one wrapper around each handler, a class of callers for each method.

Contract: `add` before `start`. A method that does not say who may call it is refused when it is
added. The server demands a client certificate; who its issuers are, by kind, is its own argument.
Until `directory` is set only services may call. Usable without Vault and without `Runtime`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from services.runtime.callers import Directory, admission
from services.runtime.certificates import Certificates
from services.runtime.channel import HARD_LIMIT
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.handlers import Malformed, Method, Shared
from services.runtime.peer import Peers
from services.runtime.rules import validator
from services.runtime.telemetry import Telemetry

CHECK_SECONDS = 1.0
OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", HARD_LIMIT),
    ("grpc.max_send_message_length", HARD_LIMIT),
    # gRPC adds up to a tenth: with the grace, connections live ten minutes at most.
    ("grpc.max_connection_age_ms", 510_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Less than half of what `channel.SERVICE_SILENCE_SECONDS` makes of it.
    ("grpc.http2.min_ping_interval_without_data_ms", 500),
    # Two processes on one port would each get half of the calls.
    ("grpc.so_reuseport", 0),
)

Adder = Callable[[Any, Any], None]


class Server:
    """A gRPC server. `issuers`: for each kind of caller the PEM of its intermediate(s).

    `listen` is host:port; port 0 takes a free one, told by `address` after `start`.
    """

    def __init__(
        self,
        *,
        certificates: Certificates,
        issuers: Mapping[str, bytes],
        listen: str = "127.0.0.1:0",
        directory: Directory | None = None,
        telemetry: Telemetry | None = None,
        reflection: bool = False,
    ) -> None:
        self._certificates = certificates
        self._trust = b"\n".join(issuers.values())
        self._listen = listen
        self._reflection = reflection
        peers = Peers(issuers=issuers)
        self._shared = Shared(peers=peers, telemetry=telemetry or Telemetry(), directory=directory)
        self._peers = peers
        self._services: list[str] = []
        self._methods: dict[str, Any] = {}
        self._server: grpc.aio.Server | None = None
        self._checking: asyncio.Task[None] | None = None
        self.address = ""

    @property
    def directory(self) -> Directory | None:
        """Who is active; set it when it is known."""
        return self._shared.directory

    @directory.setter
    def directory(self, directory: Directory) -> None:
        self._shared.directory = directory

    @property
    def serves(self) -> bool:
        """Whether any method was added."""
        return bool(self._methods)

    def add(
        self,
        adder: Adder,
        servicer: Any,
        service: ServiceDescriptor,
        *,
        malformed: Malformed | None = None,
    ) -> None:
        """Serve `servicer`; `adder` is the generated add_…Servicer_to_server.

        `malformed` is told of requests that are refused before the servicer sees them. Raises
        UndeclaredCallersError for a method without its class of callers.
        """
        recorder = _Recorder()
        adder(servicer, recorder)
        for method in service.methods:
            handler = recorder.handlers[method.name]
            wrapped = Method(
                name=f"{service.full_name}/{method.name}",
                handler=handler,
                admission=admission(method),
                validate=validator(method.input_type),
                shared=self._shared,
                malformed=malformed,
            ).wrapped()
            self._methods[f"/{service.full_name}/{method.name}"] = wrapped
        self._services.append(service.full_name)

    async def start(self) -> str:
        """Listen; the address is host:port. Raises OSError when the port is taken."""
        await self._certificates.start()
        await asyncio.to_thread(self._peers.warm)
        server = grpc.aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers((_Methods(self._methods),))
        if self._reflection:
            from grpc_reflection.v1alpha import reflection  # noqa: PLC0415 - not in production

            names = (*self._services, reflection.SERVICE_NAME)
            enable: Any = reflection.enable_server_reflection  # has no types
            enable(names, server)
        credentials = self._certificates.server_credentials(self._trust)
        try:
            port = server.add_secure_port(self._listen, credentials)
        except RuntimeError as error:
            raise OSError(f"can't listen on {self._listen}: {error}") from error
        await server.start()
        self._server = server
        self._checking = asyncio.create_task(self._check_streams(), name="streams")
        self.address = f"{self._listen.rpartition(':')[0]}:{port}"
        return self.address

    async def stop(self, grace: float = 10.0) -> None:
        """Take no new calls; give those under way `grace` seconds."""
        if self._server is None:
            return
        stopping = asyncio.create_task(self._server.stop(grace))
        self._shared.streams.end_open_ended(
            CrossroadsError(Reason.UNAVAILABLE, "this server is shutting down; retry")
        )
        await stopping
        if self._checking is not None:
            self._checking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._checking
        self._server = None

    async def _check_streams(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self._shared.streams.check(self._shared.directory)


class _Recorder:
    """Stands in for a server while the generated adder hands its handlers over."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The same handlers by another way; not needed."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:  # noqa: ARG002 - the adder's signature
        """Take the handlers, by the names of their methods."""
        self.handlers.update(handlers)


class _Methods(grpc.GenericRpcHandler):
    """Finds a method by one look in a dictionary, however many services there are."""

    def __init__(self, methods: Mapping[str, Any]) -> None:
        self._methods = methods

    def service(self, handler_call_details: Any) -> Any:
        return self._methods.get(handler_call_details.method)
