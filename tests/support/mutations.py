"""Every way in which one thing in a small log's tables can be another: bits, rows, swaps.

Contract: `mutations(tables)` gives (what was done, the tables afterwards), one change each. Widths
are those of the columns. Left out is what no reader of the tables could come across: times beyond
the year 9999, which PostgreSQL's driver refuses, and octets that are no text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from services.logging.model import EntryId, Marks, RetentionClass, microseconds
from tests.support.log_tables import MemoryTables

LATEST = microseconds(datetime(9999, 12, 31, tzinfo=UTC))
EARLIEST = microseconds(datetime(1, 1, 2, tzinfo=UTC))
BITS = {"data_key_id": 32, "id": 32, "kind": 16, "attempt": 32}
TIMES = frozenset({"recorded_at", "deadline"})
TABLES = ("heads", "published", "keys", "receipts", "entry", "recent_entry", "subject_entry")
UNREAD = frozenset({"log_id"})  # what the rows were found by
Mutation = tuple[str, MemoryTables]


def flips(name: str, value: Any) -> Iterator[Any]:
    """Each value that differs from `value` in one bit of its column."""
    if isinstance(value, EntryId):
        for part, old in zip(EntryId._fields, value, strict=True):
            yield from (value._replace(**{part: new}) for new in flips(part, old))
    elif isinstance(value, bytes):
        yield from _octets(value)
    elif isinstance(value, str):
        yield from _texts(value)
    elif isinstance(value, int):
        yield from _numbers(value, BITS.get(name, 64), is_time=name in TIMES)


def _octets(value: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(value)):
        spoilt = bytearray(value)
        spoilt[bit // 8] ^= 1 << bit % 8
        yield bytes(spoilt)


def _texts(value: str) -> Iterator[str]:
    for at, letter in enumerate(value):
        for octet in _octets(letter.encode()):
            if octet != b"\0" and _is_text(octet):
                yield _of(value, value[:at] + octet.decode() + value[at + 1 :])


def _numbers(value: int, width: int, *, is_time: bool) -> Iterator[int]:
    for bit in range(width):
        new = (value % (1 << width)) ^ (1 << bit)
        new -= (new >> (width - 1)) << width  # two's complement
        if not is_time or EARLIEST < new < LATEST:
            yield new


def mutations(tables: MemoryTables) -> Iterator[Mutation]:
    """One change each."""
    for table in TABLES:
        rows: Sequence[Any] = getattr(tables, table)
        for place, row in enumerate(rows):
            others = [*rows[:place], *rows[place + 1 :]]
            yield f"{table}[{place}] deleted", _with(tables, table, others)
            yield from _changed(tables, table, rows, place, row)
            for other in range(place):
                yield from _swapped(tables, table, rows, place, other)
    yield from tile_mutations(tables)
    for field in Marks._fields:
        for new in flips(field, getattr(tables.sweep, field)):
            marks = tables.sweep._replace(**{field: new})
            yield f"sweep.{field} = {new}", replace(tables.copy(), sweep=marks)


def tile_mutations(tables: MemoryTables) -> Iterator[Mutation]:
    """The same of tiles alone."""
    for at, tile in tables.kept_tiles.items():
        yield f"tile {at} deleted", _with_tiles(tables, {at: None})
        for number, spoilt in enumerate(_octets(tile)):
            yield f"tile {at} bit {number}", _with_tiles(tables, {at: spoilt})


def _changed(
    tables: MemoryTables, table: str, rows: Sequence[Any], place: int, row: Any
) -> Iterator[Mutation]:
    for name in _columns(row):
        for number, new in enumerate(flips(name, getattr(row, name))):
            changed = [*rows]
            changed[place] = _replaced(row, name, new)
            yield f"{table}[{place}].{name} flip {number}", _with(tables, table, changed)
    if getattr(row, "deadline", None) is not None:
        changed = [*rows]
        changed[place] = replace(row, deadline=None)
        yield f"{table}[{place}].deadline = NULL", _with(tables, table, changed)


def _swapped(
    tables: MemoryTables, table: str, rows: Sequence[Any], one: int, other: int
) -> Iterator[Mutation]:
    """A column, or all that belongs to an index, in each other's row."""
    columns = [name for name in _columns(rows[one]) if name not in ("index", "id", "size")]
    for names in [*([name] for name in columns), columns]:
        first = {name: getattr(rows[one], name) for name in names}
        second = {name: getattr(rows[other], name) for name in names}
        if first != second:
            changed = [*rows]
            changed[one] = _replaced_all(rows[one], second)
            changed[other] = _replaced_all(rows[other], first)
            yield f"{table}[{one}] and [{other}] swap {names}", _with(tables, table, changed)


def _columns(row: Any) -> list[str]:
    names = row._fields if hasattr(row, "_fields") else [each.name for each in fields(row)]
    return [name for name in names if name not in UNREAD]


def _replaced(row: Any, name: str, new: Any) -> Any:
    return _replaced_all(row, {name: new})


def _replaced_all(row: Any, values: dict[str, Any]) -> Any:
    return row._replace(**values) if hasattr(row, "_fields") else replace(row, **values)


def _with(tables: MemoryTables, table: str, rows: list[Any]) -> MemoryTables:
    changed = tables.copy()
    setattr(changed, table, rows)
    return changed


def _with_tiles(tables: MemoryTables, tiles: dict[tuple[int, int], bytes | None]) -> MemoryTables:
    changed = tables.copy()
    for at, hashes in tiles.items():
        del changed.kept_tiles[at]
        if hashes is not None:
            changed.kept_tiles[at] = hashes
    return changed


def _is_text(octet: bytes) -> bool:
    try:
        octet.decode()
    except UnicodeDecodeError:
        return False
    return True


def _of(old: str, new: str) -> str:
    if isinstance(old, RetentionClass) and new in [*RetentionClass]:
        return RetentionClass(new)
    return new
