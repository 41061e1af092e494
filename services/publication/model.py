"""Snapshots and what they show. Pure.

A snapshot replaces the one before of its collection as a whole. Paths are those of the site,
without a leading slash. Instants are aware and in UTC.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from services.runtime.errors import CrossroadsError, Reason, invalid

LANGUAGES = ("fr", "nl", "de", "en")
AHEAD = timedelta(minutes=5)
"""How far the clock of who pushes may be ahead: one far ahead would shut out what follows."""

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "svg": "image/svg+xml",
}


class Collection(StrEnum):
    """What is pushed, each by itself; the value is also the folder that shows it."""

    AUTHORIZATIONS = "authorizations"
    CATALOGUE = "catalogue"
    INDICATORS = "indicators"
    LOG = "log"


@dataclass(frozen=True)
class Snapshot:
    """One state of a collection; `digest` as in publication.v1."""

    collection: Collection
    version: int
    made_at: datetime
    digest: bytes

    @property
    def place(self) -> tuple[int, datetime]:
        """Its place in the order of snapshots."""
        return self.version, self.made_at


@dataclass(frozen=True)
class Document:
    """A file as it is shown."""

    path: str
    content: bytes

    @property
    def media_type(self) -> str:
        """By the path's ending, text without one; what is not known is only to be saved."""
        ending = self.path.rpartition("/")[2].partition(".")[2].rpartition(".")[2] or "txt"
        return _MEDIA_TYPES.get(ending, "application/octet-stream")

    @property
    def etag(self) -> str:
        """A strong validator (RFC 9110, 8.8.3)."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


class Piece(NamedTuple):
    """A part of a file; the parts of one path follow each other."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class TileItem:
    """A tile of the log's hashes."""

    level: int
    index: int
    hashes: bytes


class CheckpointItem(NamedTuple):
    """A signed note."""

    note: str


class Labels(NamedTuple):
    """A text in the languages of the site; empty where there is none."""

    fr: str = ""
    nl: str = ""
    de: str = ""
    en: str = ""

    def best(self, language: str) -> tuple[str, str]:
        """The text and its language: the one that is asked for, or else the first that there is."""
        own = dict(zip(LANGUAGES, self, strict=True))
        for each in (language, *LANGUAGES):
            if own[each]:
                return own[each], each
        return "", language


class Institution(NamedTuple):
    """An institution of the sector."""

    id: str
    name: Labels
    acronym_fr: str
    acronym_nl: str
    sector: str
    active: bool


class Element(NamedTuple):
    """An item of the information model."""

    id: str
    labels: Labels
    type: str
    code_list: str
    sensitivity: str
    authentic_source: str
    legal_basis: str
    deprecated: bool


class Code(NamedTuple):
    """A code with its meaning."""

    list: str
    code: str
    labels: Labels


class Service(NamedTuple):
    """What institutions can ask; `sources` are "<institution>/<application>"."""

    id: str
    version: int
    title: Labels
    question: str
    answer: str
    schema: bytes
    sources: Sequence[str]
    elements: Sequence[str]


class Indicator(NamedTuple):
    """How often exchanges of a service ended so on a day (UTC). None: too few to say."""

    day: str
    service: str
    outcome: str
    exchanges: int | None


Value = Piece | TileItem | CheckpointItem | Institution | Element | Code | Service | Indicator


class Item(NamedTuple):
    """An item as it came: the full name of its type, its octets, and what they say."""

    type_name: str
    octets: bytes
    value: Value


def shown_already(shown: Snapshot | None, pushed: Snapshot, now: datetime) -> bool:
    """Whether that very snapshot is shown. Raises FAILED_PRECONDITION unless it is newer."""
    if pushed.made_at > now + AHEAD:
        raise invalid("snapshot.made_at", "is in the future; set the clock of who pushes")
    if shown is None:
        return False
    if (shown.version, shown.digest) == (pushed.version, pushed.digest):
        return True
    if pushed.place <= shown.place:
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION,
            f"{pushed.collection}: version {shown.version} of {shown.made_at.isoformat()} is shown "
            "and is not older; push what is newer, or find out who pushed that",
        )
    return False


def by_collection(snapshots: Sequence[Snapshot]) -> Mapping[Collection, Snapshot]:
    """What is shown, by collection."""
    return {each.collection: each for each in snapshots}
