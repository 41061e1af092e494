"""A small HTTP/1.1 client: one server, one connection that is kept, one request at a time.

Contract: answers are whole and bounded. Whatever goes wrong on the way is `WebError`; a status is
not. A connection that the server closed meanwhile is made anew once.
"""

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

MAX_ANSWER = 1 << 20
CHUNK = 64 * 1024


class WebError(Exception):
    """No answer, or none that can be understood."""


class _StaleError(Exception):
    """The server had closed the connection before it saw the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    content_type: str
    body: bytes


class WebClient:
    """Talks to the server at `url` (http or https); paths go below it."""

    def __init__(self, *, url: str) -> None:
        """Raises ValueError when the URL is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError(f"{url}: not the URL of an HTTP server")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._named = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._protocol = h11.Connection(h11.CLIENT)

    async def get(self, path: str, *, seconds: float) -> Answer:
        """GET `path` (without a leading slash)."""
        return await self._request("GET", path, b"", seconds)

    async def post(self, path: str, body: bytes, *, seconds: float) -> Answer:
        """POST `body` to `path`."""
        return await self._request("POST", path, body, seconds)

    async def close(self) -> None:
        """End the connection."""
        async with self._turn:
            self._drop()

    async def _request(self, method: str, path: str, body: bytes, seconds: float) -> Answer:
        async with self._turn:
            try:
                async with asyncio.timeout(seconds):
                    try:
                        return await self._exchange(method, path, body)
                    except _StaleError:
                        self._drop()
                        return await self._exchange(method, path, body)
            except BaseException as error:
                self._drop()
                if isinstance(error, OSError | h11.ProtocolError | _StaleError):
                    raise WebError(str(error) or type(error).__name__) from None
                raise

    async def _exchange(self, method: str, path: str, body: bytes) -> Answer:
        kept = self._streams is not None
        reader, writer = self._streams or await self._connect()
        headers = [("host", self._named), ("content-length", str(len(body)))]
        head = h11.Request(method=method, target=f"{self._prefix}/{path}", headers=headers)
        sent = [self._protocol.send(head)]
        if body:
            sent.append(self._protocol.send(h11.Data(data=body)))
        sent.append(self._protocol.send(h11.EndOfMessage()))
        try:
            writer.write(b"".join(part for part in sent if part))
            await writer.drain()
            answer = await self._answer(reader, kept=kept)
        except ConnectionError as error:
            if kept:
                raise _StaleError(str(error)) from None
            raise
        if self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE:
            self._protocol.start_next_cycle()
        else:
            self._drop()
        return answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._protocol = h11.Connection(h11.CLIENT)
        self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return self._streams

    async def _answer(self, reader: asyncio.StreamReader, *, kept: bool) -> Answer:
        head: h11.Response | None = None
        body = bytearray()
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(CHUNK)
                if not data and head is None and kept:
                    raise _StaleError("closed")
                self._protocol.receive_data(data)
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_ANSWER:
                    raise WebError("the answer is too large")
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                kind = dict(head.headers).get(b"content-type", b"").decode("latin-1")
                return Answer(head.status_code, kind, bytes(body))
            elif not isinstance(event, h11.InformationalResponse):
                raise WebError("the connection ended before the answer")

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
