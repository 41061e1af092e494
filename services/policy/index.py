"""The table of grants, indexed by recipient (an institution, a group, or all) and service.

Contract: a `GrantTable` never changes; `apply` gives the next one and copies only the buckets that
a change touches: one among 100,000 grants costs microseconds. `GrantTableBuilder` takes
a snapshot in pieces, so that an event loop can breathe between them. What a table remembers of its
answers is no part of it: the next one begins without. `version` and `digest` are the
owner's (architecture.md, "Replicas that can be trusted"); they are carried here, not computed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import TypeVar

from services.policy.model import Grant, Way
from services.policy.rows import Bucket, Sorting

REMEMBERED = 1 << 16
"""How many answers of a kind a table remembers; some 500 octets each."""

_SHARDS = 1024
K = TypeVar("K")
V = TypeVar("V")
_by_id = attrgetter("id")

Recipient = str | frozenset[str]
"""An institution, the members of a group, or "" for all institutions."""
Services = Mapping[str, "Bucket"]
"""The buckets of one recipient by service; "" is that of prohibitions on any."""
NO_SERVICES: Services = MappingProxyType({})


class Memory(dict[K, V]):
    """What a table worked out before. Bounded: when it is full it begins anew."""

    def keep(self, key: K, value: V) -> None:
        """Remember this as well."""
        if len(self) >= REMEMBERED:
            self.clear()
        self[key] = value


class GrantTable:
    """An immutable set of grants at one version of the table."""

    __slots__ = (
        "_buckets",
        "_giving",
        "_groups",
        "_shards",
        "_size",
        "digest",
        "sortings",
        "version",
    )

    def __init__(
        self,
        *,
        buckets: Mapping[Recipient, Services],
        groups: Mapping[str, tuple[frozenset[str], ...]],
        shards: tuple[Mapping[str, Grant], ...],
        size: int,
        version: int,
        digest: bytes,
    ) -> None:
        self._buckets = buckets
        self._groups = groups
        self._shards = shards
        self._size = size
        self.version = version
        self.digest = digest
        self.sortings = Memory[tuple[str, str, str, int, str, Way], Sorting]()
        self._giving = Memory[str, tuple[Grant, ...]]()

    @classmethod
    def of(cls, rows: Iterable[Grant], version: int = 0, digest: bytes = b"") -> GrantTable:
        """The table of these rows; equal duplicates count once, different ones are a ValueError."""
        builder = GrantTableBuilder()
        builder.add(rows)
        return builder.finish(version, digest)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Grant]:
        """All grants, in no order."""
        for shard in self._shards:
            yield from shard.values()

    def get(self, grant_id: str) -> Grant | None:
        """The row with this id, or None."""
        return self._shards[hash(grant_id) % _SHARDS].get(grant_id)

    def services(self, institution: str) -> list[Services]:
        """What concerns an institution: by itself, as one of each of its groups, as one of all."""
        buckets = self._buckets
        found = [buckets[institution]] if institution in buckets else []
        found += [buckets[group] for group in self._groups.get(institution, ())]
        if "" in buckets and institution:
            found.append(buckets[""])
        return found

    def giving(self, institution: str) -> tuple[Grant, ...]:
        """All the grants that concern an institution, whatever their service, in order of id."""
        found = self._giving.get(institution)
        if found is None:
            buckets = [b for each in self.services(institution) for b in each.values()]
            found = tuple(sorted((row for b in buckets for row in b.giving), key=_by_id))
            self._giving.keep(institution, found)
        return found

    def apply(
        self, changes: Iterable[tuple[str, Grant | None]], version: int, digest: bytes
    ) -> GrantTable:
        """The table after changes in their order: (id, row) puts a row, (id, None) takes it out.

        ValueError if an id is not that of its row. Taking out what is not there changes nothing.
        """
        draft = _Draft(dict(self._buckets), dict(self._groups), list(self._shards), self._size)
        for grant_id, grant in changes:
            if grant is not None and grant.id != grant_id:
                raise ValueError("change: the id is not that of the row")
            draft.take(grant_id)
            if grant is not None:
                draft.put(grant)
        return draft.table(version, digest)


class _Draft:
    """The next table in the making: what it has copied already it may change in place."""

    def __init__(
        self,
        buckets: dict[Recipient, Services],
        groups: dict[str, tuple[frozenset[str], ...]],
        shards: list[Mapping[str, Grant]],
        size: int,
    ) -> None:
        self._buckets = buckets
        self._groups = groups
        self._shards = shards
        self._size = size
        self._own: dict[Recipient, dict[str, Bucket]] = {}
        self._own_buckets: set[tuple[Recipient, str]] = set()
        self._own_shards: dict[int, dict[str, Grant]] = {}

    def find(self, grant_id: str) -> Grant | None:
        """The row with this id as the draft stands."""
        return self._shards[hash(grant_id) % _SHARDS].get(grant_id)

    def put(self, grant: Grant) -> None:
        """Add a row whose id is not there."""
        self._shard(grant.id)[grant.id] = grant
        insort(self._bucket(grant).side(grant), grant, key=_by_id)
        self._size += 1

    def take(self, grant_id: str) -> None:
        """Remove a row if it is there."""
        old = self.find(grant_id)
        if old is None:
            return
        del self._shard(grant_id)[grant_id]
        bucket = self._bucket(old)
        rows = bucket.side(old)
        del rows[bisect_left(rows, grant_id, key=_by_id)]
        self._size -= 1
        if not bucket.giving and not bucket.taking:
            self._forget(old)

    def table(self, version: int, digest: bytes) -> GrantTable:
        """The finished table; the draft must not be used any more."""
        return GrantTable(
            buckets=self._buckets,
            groups=self._groups,
            shards=tuple(self._shards),
            size=self._size,
            version=version,
            digest=digest,
        )

    def _shard(self, grant_id: str) -> dict[str, Grant]:
        number = hash(grant_id) % _SHARDS
        shard = self._own_shards.get(number)
        if shard is None:
            shard = self._own_shards[number] = dict(self._shards[number])
            self._shards[number] = shard
        return shard

    def _bucket(self, grant: Grant) -> Bucket:
        recipient = grant.institutions or grant.institution
        services = self._own.get(recipient)
        if services is None:
            if recipient not in self._buckets:
                for member in grant.institutions:
                    self._groups[member] = (*self._groups.get(member, ()), grant.institutions)
            services = dict(self._buckets.get(recipient, NO_SERVICES))
            self._own[recipient] = services
            self._buckets[recipient] = services
        key = (recipient, grant.service)
        if key not in self._own_buckets:
            self._own_buckets.add(key)
            old = services.get(grant.service)
            services[grant.service] = (
                Bucket([], []) if old is None else Bucket(list(old.giving), list(old.taking))
            )
        return services[grant.service]

    def _forget(self, grant: Grant) -> None:
        """Drop an empty bucket, and its recipient with the last of them."""
        recipient = grant.institutions or grant.institution
        services = self._own[recipient]
        del services[grant.service]
        self._own_buckets.discard((recipient, grant.service))
        if not services:
            del self._own[recipient]
            del self._buckets[recipient]
            for member in grant.institutions:
                left = tuple(g for g in self._groups[member] if g != recipient)
                if left:
                    self._groups[member] = left
                else:
                    del self._groups[member]


class GrantTableBuilder:
    """Builds a table from a snapshot that arrives in pieces. Use once."""

    def __init__(self) -> None:
        self._draft = _Draft({}, {}, [{} for _ in range(_SHARDS)], 0)

    def add(self, rows: Iterable[Grant]) -> None:
        """Take in some rows; ValueError if an id comes twice with different rows."""
        for grant in rows:
            old = self._draft.find(grant.id)
            if old is None:
                self._draft.put(grant)
            elif old != grant:
                raise ValueError("grants: the same id with different rows")

    def finish(self, version: int, digest: bytes) -> GrantTable:
        """The table; the builder must not be used any more."""
        return self._draft.table(version, digest)


class Interner:
    """Gives equal sets of strings as one object: a large table then takes half the memory."""

    def __init__(self) -> None:
        self._sets: dict[tuple[str, ...], frozenset[str]] = {}
        self._strings: dict[str, str] = {}
        self._ways: dict[tuple[str, ...], frozenset[Way]] = {}

    def string(self, value: str) -> str:
        """The one object for this string."""
        return self._strings.setdefault(value, value)

    def set(self, values: Iterable[str]) -> frozenset[str]:
        """The one object for the set of these strings."""
        key = tuple(values)
        known = self._sets.get(key)
        if known is None:
            known = self._sets[key] = frozenset(map(self.string, key))
        return known

    def ways(self, values: Iterable[str]) -> frozenset[Way]:
        """The one object for the set of these ways; ValueError if one is unknown."""
        key = tuple(values)
        known = self._ways.get(key)
        if known is None:
            known = self._ways[key] = frozenset(map(Way, key))
        return known
