"""A made-up service with one method of each of the four kinds of RPC, for tests of the machinery.

Contract: `Kinds` answers what its `behaviour` says for a text; `ask` calls one of the four and
gives the texts that came back. Services and active institutions may call.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from crossroads.options.v1 import options_pb2

SERVICE = "demo.kinds.v1.KindsService"
KINDS = ("One", "Many", "Gathered", "Both")

Behaviour = Callable[[str], Awaitable[str]]


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="demo/kinds.proto", package="demo.kinds.v1", syntax="proto3"
    )
    file.dependency.extend(["buf/validate/validate.proto", "crossroads/options/v1/options.proto"])
    types = descriptor_pb2.FieldDescriptorProto
    field = file.message_type.add(name="Text").field.add(
        name="value", number=1, label=types.LABEL_OPTIONAL, type=types.TYPE_STRING
    )
    field.options.Extensions[validate_pb2.field].string.min_len = 1
    service = file.service.add(name="KindsService")
    for name in KINDS:
        method = service.method.add(
            name=name,
            input_type=".demo.kinds.v1.Text",
            output_type=".demo.kinds.v1.Text",
            client_streaming=name in ("Gathered", "Both"),
            server_streaming=name in ("Many", "Both"),
        )
        callers = method.options.Extensions[options_pb2.callers]
        callers.services.append("*")
        callers.institutions = True
    return file


_pool = descriptor_pool.Default()
_pool.Add(_file())
DESCRIPTOR: ServiceDescriptor = _pool.FindServiceByName(SERVICE)
Text: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName("demo.kinds.v1.Text"))


class Kinds:
    """Answers each text; a call that gathers joins its answers."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.late: Exception | None = None
        """What a response stream fails with once it has sent its answer."""

    async def One(self, request: Any, context: Any) -> Any:
        return await self._answer(request)

    async def Many(self, request: Any, context: Any) -> AsyncIterator[Message]:
        yield await self._answer(request)
        self._fail_late()

    async def Gathered(self, requests: AsyncIterator[Any], context: Any) -> Message:
        answers = [(await self._answer(each)).value async for each in requests]
        return self._text(" ".join(answers))

    async def Both(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Message]:
        async for each in requests:
            yield await self._answer(each)
            self._fail_late()

    async def _answer(self, request: Any) -> Any:
        return self._text(await self.behaviour(request.value))

    def _text(self, value: str) -> Message:
        text: Message = Text(value=value)
        return text

    def _fail_late(self) -> None:
        if self.late is not None:
            raise self.late


def adder(servicer: Kinds, server: Any) -> None:
    """What protoc would have generated as add_KindsServiceServicer_to_server."""
    made = {
        "One": grpc.unary_unary_rpc_method_handler,
        "Many": grpc.unary_stream_rpc_method_handler,
        "Gathered": grpc.stream_unary_rpc_method_handler,
        "Both": grpc.stream_stream_rpc_method_handler,
    }
    handlers = {
        name: make(
            getattr(servicer, name),
            request_deserializer=Text.FromString,
            response_serializer=Text.SerializeToString,
        )
        for name, make in made.items()
    }
    server.add_registered_method_handlers(SERVICE, handlers)


def raw(channel: Any, name: str) -> Any:
    """The callable of one method, on any channel."""
    make = {
        "One": channel.unary_unary,
        "Many": channel.unary_stream,
        "Gathered": channel.stream_unary,
        "Both": channel.stream_stream,
    }[name]
    return make(f"/{SERVICE}/{name}", Text.SerializeToString, Text.FromString)


async def ask(channel: Any, name: str, *values: str, timeout: float = 10.0) -> list[str]:  # noqa: ASYNC109
    """Send these texts by the method; what came back. One or Many take one text."""

    async def texts() -> AsyncIterator[Any]:
        for each in values:
            yield Text(value=each)

    call = raw(channel, name)
    sent = texts() if name in ("Gathered", "Both") else Text(value=values[0])
    if name in ("One", "Gathered"):
        return [(await call(sent, timeout=timeout)).value]
    return [each.value async for each in call(sent, timeout=timeout)]
