"""The published authorizations as a data set and as pages to read. Pure.

Contract: `files` gives every file of an edition by path: `authorizations.json` (RFC 8785), a style
sheet, and pages in FR, NL, DE and EN: an index, one page for each deliberation and one for each
institution. They refer to nothing outside and hold no person. The same edition gives the same
bytes; `digest` covers them all and is what the log fixes.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from services.authorization.model import Deliberation, described
from services.policy.model import Grant, instant
from services.proof.record import canonical_json

DATA_SET = "authorizations.json"
NATIONAL = ("fr", "nl", "de")
LANGUAGES = (*NATIONAL, "en")


class Labels(NamedTuple):
    """A text in the languages of the country and in English; empty where there is none."""

    fr: str = ""
    nl: str = ""
    de: str = ""
    en: str = ""

    def best(self, language: str) -> tuple[str, str]:
        """The text and its language: the one that is asked for, or else the first that there is."""
        for each in (language, *LANGUAGES):
            text: str = getattr(self, each)
            if text:
                return text, each
        return "", language


class Names(NamedTuple):
    """What people call what rows name by id; `sources` are the institutions behind a service.

    `purposes` and `capacities` are by code.
    """

    institutions: Mapping[str, Labels]
    services: Mapping[str, Labels]
    elements: Mapping[str, Labels]
    sources: Mapping[str, frozenset[str]]
    purposes: Mapping[str, Labels]
    capacities: Mapping[str, Labels]


class Edition(NamedTuple):
    """What is published at one version of the table of grants."""

    version: int
    digest: bytes
    recorded_at: datetime | None
    at: datetime
    """For which instant the pages say what is in force."""
    deliberations: Sequence[Deliberation]
    """Published ones, newest first; their grants are not read."""
    grants: Sequence[Grant]
    """Every row of the table, in order of deliberation and place in it."""
    names: Names


def data_set(edition: Edition) -> bytes:
    """The whole table as one JSON file."""
    recorded = edition.recorded_at
    return canonical_json(
        {
            "deliberations": [_deliberation(each) for each in edition.deliberations],
            "grants": [_grant(each) for each in edition.grants],
            "table": {
                "digest": edition.digest.hex(),
                "recorded_at": None if recorded is None else instant(recorded),
                "version": edition.version,
            },
        }
    )


def digest(hashes: Mapping[str, bytes]) -> bytes:
    """SHA-256 over the files: for each path in order, a line "<sha256 in hexadecimal>  <path>".

    What `sha256sum * | sha256sum` gives, for who wants to check.
    """
    lines = (f"{hashes[path].hex()}  {path}\n" for path in sorted(hashes))
    return hashlib.sha256("".join(lines).encode()).digest()


def missing(one: Deliberation) -> Mapping[str, tuple[str, ...]]:
    """Which languages of the country the "text" and the "title" are not in. A dossier has them all;
    a transcription has those that its source has (decision 0020), and this says which not. A text
    that is in none of them is not held here at all, which is said elsewhere."""
    text = Labels(one.text_fr, one.text_nl, one.text_de)
    title = Labels(one.title_fr, one.title_nl, one.title_de)
    gaps = {"text": _lacking(text) if any(text) else (), "title": _lacking(title)}
    return {name: those for name, those in gaps.items() if those}


def in_force(row: Grant, at: datetime) -> bool:
    """Whether a row is on record, and neither over nor yet to begin."""
    return row.recorded_until is None and row.valid_from <= at and not ended(row, at)


def ended(row: Grant, at: datetime) -> bool:
    """Whether a row is off the record or over."""
    over = row.valid_until is not None and row.valid_until <= at
    return row.recorded_until is not None or over


def slug(name: str) -> str:
    """A number or id as part of a file's name; distinct ones stay distinct."""
    return "".join(
        each if each.isascii() and (each.isalnum() or each == "-") else _escape(each)
        for each in name
    )


def recipients(edition: Edition) -> Iterator[str]:
    """The institutions that some row names, in order."""
    yield from sorted({name for row in edition.grants for name in row.recipients})


def _lacking(labels: Labels) -> tuple[str, ...]:
    return tuple(each for each in NATIONAL if not getattr(labels, each).strip())


def _escape(character: str) -> str:
    return "." if character == "/" else f"_{ord(character):x}_"


def _deliberation(one: Deliberation) -> dict[str, Any]:
    published, entry = one.published_at, one.enters_into_force
    return {
        "chamber": one.chamber.value,
        "decided_on": one.decided_on.isoformat(),
        "enters_into_force": None if entry is None else instant(entry),
        "missing": {name: list(those) for name, those in missing(one).items()},
        "number": one.number,
        "published_at": None if published is None else instant(published),
        "scope": described(one.scope),
        "state": one.state.value,
        "text": {"de": one.text_de, "fr": one.text_fr, "nl": one.text_nl},
        "title": {"de": one.title_de, "en": one.title_en, "fr": one.title_fr, "nl": one.title_nl},
        "version": one.version,
    }


def _grant(row: Grant) -> dict[str, Any]:
    return {
        "application": row.application,
        "blocking": row.blocking,
        "caller_capacities": sorted(row.caller_capacities),
        "caller_phases": sorted(row.caller_phases),
        "data_days_back": row.data_period.days_back,
        "data_max_days": row.data_period.max_days,
        "deliberation": row.deliberation,
        "elements": sorted(row.elements),
        "group": row.group_name,
        "id": row.id,
        "legal_basis": row.legal_basis,
        "prohibition": row.prohibition,
        "purpose": row.purpose,
        "recipients": sorted(row.recipients),
        "recorded_from": instant(row.recorded_from),
        "recorded_until": None if row.recorded_until is None else instant(row.recorded_until),
        "service": row.service,
        "service_version": row.service_version,
        "source_capacities": sorted(row.source_capacities),
        "source_phases": sorted(row.source_phases),
        "valid_from": instant(row.valid_from),
        "valid_until": None if row.valid_until is None else instant(row.valid_until),
        "volume_per_day": row.volume_per_day,
        "ways": sorted(way.value for way in row.ways),
    }
