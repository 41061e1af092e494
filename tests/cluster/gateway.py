"""Runs in a pod: a gateway that passes connections through, TLS and all, as infra/ingress does.

`python gateway.py PORT=HOST:PORT …`
"""

import asyncio
import contextlib
import sys
from functools import partial

CHUNK = 1 << 16


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What one side says, until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def passed(
    host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection."""
    try:
        there, back = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, back), pump(there, writer))
    for each in (back, writer):
        each.close()


async def main(doors: list[str]) -> None:
    """All doors, for ever."""
    for door in doors:
        listened, _, target = door.partition("=")
        host, _, port = target.rpartition(":")
        await asyncio.start_server(partial(passed, host, int(port)), "0.0.0.0", int(listened))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
