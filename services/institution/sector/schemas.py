"""The messages of the exchange services: which data elements an answer holds, and the schema that
the catalogue publishes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from crossroads.options.v1 import options_pb2

PREFIX = "crossroads.sector."


def message_class(name: str) -> type[Message]:
    """The generated class of an exchange message, by full name; KeyError if there is none."""
    package, _, message = name.rpartition(".")
    if not name.startswith(PREFIX):
        raise KeyError(name)
    domain = package.removeprefix(PREFIX).partition(".")[0]
    try:
        module = import_module(f"{package}.{domain}_pb2")
    except ModuleNotFoundError as error:
        raise KeyError(name) from error
    return GetMessageClass(module.DESCRIPTOR.message_types_by_name[message])


def elements_of(name: str) -> tuple[str, ...]:
    """The data elements that a message can hold, in the order of its fields, each once."""
    return tuple(dict.fromkeys(_walk(message_class(name).DESCRIPTOR)))


def elements_in(message: Message) -> set[str]:
    """The data elements that a message does hold: those of its fields that are set."""
    found: set[str] = set()
    for field, value in message.ListFields():
        if element := field.GetOptions().Extensions[options_pb2.element]:
            found.add(element)
        if field.message_type is not None:
            for one in value if field.is_repeated else [value]:
                found |= elements_in(one)
    return found


def _walk(message: Any) -> Iterator[str]:
    for field in message.fields:
        element = field.GetOptions().Extensions[options_pb2.element]
        if element:
            yield element
        if field.message_type is not None:
            yield from _walk(field.message_type)


def schema_of(*names: str) -> bytes:
    """The FileDescriptorSet, serialized, that these messages need; imports before their users."""
    files = FileDescriptorSet()
    seen: set[str] = set()
    for name in names:
        _collect(message_class(name).DESCRIPTOR.file, files, seen)
    return files.SerializeToString(deterministic=True)


def _collect(file: Any, files: FileDescriptorSet, seen: set[str]) -> None:
    if file.name in seen:
        return
    seen.add(file.name)
    for dependency in file.dependencies:
        _collect(dependency, files, seen)
    file.CopyToProto(files.file.add())
