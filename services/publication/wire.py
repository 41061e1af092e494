"""publication.v1 to the model and back; what is not public does not get in here."""

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.logging.v1 import evidence_service_pb2 as logging
from crossroads.publication.v1 import publication_service_pb2 as api
from crossroads.registry.v1 import registry_service_pb2 as registry
from services.publication.model import (
    CheckpointItem,
    Code,
    Collection,
    Element,
    Indicator,
    Institution,
    Item,
    Labels,
    Piece,
    Service,
    Snapshot,
    TileItem,
    Value,
)
from services.runtime.errors import invalid
from services.runtime.sensitivity import offences

_PREFIX = "COLLECTION_"


def _labels(message: registry.Labels) -> Labels:
    return Labels(message.fr, message.nl, message.de, message.en)


def _institution(message: registry.Institution) -> Value:
    return Institution(
        message.trust.id,
        _labels(message.name),
        message.acronym_fr,
        message.acronym_nl,
        message.sector,
        message.trust.active,
    )


def _element(message: registry.DataElement) -> Value:
    return Element(
        message.id,
        _labels(message.labels),
        message.type,
        message.code_list,
        message.sensitivity,
        message.authentic_source,
        message.legal_basis,
        message.deprecated,
    )


def _code(message: registry.Code) -> Value:
    return Code(message.list, message.code, _labels(message.labels))


def _indicator(message: logging.Indicator) -> Value:
    exchanges = message.exchanges or None  # 0: too few to say
    return Indicator(message.day, message.service, message.outcome, exchanges)


def _service(message: registry.ExchangeService) -> Value:
    return Service(
        message.id,
        message.version,
        _labels(message.title),
        message.question_message,
        message.answer_message,
        message.schema,
        tuple(message.sources),
        tuple(message.elements),
    )


_READ: Mapping[type[Any], Callable[[Any], Value]] = {
    api.File: lambda m: Piece(m.path, m.content),
    api.Checkpoint: lambda m: CheckpointItem(m.note),
    api.Tile: lambda m: TileItem(m.level, m.index, m.hashes),
    registry.Institution: _institution,
    registry.DataElement: _element,
    registry.Code: _code,
    registry.ExchangeService: _service,
    logging.Indicator: _indicator,
}
SHOWN = {kind.DESCRIPTOR.full_name: (kind, read) for kind, read in _READ.items()}


def item_from(packed: Packed) -> Item:
    """An item. Raises INVALID_ARGUMENT: of no type that is shown, or not public throughout."""
    name = packed.TypeName()
    kind, read = SHOWN.get(name, (None, None))
    if kind is None or read is None:
        raise invalid("item", "its type is none that is shown")
    message = kind()
    try:
        message.ParseFromString(packed.value)
    except DecodeError:
        raise invalid("item", f"is no {name}") from None
    hidden = ", ".join(offences(message))
    if hidden:
        raise invalid("item", f"{name}: {hidden} is not public by its proto")
    return Item(name, packed.value, read(message))


def snapshot_from(message: api.Snapshot) -> Snapshot:
    """A snapshot; the field rules have checked it."""
    collection = Collection(api.Collection.Name(message.collection).removeprefix(_PREFIX).lower())
    made_at = message.made_at.ToDatetime(UTC)
    return Snapshot(collection, message.version, made_at, message.digest)


def snapshot_to(snapshot: Snapshot) -> api.Snapshot:
    """A snapshot as it travels."""
    made_at = Timestamp()
    made_at.FromDatetime(snapshot.made_at)
    return api.Snapshot(
        collection=api.Collection.Value(f"{_PREFIX}{snapshot.collection.upper()}"),
        version=snapshot.version,
        made_at=made_at,
        digest=snapshot.digest,
    )
