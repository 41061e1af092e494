"""Rules on fields (protovalidate), checked only for messages that have some.

Contract: `validator(descriptor)` looks through a message's descriptor once, and gives None when
neither it nor any message in it has a rule. A violation names the field and the rule, never the
value.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor

from services.runtime.errors import FieldViolation


def validator(descriptor: Descriptor) -> Callable[[Any], list[FieldViolation]] | None:
    """What checks messages of this type; None when there is nothing to check."""
    if not _has_rules(descriptor, set()):
        return None
    engine = _engine()

    def check(message: Any) -> list[FieldViolation]:
        return [
            FieldViolation(_path(each.proto), each.proto.message)
            for each in engine.collect_violations(message)
        ]

    return check


@cache
def _engine() -> Any:
    import protovalidate  # noqa: PLC0415 - 0.1 s of CPU, only where there are rules

    return protovalidate.Validator()


def _has_rules(descriptor: Descriptor, seen: set[str]) -> bool:
    if descriptor.full_name in seen:
        return False
    seen.add(descriptor.full_name)
    if descriptor.GetOptions().HasExtension(validate_pb2.message):
        return True
    if any(each.GetOptions().HasExtension(validate_pb2.oneof) for each in descriptor.oneofs):
        return True
    for field in descriptor.fields:
        if field.GetOptions().HasExtension(validate_pb2.field):
            return True
        if field.message_type is not None and _has_rules(field.message_type, seen):
            return True
    return False


def _path(violation: Any) -> str:
    """The field as "persons[2].key"; keys of maps are left out, for they are values."""
    parts = []
    for element in violation.field.elements if violation.field is not None else ():
        index = getattr(element, "subscript", None)
        at = f"[{index.value}]" if index is not None and index.field == "index" else ""
        parts.append(f"{element.field_name}{at}")
    return ".".join(parts) or "request"
