"""A small HTTP/1.1 server for public, static answers: tiles, checkpoints, a witness.

Contract: h11 reads and writes the protocol; a handler gets a whole request and gives a whole
answer. Everything is bounded: connections, time to send a request, head and body. What is malformed
gets 400 and the connection ends; a handler that fails gives 500 with constant text. No TLS: an
ingress has it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import h11

READ_SECONDS = 30.0
"""How long a connection may be silent, or take over one request."""

WRITE_SECONDS = 30.0
LINGER_SECONDS = 2.0
MAX_HEAD = 16 * 1024
CHUNK = 64 * 1024
NOT_MODIFIED = 304

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `path` is without the query, its percent signs as they came.

    Names in `headers` are lower case; of a header that comes twice the last one is kept.
    """

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Content-Length is added; header names are lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]


def text(status: int, said: str) -> Response:
    """A short answer in words."""
    return Response(status, f"{said}\n".encode(), {"content-type": "text/plain; charset=utf-8"})


class WebServer:
    """Answers HTTP on one address. `listen` is host:port; port 0 takes a free one."""

    def __init__(
        self, *, handler: Handler, listen: str, max_body: int = 0, max_connections: int = 200
    ) -> None:
        """`max_body` is the largest request body in octets; 0 takes none."""
        self._handler = handler
        self._listen = listen
        self._max_body = max_body
        self._max_connections = max_connections
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.address = ""

    async def start(self) -> str:
        """Listen; the address is host:port. Raises OSError."""
        host, _, port = self._listen.rpartition(":")
        self._server = await asyncio.start_server(self._accept, host.strip("[]"), int(port))
        self.address = f"{host}:{self._server.sockets[0].getsockname()[1]}"
        return self.address

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._max_connections:
            writer.close()
            return
        task = asyncio.ensure_future(_Connection(self, reader, writer).serve())
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def answer(self, request: Request) -> Response:
        """What the handler says."""
        try:
            return await self._handler(request)
        except Exception:
            _logger.exception("a request could not be answered")
            return text(500, "the server failed; try again")

    def too_large(self, octets: int) -> bool:
        """Whether a body of so many octets is refused."""
        return octets > self._max_body


class _Connection:
    """One connection of a client."""

    def __init__(
        self, server: WebServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    async def serve(self) -> None:
        """Answer requests until the connection ends."""
        try:
            while await self._exchange():
                self._protocol.start_next_cycle()
        except (TimeoutError, OSError):
            pass  # a client that went away, or never said anything
        except h11.RemoteProtocolError as error:
            await self._refuse(error.error_status_hint)
        finally:
            self._writer.close()

    async def _exchange(self) -> bool:
        """One request and its answer; False when the connection is to end."""
        async with asyncio.timeout(READ_SECONDS):
            request = await self._read()
        if request is None:
            return False
        refused = isinstance(request, Response)
        answer = request if isinstance(request, Response) else await self._server.answer(request)
        head = isinstance(request, Request) and request.method == "HEAD"
        await self._send(answer, head=head, last=refused)
        if refused:
            await self._linger()
        return (self._protocol.our_state, self._protocol.their_state) == (h11.DONE, h11.DONE)

    async def _read(self) -> Request | Response | None:
        """The next request; an answer that refuses it; None at the end of the connection."""
        event = await self._event()
        if not isinstance(event, h11.Request):
            return None
        body = bytearray()
        while isinstance(part := await self._event(), h11.Data):
            body += part.data
            if self._server.too_large(len(body)):
                return text(413, "the body is too large")
        if not isinstance(part, h11.EndOfMessage):
            return None
        target = event.target.decode("ascii", "replace").partition("?")[0]
        headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        return Request(event.method.decode("ascii"), target, bytes(body), headers)

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            if self._protocol.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                self._write(self._protocol.send(go_on))
            self._protocol.receive_data(await self._reader.read(CHUNK))
        return event

    async def _send(self, answer: Response, *, head: bool, last: bool) -> None:
        headers = list(answer.headers.items())
        if answer.status != NOT_MODIFIED:  # it has no body, and says nothing of the one there is
            headers.append(("content-length", str(len(answer.body))))
        if last:
            headers.append(("connection", "close"))
        self._write(self._protocol.send(h11.Response(status_code=answer.status, headers=headers)))
        if not head:
            self._write(self._protocol.send(h11.Data(data=answer.body)))
        self._write(self._protocol.send(h11.EndOfMessage()))
        async with asyncio.timeout(WRITE_SECONDS):
            await self._writer.drain()

    async def _refuse(self, status: int) -> None:
        """Tell a client that does not speak HTTP; it may be gone already."""
        if self._protocol.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            try:
                await self._send(text(status, "malformed request"), head=False, last=True)
                await self._linger()
            except (h11.LocalProtocolError, TimeoutError, OSError):
                return

    async def _linger(self) -> None:
        """Read on for a moment: closing on unread octets would take the answer from the client."""
        self._writer.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            while await self._reader.read(CHUNK):
                pass

    def _write(self, data: bytes | None) -> None:
        if data:
            self._writer.write(data)
