"""The small HTTP server and client, over real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.runtime import web
from services.runtime.web import Request, Response, WebServer, text
from services.runtime.webclient import WebClient, WebError


class Site:
    """A server that says what it was asked, and its client."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.server = self.made()
        self.client = WebClient(url="http://127.0.0.1:1")

    def made(self, listen: str = "127.0.0.1:0") -> WebServer:
        return WebServer(handler=self.answer, listen=listen, max_body=1000, max_connections=4)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        if request.path == "/fails":
            raise KeyError("secret")
        if request.path == "/large":
            return Response(200, bytes(2 << 20))
        if request.path == "/same":
            return Response(304, headers={"etag": '"a"'})
        if request.path == "/slow":
            await asyncio.sleep(60)
        return text(200, f"{request.method} {request.path} {len(request.body)}")

    async def raw(self, sent: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    @property
    def port(self) -> int:
        return int(self.server.address.rpartition(":")[2])


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The server at work."""
    made = Site()
    await made.server.start()
    made.client = WebClient(url=f"http://{made.server.address}/prefix/")
    yield made
    await made.client.close()
    await made.server.stop()


async def test_requests_follow_each_other_on_one_connection(site: Site) -> None:
    for number in range(5):
        answer = await site.client.post("x?query=1", b"a" * number, seconds=5)
        assert (answer.status, answer.body) == (200, f"POST /prefix/x {number}\n".encode())
    assert len(site.server._connections) == 1


async def test_a_connection_that_the_server_ended_is_made_anew(site: Site) -> None:
    await site.client.get("one", seconds=5)
    address = site.server.address
    await site.server.stop()
    site.server = site.made(address)
    await site.server.start()
    assert (await site.client.get("two", seconds=5)).status == 200


async def test_no_answer_is_an_error_within_the_time(site: Site) -> None:
    with pytest.raises(WebError):
        await site.client.get("slow", seconds=0.0)
    lost = WebClient(url=f"http://127.0.0.1:{site.port}")
    with pytest.raises(WebError):
        await lost.get("slow", seconds=0.1)
    await site.server.stop()
    with pytest.raises(WebError):
        await lost.get("gone", seconds=5)
    await lost.close()


async def test_an_answer_that_is_too_large_is_refused(site: Site) -> None:
    client = WebClient(url=f"http://{site.server.address}")
    with pytest.raises(WebError, match="too large"):
        await client.get("large", seconds=10)
    assert (await client.get("small", seconds=5)).status == 200
    await client.close()


async def test_a_handler_that_fails_says_nothing_of_why(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    client = WebClient(url=f"http://{site.server.address}")
    answer = await client.get("fails", seconds=5)
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert (await client.get("fine", seconds=5)).status == 200
    await client.close()
    assert "could not be answered" in caplog.text


async def test_head_has_the_length_and_no_body(site: Site) -> None:
    answer = await site.raw(b"HEAD /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-length: 10" in head
    assert body == b""


async def test_handler_sees_headers_in_lower_case_and_what_did_not_change_has_no_body(
    site: Site,
) -> None:
    sent = b'GET /same HTTP/1.1\r\nhost: x\r\nIf-None-Match: "a"\r\nconnection: close\r\n\r\n'
    head, _, body = (await site.raw(sent)).partition(b"\r\n\r\n")
    assert site.asked[0].headers["if-none-match"] == '"a"'
    assert head.startswith(b"HTTP/1.1 304")
    assert (b"content-length" in head.lower(), body) == (False, b"")


async def test_requests_that_come_at_once_are_answered_in_order(site: Site) -> None:
    two = (
        b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    answer = await site.raw(two)
    assert answer.index(b"GET /1 0") < answer.index(b"GET /2 0")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),  # TLS
        (b"GET / HTTP/1.1\r\n", b""),
        (b"GET\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n" + b"a" * 1001, b"413"),
    ],
)
async def test_what_is_malformed_or_too_large_is_refused(
    site: Site, sent: bytes, status: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "READ_SECONDS", 0.5)
    answer = await site.raw(sent)
    assert answer.partition(b" ")[2][:3] == status
    assert site.asked == []


async def test_there_are_never_more_connections_than_allowed(site: Site) -> None:
    clients = [WebClient(url=f"http://{site.server.address}") for _ in range(4)]
    for client in clients:
        assert (await client.get("x", seconds=5)).status == 200
    assert await site.raw(b"") == b""  # a fifth is closed at once
    for client in clients:
        await client.close()
