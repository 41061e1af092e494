"""What the health port of a process says, asked over gRPC."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.health import HealthServer
from services.runtime.wiring import Runtime


async def told(runtime: Runtime) -> dict[str, bool]:
    """What the health port says of each part."""
    server = HealthServer(health=runtime.health, listen="127.0.0.1:0")
    async with grpc.aio.insecure_channel(await server.start()) as plain:
        health = health_pb2_grpc.HealthStub(plain)  # type: ignore[no-untyped-call]
        listed = await health.List(health_pb2.HealthListRequest())
    await server.stop()
    serving = health_pb2.HealthCheckResponse.SERVING
    return {part: each.status == serving for part, each in listed.statuses.items()}
