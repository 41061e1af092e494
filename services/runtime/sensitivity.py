"""What of a message may go to the public cloud, by the options in its proto.

Contract: a message is as sensitive as its option `content` says; without one, as the most sensitive
service of its file; without those, personal. A field may say more of itself. `offences` names
everything in a message that is not public, unknown fields among it: what can't be read can't be
known to be public. `public_part` is the message without all that.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from crossroads.options.v1 import options_pb2 as options

M = TypeVar("M", bound=Message)
PUBLIC = options.SENSITIVITY_PUBLIC
_PLAIN = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})


@cache
def sensitivity(message: Descriptor) -> "options.Sensitivity.ValueType":
    """How sensitive what such a message holds is."""
    stated = message.GetOptions().Extensions[options.content]
    if stated:
        return stated
    if message.containing_type is not None:
        return sensitivity(message.containing_type)
    services = [
        service.GetOptions().Extensions[options.sensitivity]
        for service in message.file.services_by_name.values()
    ]
    return max(services, default=options.SENSITIVITY_PERSONAL) or options.SENSITIVITY_PERSONAL


@cache
def field_sensitivity(field: FieldDescriptor) -> "options.Sensitivity.ValueType":
    """How sensitive a field is, what a message in it says of itself apart."""
    stated = field.GetOptions().Extensions[options.field]
    return stated or sensitivity(field.containing_type)


def offences(message: Message, path: str = "") -> Iterator[str]:
    """The paths of everything that is set in a message and is not public."""
    if sensitivity(message.DESCRIPTOR) != PUBLIC:
        yield path or message.DESCRIPTOR.full_name
        return
    if len(UnknownFieldSet(message)):
        yield f"{path or message.DESCRIPTOR.full_name} (unknown fields)"
    for field, value in message.ListFields():
        name = f"{path}.{field.name}" if path else field.name
        if field_sensitivity(field) != PUBLIC:
            yield name
        else:
            for each in _messages(field, value):
                yield from offences(each, name)


def public_part(message: M) -> M:
    """A copy that holds only what is public. Raises ValueError when the whole message is not."""
    if sensitivity(message.DESCRIPTOR) != PUBLIC:
        raise ValueError(f"{message.DESCRIPTOR.full_name} is not public")
    part = type(message)()
    part.CopyFrom(message)
    _strip(part)
    return part


def _strip(message: Message) -> None:
    message.DiscardUnknownFields()
    for field, value in message.ListFields():
        enclosed = list(_messages(field, value))
        hidden = any(sensitivity(each.DESCRIPTOR) != PUBLIC for each in enclosed)
        if hidden or field_sensitivity(field) != PUBLIC:
            message.ClearField(field.name)
        else:
            for each in enclosed:
                _strip(each)


def _messages(field: FieldDescriptor, value: Any) -> Iterator[Message]:
    """The messages that a field holds; instants and durations are plain values."""
    kind = field.message_type
    if kind is None:
        return
    if kind.GetOptions().map_entry:
        if kind.fields_by_name["value"].message_type is not None:
            yield from value.values()
    elif kind.full_name not in _PLAIN:
        yield from value if field.is_repeated else [value]
