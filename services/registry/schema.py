"""Reads the schema of an exchange service: its messages and the data elements that they hold.

Contract: `read` takes a serialized google.protobuf.FileDescriptorSet that needs no other file and
gives its facts; ValueError says what is wrong with it. A field names the data element that it holds
by the option (crossroads.options.v1.element).
"""

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from crossroads.options.v1 import options_pb2
from services.registry.model import SchemaFacts


def read(schema: bytes) -> SchemaFacts:
    """The messages of a schema, each with the data elements that it and what is in it hold."""
    files = FileDescriptorSet()
    try:
        files.ParseFromString(schema)
    except DecodeError as error:
        raise ValueError("is not a google.protobuf.FileDescriptorSet") from error
    pool = DescriptorPool()
    for file in _in_order(files):
        try:
            pool.Add(file)
        except TypeError as error:
            raise ValueError(
                f"file {file.name} does not build: names or types are wrong"
            ) from error
    messages: dict[str, frozenset[str]] = {}
    for file in files.file:
        for message in pool.FindFileByName(file.name).message_types_by_name.values():
            _add(message, messages)
    return SchemaFacts(messages)


def _in_order(files: FileDescriptorSet) -> list:  # type: ignore[type-arg]
    """The files, each after those that it imports; ValueError where one is missing."""
    by_name = {file.name: file for file in files.file}
    ordered: dict[str, object] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in ordered:
            return
        if name not in by_name:
            raise ValueError(f"is not self-contained: {name} is missing")
        if name in path:
            raise ValueError(f"file {name} imports itself")
        for imported in by_name[name].dependency:
            visit(imported, (*path, name))
        ordered[name] = by_name[name]

    for name in by_name:
        visit(name, ())
    return list(ordered.values())


def _add(message: Descriptor, messages: dict[str, frozenset[str]]) -> None:
    messages[message.full_name] = frozenset(_elements(message, set()))
    for nested in message.nested_types:
        _add(nested, messages)


def _elements(message: Descriptor, seen: set[str]) -> set[str]:
    """Data elements of a message's fields and of the messages in them."""
    if message.full_name in seen:
        return set()
    seen.add(message.full_name)
    found: set[str] = set()
    for field in message.fields:
        element = field.GetOptions().Extensions[options_pb2.element]
        if element:
            found.add(element)
        if field.message_type is not None:
            found |= _elements(field.message_type, seen)
    return found
