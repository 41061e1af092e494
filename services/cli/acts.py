"""`crossroads act`: a person proposes, approves and reads acts of registry.

Contract: who acts is the certificate in the person's folder; the command adds nothing to it. In a
home that is the demo's person of that id, or its application "<institution>/<application>".
Elsewhere the folder holds key.pem and cert.pem, and the service's address and the authority of the
services' certificates are given.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.cli.connections import Connections
from services.cli.platform.home import Home
from services.runtime.certificates import Certificates, FileIssuer
from services.runtime.channel import Channel

Document = dict[str, Any]


@dataclass(frozen=True)
class Actor:
    """Who acts, and where the service is: one of this home, or a folder with an address."""

    person: str
    folder: Path | None = None
    address: str = ""
    authority: bytes = b""


async def propose(home: Home, actor: Actor, text: str) -> Document:
    """Propose a ProposeActRequest, given as JSON. Raises CrossroadsError, ValueError."""
    try:
        request = json_format.Parse(text, registry.ProposeActRequest())
    except json_format.ParseError as error:
        raise ValueError(f"{error}; write a ProposeActRequest of registry/v1 as JSON") from error
    return await _ask(home, actor, "ProposeAct", request)


async def approve(home: Home, actor: Actor, act_id: str) -> Document:
    """Approve an act. Raises CrossroadsError."""
    return await _ask(home, actor, "ApproveAct", registry.ApproveActRequest(act_id=act_id))


async def show(home: Home, actor: Actor, act_id: str) -> Document:
    """One act, as an approver reads it. Raises CrossroadsError."""
    return await _ask(home, actor, "GetAct", registry.GetActRequest(act_id=act_id))


async def _ask(home: Home, actor: Actor, method: str, request: Any) -> Document:
    async with acting(home, actor, "registry", RegistryServiceStub) as stub:
        answer = await getattr(stub, method)(request)
    return json_format.MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


@asynccontextmanager
async def acting(home: Home, actor: Actor, service: str, stub: Any) -> AsyncIterator[Any]:
    """A stub of a service, for who acts."""
    async with AsyncExitStack() as stack:
        if actor.folder is None:
            connections = await stack.enter_async_context(Connections(home=home))
            of_home = connections.application if "/" in actor.person else connections.person
            yield await of_home(actor.person, service, stub)
        else:
            channel = await _channel(actor, actor.folder, service)
            stack.push_async_callback(channel.close)
            yield stub(channel)


async def _channel(actor: Actor, folder: Path, service: str) -> Channel:
    if not actor.address or not actor.authority:
        raise ValueError("elsewhere, give a folder, --address and --authority")
    certificates = Certificates(
        issuer=FileIssuer(key_file=folder / "key.pem", chain_file=folder / "cert.pem")
    )
    await certificates.start()
    return Channel(
        target=actor.address,
        name=service,
        certificates=certificates,
        trust=actor.authority,
    )
