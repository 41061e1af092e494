"""Who is active: institutions, applications, persons who act, revoked certificates.

Fed by registry's WatchDirectory (rows of crossroads.trust.v1), held in memory by every server.
Answers from memory only; what is unknown is not active and has no role. Whether the rows are
current is the replica's lease: `require()` before a decision that rests on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, cast

from crossroads.options.v1.options_pb2 import Role
from crossroads.registry.v1.registry_service_pb2 import WatchDirectoryRequest
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from crossroads.trust.v1.trust_pb2 import Entry
from services.runtime.channel import Channel
from services.runtime.clock import Clock
from services.runtime.watch.replica import Replica, watching


@dataclass(frozen=True)
class Institution:
    """An institution; `capacities` as "<sector>/<code>", `managed_by` "" for nobody."""

    id: str
    active: bool
    managed_by: str
    capacities: frozenset[str]


@dataclass(frozen=True)
class Application:
    """An application; `endpoint` is host:port of a source, "" for a mere caller."""

    institution: str
    id: str
    active: bool
    endpoint: str


@dataclass(frozen=True)
class Person:
    """A person who acts for `institution`, or for the platform if that is ""."""

    id: str
    roles: frozenset[Role.ValueType]
    institution: str


@dataclass(frozen=True)
class Revocation:
    """A certificate that is no longer good; lower-case hexadecimal."""

    serial: str


Row = Institution | Application | Person | Revocation


def decode(key: str, value: bytes) -> Row:
    """One row of the directory; ValueError if it is none, or not the one that its key says."""
    entry = Entry.FromString(value)
    row = _row(entry)
    if row is None or key != key_of(row):
        raise ValueError("a row of the directory does not fit its key")
    return row


def key_of(row: Row) -> str:
    """The key under which the directory holds this row."""
    match row:
        case Institution():
            return f"institution/{row.id}"
        case Application():
            return f"application/{row.institution}/{row.id}"
        case Person():
            return f"person/{row.id}"
        case Revocation():
            return f"revocation/{row.serial}"


class Rows(Protocol):
    """Where the directory's rows are: a Replica of them, or the owner's own table."""

    def get(self, key: str) -> Row | None:
        """The row, or None."""
        ...

    def require(self) -> None:
        """Raise LEASE_EXPIRED if the rows may be out of date."""
        ...


class _Stored(Protocol):
    def get(self, key: str) -> bytes | None: ...


class Directory:
    """The directory, as every server asks it."""

    def __init__(self, *, rows: Rows) -> None:
        self._rows = rows

    @classmethod
    def of(cls, table: _Stored) -> Self:
        """Over the table that this process owns (registry), always as current as the table."""
        return cls(rows=_Owned(table=table))

    def require(self) -> None:
        """Raise LEASE_EXPIRED if what is held here may be out of date."""
        self._rows.require()

    def institution(self, institution: str) -> Institution | None:
        """The institution of that id, active or not."""
        row = self._rows.get(f"institution/{institution}")
        return row if isinstance(row, Institution) else None

    def application(self, institution: str, application: str) -> Application | None:
        """That application of that institution, active or not."""
        row = self._rows.get(f"application/{institution}/{application}")
        return row if isinstance(row, Application) else None

    def person(self, person: str) -> Person | None:
        """The person of that id."""
        row = self._rows.get(f"person/{person}")
        return row if isinstance(row, Person) else None

    def application_active(self, institution: str, application: str) -> bool:
        """Whether both the application and its institution are active."""
        owner = self.institution(institution)
        own = self.application(institution, application)
        return owner is not None and owner.active and own is not None and own.active

    def roles(self, person: str) -> frozenset[Role.ValueType]:
        """What that person may do; nothing for a stranger."""
        row = self.person(person)
        return row.roles if row is not None else frozenset()

    def institution_of(self, person: str) -> str | None:
        """Whom that person acts for: an institution, "" for the platform, None for a stranger."""
        row = self.person(person)
        return row.institution if row is not None else None

    def capacities(self, institution: str) -> frozenset[str]:
        """In which capacities ("<sector>/<code>") the institution may integrate persons."""
        row = self.institution(institution)
        return row.capacities if row is not None else frozenset()

    def revoked(self, serial: str) -> bool:
        """Whether the certificate with that serial (lower-case hexadecimal) is revoked."""
        return self._rows.get(f"revocation/{serial}") is not None


def replica(*, channel: Channel, clock: Clock) -> Replica[Row]:
    """The replica that a server keeps of registry's directory: `Directory(rows=replica(...))`.

    `channel` leads to registry.
    """
    stub: Any = cast("Any", RegistryServiceStub)(channel)  # it looks like gRPC's
    connect = watching(stub.WatchDirectory, WatchDirectoryRequest)
    return Replica(name="directory", connect=connect, decode=decode, clock=clock)


class _Owned:
    """The owner's own rows, each decoded once."""

    def __init__(self, *, table: _Stored) -> None:
        self._table = table
        self._decoded: dict[str, tuple[bytes, Row]] = {}

    def get(self, key: str) -> Row | None:
        value = self._table.get(key)
        if value is None:
            self._decoded.pop(key, None)
            return None
        known = self._decoded.get(key)
        if known is None or known[0] is not value:
            known = self._decoded[key] = (value, decode(key, value))
        return known[1]

    def require(self) -> None:
        """The owner's copy needs no lease: what it does is checked again in its database."""


def _row(entry: Entry) -> Row | None:
    makers: Mapping[str, Callable[[Any], Row]] = {
        "institution": lambda m: Institution(
            m.id, m.active, m.managing_institution, frozenset(m.capacities)
        ),
        "application": lambda m: Application(m.institution, m.id, m.active, m.endpoint),
        "person": lambda m: Person(m.id, frozenset(m.roles), m.institution),
        "revocation": lambda m: Revocation(m.serial),
    }
    kind = entry.WhichOneof("entry")
    return makers[kind](getattr(entry, kind)) if kind else None
