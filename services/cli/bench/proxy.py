"""The floor: a bare pass-through proxy in grpc.aio. Bytes in, bytes out, mTLS on both sides.

`python -m services.cli.bench.proxy CONFIG.json`; prints its port when it serves. No checks, no log,
no telemetry, no generated code: what remains when everything that Crossroads adds is taken away.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import uvloop


class PassThrough(grpc.GenericRpcHandler):
    """Hands every unary call on to one channel, unread."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._calls: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler of one method."""
        method = handler_call_details.method
        call = self._calls.setdefault(method, self._channel.unary_unary(method))

        async def hand_on(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
            return await call(request, timeout=context.time_remaining())

        return grpc.unary_unary_rpc_method_handler(hand_on)


async def serve(config: dict[str, str]) -> None:
    """Serve until the process is ended. Config: PEM texts, target, name."""
    read = {part: config[part].encode() for part in ("key", "chain", "caller_ca", "source_ca")}
    channel = grpc.aio.secure_channel(
        config["target"],
        grpc.ssl_channel_credentials(read["source_ca"], read["key"], read["chain"]),
        options=[("grpc.ssl_target_name_override", config["name"])],
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((PassThrough(channel),))
    credentials = grpc.ssl_server_credentials(
        [(read["key"], read["chain"])], read["caller_ca"], require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text())))
