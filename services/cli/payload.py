"""Questions and answers as JSON, by the schema that the catalogue holds: any service can be asked
without code of its own.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from crossroads.registry.v1 import registry_service_pb2 as registry


def _message(service: registry.ExchangeService, name: str) -> Message:
    files = descriptor_pb2.FileDescriptorSet.FromString(service.schema)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


def encode_question(service: registry.ExchangeService, text: str) -> bytes:
    """The question message from JSON.

    Errors: ValueError naming the field that the message does not have, or what is not JSON.
    """
    message = _message(service, service.question_message)
    try:
        json_format.ParseDict(json.loads(text or "{}"), message)
    except (json.JSONDecodeError, json_format.ParseError) as error:
        raise ValueError(f"--question is not a {service.question_message}: {error}") from None
    return message.SerializeToString()


def decode_answer(service: registry.ExchangeService, payload: bytes) -> dict[str, Any]:
    """The answer message as JSON types, with the proto's field names."""
    message = _message(service, service.answer_message)
    message.ParseFromString(payload)
    decoded: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return decoded


def question_fields(service: registry.ExchangeService) -> list[str]:
    """The fields that a question may hold, for a help text."""
    return [field.name for field in _message(service, service.question_message).DESCRIPTOR.fields]
