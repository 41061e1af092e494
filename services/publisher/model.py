"""What is pushed, and what is shown over there. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Collection(StrEnum):
    """What is pushed, each by itself (publication.v1.Collection)."""

    AUTHORIZATIONS = "authorizations"
    CATALOGUE = "catalogue"
    INDICATORS = "indicators"
    LOG = "log"


class Item(NamedTuple):
    """A message: the full name of its type, its octets."""

    type_name: str
    octets: bytes


@dataclass(frozen=True)
class Shown:
    """The snapshot that is shown."""

    version: int
    made_at: datetime
    digest: bytes


@dataclass(frozen=True)
class Snapshot:
    """What to show; made at an instant, of something that has a version (0: that has none)."""

    collection: Collection
    version: int
    made_at: datetime
    digest: bytes
    items: Sequence[Item]
