"""A way to a server that a test can cut: everything on a port goes on to another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Forwarder:
    """`address` is host:port, the same before and after a cut."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def address(self) -> str:
        """Where to connect instead."""
        return f"127.0.0.1:{self._port}"

    async def mend(self) -> None:
        """Let everything pass."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Take no connection, and end those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        ways = [(reader, onward_writer), (onward_reader, writer)]
        copying = [asyncio.create_task(_copy(*each)) for each in ways]
        try:
            await asyncio.wait(copying)
        finally:
            for each in copying:
                each.cancel()
            writer.transport.abort()
            onward_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def forwarding(target: str) -> AsyncIterator[Forwarder]:
    """A forwarder to host:port, open."""
    forwarder = Forwarder(target)
    await forwarder.mend()
    try:
        yield forwarder
    finally:
        await forwarder.cut()
