"""Schemas of made-up exchange services, written as short tables instead of .proto files."""

from collections.abc import Mapping

from buf.validate import validate_pb2
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    field_mask_pb2,
    message_factory,
    timestamp_pb2,
)
from google.protobuf.message import Message

from crossroads.options.v1 import options_pb2

PACKAGE = "demo.employment.v1"
SCALARS = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
}
Messages = Mapping[str, Mapping[str, tuple[int, str, str]]]
"""Message name -> field name -> (number, "[repeated |optional ]type", data element or "")."""

EMPLOYMENT: Messages = {
    "Question": {"employer": (1, "string", ""), "limit": (2, "uint32", "")},
    "Answer": {
        "person": (1, "Person", ""),
        "employments": (2, "repeated Employment", ""),
        "remark": (3, "string", ""),
    },
    "Person": {"insured": (1, "bool", "person.insured"), "language": (2, "string", "person.lang")},
    "Employment": {
        "employer": (1, "optional string", "employment.employer"),
        "start": (2, "optional string", "employment.start"),
        "wage": (3, "Wage", "employment.wage"),
        "previous": (4, "repeated Employment", ""),
        "quarters": (5, "repeated uint32", "employment.quarters"),
    },
    "Wage": {"amount": (1, "uint32", ""), "currency": (2, "string", "employment.currency")},
}
ELEMENTS = frozenset(
    {
        "person.insured",
        "person.lang",
        "employment.employer",
        "employment.start",
        "employment.wage",
        "employment.currency",
        "employment.quarters",
    }
)


def schema(messages: Messages = EMPLOYMENT) -> bytes:
    """A self-contained FileDescriptorSet; a Question's `limit` is at most 100."""
    files = descriptor_pb2.FileDescriptorSet()
    modules = (descriptor_pb2, duration_pb2, timestamp_pb2, field_mask_pb2, validate_pb2)
    for module in (*modules, options_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    file = files.file.add(name="demo/employment.proto", package=PACKAGE, syntax="proto3")
    file.dependency.append("buf/validate/validate.proto")
    file.dependency.append("crossroads/options/v1/options.proto")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind, element) in fields.items():
            field = _field(message, field_name, number, kind)
            if element:
                field.options.Extensions[options_pb2.element] = element
            if (name, field_name) == ("Question", "limit"):
                field.options.Extensions[validate_pb2.field].uint32.lte = 100
    return files.SerializeToString()


def _field(
    message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str
) -> descriptor_pb2.FieldDescriptorProto:
    label, _, base = kind.rpartition(" ")
    types = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=number, label=types.LABEL_OPTIONAL)
    if label == "repeated":
        field.label = types.LABEL_REPEATED
    if label == "optional":
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    if base in SCALARS:
        field.type = SCALARS[base]
    else:
        field.type = types.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{base}"
    return field


def message_class(name: str, described: bytes | None = None) -> type[Message]:
    """The class of one of the messages, in a pool of its own."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(described or schema()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
