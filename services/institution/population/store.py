"""The population in one SQLite file: written once, whole, then read by the demo sources.

A look-up of one person takes some tens of microseconds, and opening the file reads nothing: the
sources start at once. The file is written beside its place and then renamed, so that a reader never
sees half of one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from services.institution.population import records
from services.institution.population.records import DemoSubjects, Population

R = TypeVar("R")
FORMAT = 1
# Table, record, columns by which rows are looked up (the first ones make the clustered order).
TABLES: tuple[tuple[str, type[Any], tuple[str, ...]], ...] = (
    ("persons", records.Person, ("niss", "household")),
    ("replacements", records.Replacement, ("niss",)),
    ("enterprises", records.Enterprise, ("number",)),
    ("employments", records.Employment, ("niss",)),
    ("unemployments", records.Unemployment, ("niss",)),
    ("pensions", records.Pension, ("niss",)),
    ("memberships", records.Membership, ("niss",)),
    ("incapacities", records.Incapacity, ("niss",)),
    ("self_employments", records.SelfEmployment, ("niss",)),
    ("child_benefits", records.ChildBenefit, ("child", "recipient")),
    ("aids", records.Aid, ("niss",)),
    ("inquiries", records.Inquiry, ("niss",)),
    ("integrations", records.Integration, ("niss", "institution")),
)
TABLE_OF: dict[type[Any], str] = {record: table for table, record, _ in TABLES}
COLUMNS: dict[type[Any], str] = {
    record: ", ".join(f'"{field.name}"' for field in fields(record)) for _, record, _ in TABLES
}
BOOLEANS: dict[type[Any], frozenset[int]] = {
    record: frozenset(n for n, field in enumerate(fields(record)) if field.type == "bool")
    for _, record, _ in TABLES
}


def save(population: Population, path: Path) -> None:
    """Write the population to `path`, in place of what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    connection = sqlite3.connect(fresh)
    try:
        # The file is made anew if this fails, so it needs no journal of its own.
        connection.execute("PRAGMA journal_mode = OFF")
        for table, record, keys in TABLES:
            _write(connection, table, record, keys, getattr(population, table))
        _write_meta(connection, population)
        connection.commit()
    finally:
        connection.close()
    fresh.replace(path)


def _write(
    connection: sqlite3.Connection,
    table: str,
    record: type[Any],
    keys: tuple[str, ...],
    rows: Iterable[Any],
) -> None:
    columns = [field.name for field in fields(record)]
    listed = ", ".join(f'"{name}"' for name in columns)
    connection.execute(f"CREATE TABLE {table} ({listed})")
    marks = ", ".join("?" * len(columns))
    connection.executemany(
        f"INSERT INTO {table} ({listed}) VALUES ({marks})",  # noqa: S608 - names are from this file
        ([getattr(row, name) for name in columns] for row in rows),
    )
    for key in keys:
        connection.execute(f'CREATE INDEX {table}_{key} ON {table} ("{key}")')


def _write_meta(connection: sqlite3.Connection, population: Population) -> None:
    connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT)")
    meta = {
        "format": str(FORMAT),
        "seed": str(population.seed),
        "as_of": population.as_of,
        "subjects": json.dumps(asdict(population.subjects)),
        "summary": json.dumps(population.summary()),
    }
    connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", meta.items())


class Store:
    """Read access to a saved population. One connection: for one thread at a time."""

    def __init__(self, *, path: Path) -> None:
        """Open the file. FileNotFoundError if it is missing, ValueError for another format."""
        if not path.exists():
            raise FileNotFoundError(
                f"no population in {path.name}: make one with `crossroads population`"
            )
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        self._meta: dict[str, str] = dict(self._connection.execute("SELECT name, value FROM meta"))
        if self._meta["format"] != str(FORMAT):
            self._connection.close()
            raise ValueError(f"{path.name} was made by another version: make the population anew")

    @property
    def seed(self) -> int:
        """From which the population was made."""
        return int(self._meta["seed"])

    @property
    def as_of(self) -> str:
        """The day of which the population tells, YYYY-MM-DD."""
        return self._meta["as_of"]

    def summary(self) -> dict[str, int]:
        """How many rows of each kind there are."""
        counts: dict[str, int] = json.loads(self._meta["summary"])
        return counts

    def subjects(self) -> DemoSubjects:
        """The persons by whom the demo shows what happens."""
        return DemoSubjects(**json.loads(self._meta["subjects"]))

    def rows(self, record: type[R], *, by: str, key: str | int) -> list[R]:
        """The rows of one kind whose column `by` is `key`, in the order in which they were made."""
        if f'"{by}"' not in COLUMNS[record].split(", "):
            raise ValueError(f"{record.__name__} has no column {by}")
        return list(self._select(record, f'WHERE "{by}" = ? ORDER BY rowid', (key,)))

    def all(self, record: type[R]) -> Iterator[R]:
        """Every row of one kind, one after the other."""
        yield from self._select(record, "ORDER BY rowid", ())

    def person(self, niss: str) -> records.Person | None:
        """The person who bears this number now, if anybody does."""
        found = self.rows(records.Person, by="niss", key=niss)
        return found[0] if found else None

    def integrated_in(self, *places: tuple[str, str]) -> str | None:
        """Somebody with a running integration in each (institution, capacity), if anybody."""
        return next(iter(self.all_integrated_in(*places, most=1)), None)

    def all_integrated_in(self, *places: tuple[str, str], most: int = 1000) -> list[str]:
        """At most so many persons with a running integration in each (institution, capacity)."""
        one = "SELECT niss FROM integrations WHERE institution = ? AND capacity = ? AND until = ''"
        sql = " INTERSECT ".join([one] * len(places)) + " ORDER BY niss LIMIT ?"
        arguments = [value for place in places for value in place]
        return [str(niss) for (niss,) in self._connection.execute(sql, (*arguments, most))]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _select(self, record: type[R], clause: str, arguments: tuple[Any, ...]) -> Iterator[R]:
        sql = f"SELECT {COLUMNS[record]} FROM {TABLE_OF[record]} {clause}"  # noqa: S608 - names are ours
        booleans = BOOLEANS[record]
        for row in self._connection.execute(sql, arguments):
            # SQLite knows no booleans: it gives 0 and 1 back.
            yield record(*(bool(v) if n in booleans else v for n, v in enumerate(row)))
