"""What a Vault holds otherwise than declared.

Contract: `differences` asks and changes nothing. A field that is declared must say what is
declared; a field that is not must say what Vault says by itself: nobody adds a right unseen. Two
values are the same when Vault means the same by them ("24h" and 86400). Raises VaultError.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from services.cli.vault.declaration import Declaration, Item, Kind, holder_role
from services.cli.vault.kinds import OWN_POLICIES, PLACES
from services.runtime.vaultsession import Session

HOLDERS = (Kind.INSTITUTION_ROLE, Kind.PERSON_ROLE)
_DURATION = re.compile(r"(\d+)(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Change(StrEnum):
    """How a thing differs."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"


@dataclass(frozen=True)
class Field:
    """A field that says something else. None: it says nothing."""

    name: str
    declared: Any
    found: Any


@dataclass(frozen=True)
class Difference:
    """One thing that is not as declared."""

    kind: Kind
    name: str
    change: Change
    fields: tuple[Field, ...] = ()

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {"fields": [asdict(each) for each in self.fields]}


def differences(session: Session, declaration: Declaration) -> list[Difference]:
    """Everything but the authorities, in the order in which it would be written; extras last."""
    present = {kind: PLACES[kind].names(session) for kind in declaration.kinds if kind in PLACES}
    held = [
        role
        for kind in HOLDERS
        for name in sorted(present.get(kind, ()))
        if (role := holder_role(kind, name)) is not None
    ]
    wrong = [
        difference
        for item in (*declaration.items, *held)
        if (difference := _difference(session, item, present[item.kind])) is not None
    ]
    return wrong + list(_extras(declaration, present))


def _difference(session: Session, item: Item, present: set[str]) -> Difference | None:
    found = PLACES[item.kind].read(session, item.name) if item.name in present else None
    if found is None:
        return Difference(item.kind, item.name, Change.MISSING)
    fields = tuple(changed(item.body, found, PLACES[item.kind].defaults))
    return Difference(item.kind, item.name, Change.CHANGED, fields) if fields else None


def changed(
    declared: Mapping[str, Any], found: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[Field]:
    """The fields that say something else."""
    for name in sorted({*declared, *found}):
        wanted = declared.get(name, defaults.get(name))
        if _plain(name, wanted) != _plain(name, found.get(name)):
            yield Field(name, wanted, found.get(name))


def _plain(name: str, value: Any) -> Any:
    """One form of what means the same. Nothing, empty and zero are what Vault calls not set."""
    if isinstance(value, str):
        duration = _DURATION.fullmatch(value)
        if duration:
            return int(duration[1]) * _SECONDS[duration[2]] or None
        # Vault takes libpq's form for a URL, and escapes what it shows.
        return (unquote(value) if name == "connection_url" else value.strip()) or None
    if isinstance(value, list):
        return (value if name.endswith("statements") else sorted(value)) or None
    return value or None


def _extras(declaration: Declaration, present: Mapping[Kind, set[str]]) -> Iterator[Difference]:
    for kind, names in present.items():
        known = {item.name for item in declaration.items if item.kind is kind}
        if kind is Kind.POLICY:
            known |= OWN_POLICIES
        for name in sorted(names - known):
            if not _made(kind, name, declaration):
                yield Difference(kind, name, Change.EXTRA)


def _made(kind: Kind, name: str, declaration: Declaration) -> bool:
    """Whether somebody makes such things beside what is declared, by right."""
    if kind in HOLDERS:
        return holder_role(kind, name) is not None
    return kind is Kind.KEY and any(fnmatchcase(name, each) for each in declaration.made)
