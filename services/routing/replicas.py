"""What others own and exchanges rest on: grants, catalogue, replaced keys, who is active.

Contract: `Replicas` answers from memory; `require()` raises LEASE_EXPIRED unless every table is
known to be current. The grants are indexed as they arrive: `grants` always fits the version and the
digest of the replica. A service of the catalogue whose schema can't be used is not offered.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.identity.v1 import identity_service_pb2 as identity
from crossroads.registry.v1 import registry_service_pb2 as registry
from services.policy.index import GrantTable, GrantTableBuilder, Interner
from services.policy.model import DataPeriod, Grant, Way
from services.routing.course import Offer
from services.routing.model import Caller, Service
from services.routing.schema import ExchangeSchema, SchemaError
from services.runtime.clock import Clock
from services.runtime.directory import Directory, Row
from services.runtime.watch.replica import Connect, Replica

STEP_ROWS = 500
"""How many grants are indexed before the event loop goes on."""

_log = logging.getLogger(__name__)

WAYS = {
    authorization.WAY_ONLINE: Way.ONLINE,
    authorization.WAY_ASYNCHRONOUS: Way.ASYNCHRONOUS,
    authorization.WAY_EVENT: Way.EVENT,
    authorization.WAY_BATCH: Way.BATCH,
}


class GrantReader:
    """Reads rows of WatchGrants; equal sets become one object."""

    def __init__(self) -> None:
        self._same = Interner()

    def read(self, key: str, value: bytes) -> Grant:
        """The grant of one row. Raises ValueError."""
        row = _parse(authorization.Grant, value)
        same = self._same
        if row.id != key:
            raise ValueError("a grant does not fit its key")
        return Grant(
            id=row.id,
            deliberation=same.string(row.deliberation),
            prohibition=row.prohibition,
            institution=same.string(row.institution),
            institutions=same.set(row.institutions),
            group_name=same.string(row.group_name),
            application=same.string(row.application),
            service=same.string(row.service),
            service_version=row.service_version,
            elements=same.set(row.elements),
            purpose=same.string(row.purpose),
            legal_basis=same.string(row.legal_basis),
            caller_capacities=same.set(row.caller_capacities),
            caller_phases=same.set(map(str, row.caller_phases)),
            source_capacities=same.set(row.source_capacities),
            source_phases=same.set(map(str, row.source_phases)),
            data_period=DataPeriod(row.data_days_back or None, row.data_max_days or None),
            ways=same.ways([WAYS[each] for each in row.ways]),
            volume_per_day=row.volume_per_day or None,
            blocking=row.blocking,
            valid_from=_required(row.valid_from),
            valid_until=_instant(row.valid_until) if row.HasField("valid_until") else None,
            recorded_from=_required(row.recorded_from),
            recorded_until=_instant(row.recorded_until) if row.HasField("recorded_until") else None,
            proposed_by=same.string(row.proposed_by),
            approved_by=same.string(row.approved_by),
        )


def read_offer(key: str, value: bytes) -> Offer | None:
    """The service in one row of WatchCatalogue; None for other rows. Raises ValueError."""
    row = _parse(registry.CatalogueEntry, value)
    if row.WhichOneof("entry") != "service":
        return None
    service = row.service
    if key != f"service/{service.id}/{service.version}":
        raise ValueError("a service does not fit its key")
    try:
        schema = ExchangeSchema(
            question_message=service.question_message,
            answer_message=service.answer_message,
            schema=service.schema,
        )
    except SchemaError as error:
        _log.error("%s is not offered: %s", key, error)
        return None
    sources = []
    for each in service.sources:
        institution, _, application = each.partition("/")
        sources.append(Caller(institution, application))
    timeout = service.source_timeout_ms / 1000
    return Offer(Service(service.id, service.version, tuple(sources), timeout), schema)


def read_replacement(key: str, value: bytes) -> str:
    """The current key of one row of WatchReplacements. Raises ValueError."""
    row = _parse(identity.Replacement, value)
    if row.old_niss != key or not row.current_niss:
        raise ValueError("a replacement does not fit its key")
    return row.current_niss


class Replicas:
    """The four tables."""

    def __init__(
        self,
        *,
        grants: Connect,
        catalogue: Connect,
        replacements: Connect,
        directory: Replica[Row],
        clock: Clock,
    ) -> None:
        self._grants = Replica(
            name="grants", connect=grants, decode=GrantReader().read, clock=clock
        )
        self._catalogue = Replica(
            name="catalogue", connect=catalogue, decode=read_offer, clock=clock
        )
        self._replacements = Replica(
            name="replacements", connect=replacements, decode=read_replacement, clock=clock
        )
        self._directory = directory
        self.directory = Directory(rows=directory)
        self._table = GrantTable.of(())
        self._keys = ReplacedKeys()
        self._grants.on_snapshot(self._index_grants)
        self._grants.on_change(self._change_grants)
        self._replacements.on_snapshot(self._index_keys)
        self._replacements.on_change(self._change_keys)
        self._all: tuple[Replica[Row] | Replica[Grant] | Replica[Offer | None] | Replica[str], ...]
        self._all = (self._grants, self._catalogue, self._replacements, directory)

    @property
    def own(self) -> Sequence[tuple[str, Replica[Grant] | Replica[Offer | None] | Replica[str]]]:
        """The replicas that are to be run here, by name (the directory is the server's)."""
        return [(each.name, each) for each in (self._grants, self._catalogue, self._replacements)]

    @property
    def grants(self) -> GrantTable:
        """The grants as they are now."""
        return self._table

    def require(self) -> None:
        """Raise LEASE_EXPIRED unless every table is known to be current."""
        for each in self._all:
            each.require()

    def current(self) -> bool:
        """Whether every table is known to be current."""
        return all(each.lease_holds() for each in self._all)

    async def ready(self) -> None:
        """Wait until every table is here."""
        await asyncio.gather(*(each.ready() for each in self._all))

    def offer(self, service: str, version: int) -> Offer | None:
        """That version of that service."""
        return self._catalogue.get(f"service/{service}/{version}")

    def current_key(self, key: str) -> str:
        """The key that replaced this one, or the key itself."""
        return self._replacements.get(key) or key

    def keys_of(self, current: str) -> Sequence[str]:
        """A current key and those that it replaced."""
        return (current, *self._keys.replaced_by(current))

    def active(self, caller: Caller) -> bool:
        """Whether the application and its institution are active."""
        return self.directory.application_active(caller.institution, caller.application)

    def address(self, source: Caller) -> str:
        """Where a source answers (host:port); "" when it is not active or answers nowhere."""
        if not self.directory.application_active(source.institution, source.application):
            return ""
        found = self.directory.application(source.institution, source.application)
        return "" if found is None else found.endpoint

    def versions(self) -> Mapping[str, tuple[int, bytes]]:
        """Version and digest of each table."""
        return {each.name: (each.version, each.digest) for each in self._all}

    async def _index_grants(self, rows: Mapping[str, Grant], version: int, digest: bytes) -> None:
        builder = GrantTableBuilder()
        grants = list(rows.values())
        for start in range(0, len(grants), STEP_ROWS):
            builder.add(grants[start : start + STEP_ROWS])
            await asyncio.sleep(0)
        self._table = builder.finish(version, digest)

    def _change_grants(
        self, changes: Sequence[tuple[str, Grant | None]], version: int, digest: bytes
    ) -> None:
        self._table = self._table.apply(changes, version, digest)

    def _index_keys(self, rows: Mapping[str, str], _version: int, _digest: bytes) -> None:
        keys = ReplacedKeys()
        for old, current in rows.items():
            keys.put(old, current)
        self._keys = keys

    def _change_keys(
        self, changes: Sequence[tuple[str, str | None]], _version: int, _digest: bytes
    ) -> None:
        for old, current in changes:
            self._keys.put(old, current)


class ReplacedKeys:
    """Which keys a current key replaced."""

    def __init__(self) -> None:
        self._current: dict[str, str] = {}
        self._olds: dict[str, tuple[str, ...]] = {}

    def put(self, old: str, current: str | None) -> None:
        """`old` was replaced by `current`; None: it was not, after all."""
        before = self._current.pop(old, None)
        if before is not None:
            self._olds[before] = tuple(each for each in self._olds[before] if each != old)
        if current is not None:
            self._current[old] = current
            self._olds[current] = (*self._olds.get(current, ()), old)

    def replaced_by(self, current: str) -> tuple[str, ...]:
        """The keys that this one replaced."""
        return self._olds.get(current, ())


M = TypeVar("M", bound=Message)


def _parse(cls: type[M], value: bytes) -> M:
    try:
        return cls.FromString(value)
    except DecodeError:
        raise ValueError("not the message of this table") from None


def _required(timestamp: Timestamp) -> datetime:
    if not timestamp.seconds:
        raise ValueError("a grant lacks an instant")
    return _instant(timestamp)


def _instant(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(UTC)
