"""What a process of the version before could not live with, found in the text of a migration.

While a version is rolled out, processes of the one before go on with tables that were migrated
already. So a migration may add what they need not know: tables, and columns that may be empty or
have a default. All else is a fault, also what this reader does not know. What has to go takes two
releases: the first no longer uses it; the second removes it, and says so before the statement:

    -- Unused since 0.2.0: the notes are in a table of their own.

A process of 0.2.0 must be the oldest that is met: so this may come with 0.3.0 and not before.

Not seen here: values that older code can't read, references that keep it from deleting a row, and
how long it takes to fill in a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

UNUSED = re.compile(r"--\s*Unused since (\d+)\.(\d+)\.(\d+): \S")
TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<text>'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"""
    r"""|(?P<word>"[^"]+"|\w+)|(?P<space>\s+)|(?P<other>.)""",
    re.DOTALL,
)
OF_A_TABLE = frozenset({"constraint", "check", "unique", "primary", "foreign", "exclude", "like"})
NAMED_LATER = frozenset({"if", "not", "exists", "only", "concurrently"})

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Statement:
    """Lower-case words and signs (a literal is `''`), and since which version it is unused."""

    tokens: tuple[str, ...]
    unused_since: Version | None


@dataclass
class Tables:
    """Names to the names of their columns, as made so far; which of them this migration makes."""

    columns: dict[str, set[str]] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)


def faults(migrations: Iterable[tuple[str, str]], release: Version) -> list[str]:
    """Of one service's migrations (name, text) in order; `release` is the one that is made."""
    tables, found = Tables(), []
    for name, text in migrations:
        tables.new = set()
        for statement in statements(text):
            since = statement.unused_since
            for fault in _judged(statement.tokens, tables):
                if since is None:
                    found.append(f"{name}: {fault}")
                elif since >= release:
                    wrote = ".".join(map(str, since))
                    found.append(f"{name}: {fault}; unused since {wrote}, so in a later release")
    return found


def statements(text: str) -> Iterator[Statement]:
    """Of a migration's text, one after the other."""
    tokens: list[str] = []
    since: Version | None = None
    for match in TOKEN.finditer(text):
        kind, value = match.lastgroup, match[0]
        if (said := UNUSED.match(value)) and kind == "comment":
            since = (int(said[1]), int(said[2]), int(said[3]))
        elif value == ";":
            if tokens:
                yield Statement(tuple(tokens), since)
            tokens, since = [], None
        elif match["text"]:
            tokens.append("''")
        elif match["word"] or match["other"]:
            tokens.append(value.lower())
    if tokens:
        yield Statement(tuple(tokens), since)


def _judged(tokens: tuple[str, ...], tables: Tables) -> Iterator[str]:
    """Faults of one statement; what it makes is added to `tables`."""
    match tokens[:2]:
        case ("set", "local") | ("comment", "on"):
            return
        case ("create", "table"):
            table, rest = _named(tokens[2:])
            columns = {item[0] for item in _items(rest[1:-1]) if item[0] not in OF_A_TABLE}
            tables.columns[table] = columns
            tables.new.add(table)
        case ("create", "index" | "unique"):
            if (table := tokens[tokens.index("on") + 1]) not in tables.new:
                yield f"builds an index on {table}, which takes no writes meanwhile"
        case ("insert", "into"):
            if tokens[2] not in tables.new:
                yield f"writes into {tokens[2]}"
        case ("alter", "table"):
            table, rest = _named(tokens[2:])
            of_table = tables.columns.setdefault(table, set())
            told = [_altered(action, of_table) for action in _items(rest)]
            if table not in tables.new:
                yield from (f"{table}: {fault}" for fault in told if fault)
        case _:
            yield f"{' '.join(tokens[:6])} ...: not known to be an addition"


def _altered(action: tuple[str, ...], columns: set[str]) -> str | None:
    """What is wrong with one action on a table with these columns; a new one joins them."""
    verb, rest = action[0], action[1:]
    if verb != "add" or (rest and rest[0] in OF_A_TABLE):
        return f"{' '.join(action[:6])}: not an addition of a column"
    name, rest = _named(rest[1:] if rest[0] == "column" else rest)
    others = set(columns)
    columns.add(name)
    adjacent = set(pairwise(rest))
    filled = "default" in rest or "generated" in rest
    if ("not", "null") in adjacent and not filled:
        return f"{name} must not be null, and has no default"
    if ("primary", "key") in adjacent or ("unique" in rest and filled):
        return f"{name} has one default for all rows, and must differ"
    if "check" in rest and (bound := others & set(rest[rest.index("check") :])):
        return f"the check of {name} binds {', '.join(sorted(bound))} as well"
    return None


def _named(tokens: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The name that these begin with, and what follows."""
    start = next(place for place, each in enumerate(tokens) if each not in NAMED_LATER)
    return tokens[start], tokens[start + 1 :]


def _items(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What stands between commas, those within parentheses apart."""
    depth = 0
    item: list[str] = []
    for token in tokens:
        depth += (token == "(") - (token == ")")  # noqa: S105 - a sign
        if token == "," and depth == 0:  # noqa: S105
            yield tuple(item)
            item = []
        else:
            item.append(token)
    if item:
        yield tuple(item)
