"""The rules of the house that no linter knows: lengths, and purity of the pure modules."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 400
MOST_FUNCTION_LINES = 40
PURE_PACKAGES = ("policy", "keys", "proof")
SHELLS = frozenset({"servicer", "store", "peers", "wire", "wiring"})
"""Rooms of a service that touch the world; one of several is named after its aggregate too."""
OUTWARD = frozenset(
    {
        *("registry/schema", "routing/schema"),  # messages by their descriptors
        *("routing/log", "routing/sources", "routing/replicas"),  # streams of other services
        *("logging/writer", "logging/snapshot", "logging/published"),  # tables, the copy's file
        *("publisher/log", "publisher/spool", "witness/key"),
    }
)
"""Others that do, one by one; whatever is not named here is pure."""
IMPURE_CALLS = frozenset({"now", "utcnow", "today", "uuid1", "uuid4"})
IMPURE_MODULES = frozenset(
    {
        "grpc",
        "crossroads",
        "google",
        "psycopg",
        "psycopg_pool",
        "hvac",
        "os",
        "random",
        "secrets",
        "time",
    }
)
SERVICES = (
    *("identity", "registry", "authorization", "routing", "logging", "contact", "witness"),
    *("publication", "publisher"),
)


def is_pure(path: Path) -> bool:
    """Whether `path` is in a pure package, or neither a shell of a service nor named as outward."""
    package, *rest = path.relative_to(ROOT / "services").parts
    if package not in SERVICES or len(rest) > 1:
        return package in PURE_PACKAGES
    shell = path.stem == "__main__" or path.stem.rpartition("_")[2] in SHELLS
    return not shell and f"{package}/{path.stem}" not in OUTWARD


def length_faults(path: Path, tree: ast.Module, lines: int) -> Iterator[str]:
    """Files over 400 lines, functions over 40 (their docstring not counted)."""
    if lines > MOST_LINES:
        yield f"{path.relative_to(ROOT)}: {lines} lines; split it by what it is about"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            end, start = node.end_lineno or node.lineno, node.lineno
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                start += (first.end_lineno or first.lineno) - first.lineno + 1
            if end - start + 1 > MOST_FUNCTION_LINES:
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield f"{where}: {node.name} has {end - start + 1} lines"


def purity_faults(path: Path, tree: ast.Module) -> Iterator[str]:
    """Imports and calls by which a pure module would touch the world."""
    for node in ast.walk(tree):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in IMPURE_MODULES:
                yield f"{where}: imports {name}; a pure module gets it as an argument"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in IMPURE_CALLS
        ):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in {"datetime", "date", "uuid"}:
                call = f"{owner.id}.{node.func.attr}"
                yield f"{where}: calls {call}; the clock and ids are constructor arguments"


def main() -> int:
    """Print every fault; exit 1 when there is one."""
    faults: list[str] = []
    for folder in ("services", "tests", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text()
            tree = ast.parse(text)
            faults += length_faults(path, tree, text.count("\n"))
            if folder == "services" and is_pure(path):
                faults += purity_faults(path, tree)
    print("\n".join(faults) or "the house is in order")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
