"""Mutants: a module with one small fault, to see whether the tests notice.

Contract: `mutants(path)` lists every fault that can be put into a module, named so that the name
stays while its function does: module, function, what stands there and what takes its place, and a
number where that occurs again. A `Judge` says whether tests notice one.

The faults: a comparison turned or moved by one, `and` for `or`, `not` left out, a condition turned,
plus for minus, union for intersection, min for max, a number one higher, True for False, a
statement left out, None returned.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest

SECONDS = 300
"""How long the tests of one mutant may take."""

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_TURNED = {"min": "max", "max": "min"}
_NOTICED = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED, -signal.SIGALRM)
"""A test failed, a module could not be imported, or the time was over."""
_SAYS_ITSELF = (ast.Compare, ast.BoolOp, ast.UnaryOp)
"""Conditions that have a fault of their own when turned."""


class Mutant(NamedTuple):
    """A fault: its name, and the module that it makes."""

    name: str
    tree: ast.Module


def mutants(path: Path) -> list[Mutant]:
    """Every fault of the module, in order of place."""
    tree = ast.parse(path.read_text())
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    places = [(where, node) for where, node in _walk(tree, path.stem)]
    for number, (where, node) in enumerate(places):
        for change in range(len(list(_faults(node)))):
            whole = deepcopy(tree)
            copy = [n for _, n in _walk(whole, path.stem)][number]
            before = _text(copy)
            list(_faults(copy))[change]()
            name = f"{where}: {before} -> {_text(copy)}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f" (no. {seen[name]})"
            found.append(Mutant(name, ast.fix_missing_locations(whole)))
    return found


def _walk(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node that runs, with the name of its function; no annotation, no docstring."""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_text(child):
                continue
            place = where
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                place = f"{where}.{child.name}"
            yield place, child
            yield from _walk(child, place)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _faults(node: ast.AST) -> Iterator[Callable[[], None]]:
    """What can be done to this node."""
    yield from _in_expression(node)
    yield from _in_statement(node)


def _in_expression(node: ast.AST) -> Iterator[Callable[[], None]]:
    match node:
        case ast.Compare(ops=ops):
            for index, each in enumerate(ops):
                yield partial(ops.__setitem__, index, _COMPARISONS[type(each)]())
        case ast.BoolOp(op=ast.And()):
            yield lambda: setattr(node, "op", ast.Or())
        case ast.BoolOp(op=ast.Or()):
            yield lambda: setattr(node, "op", ast.And())
        case ast.BinOp(op=operator) if type(operator) in _OPERATORS:
            yield lambda: setattr(node, "op", _OPERATORS[type(operator)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield lambda: setattr(node, "operand", ast.UnaryOp(ast.Not(), operand))
        case ast.Constant(value=bool(value)):
            yield lambda: setattr(node, "value", not value)
        case ast.Constant(value=int(value)):
            yield lambda: setattr(node, "value", value + 1)
        case ast.Call(func=ast.Name(id=name)) if name in _TURNED:
            yield lambda: setattr(node, "func", ast.Name(_TURNED[name], ast.Load()))


def _in_statement(node: ast.AST) -> Iterator[Callable[[], None]]:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            if not isinstance(test, _SAYS_ITSELF):
                yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield lambda: setattr(node, "value", ast.Constant(None))
        case ast.AugAssign(op=operator) if type(operator) in _OPERATORS:
            yield lambda: setattr(node, "op", _OPERATORS[type(operator)]())
        case ast.Raise() | ast.Delete() | ast.Expr():
            yield lambda: _leave_out(node)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _leave_out(node: Any) -> None:
    """Make a statement one that does nothing."""
    place = {name: getattr(node, name) for name in ("lineno", "col_offset")}
    node.__class__ = ast.Expr
    node.__dict__ = {"value": ast.Constant(None), **place}


def _text(node: ast.AST) -> str:
    """The first line of the node's source."""
    return ast.unparse(node).split("\n")[0][:70]


class _Loader(SourceFileLoader):
    """Loads the module with its fault."""

    def __init__(self, fullname: str, path: str, fault: str) -> None:
        super().__init__(fullname, path)
        self._fault = fault

    def get_code(self, fullname: str) -> CodeType:
        """Always from the source: what is compiled already has no fault."""
        path = Path(self.get_filename(fullname))
        tree = next(each.tree for each in mutants(path) if each.name == self._fault)
        return compile(tree, path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the module that the mutant is of, and leaves every other to the next finder."""

    def __init__(self, module: str, fault: str) -> None:
        self._module = module
        self._fault = fault

    def find_spec(
        self, fullname: str, path: Any, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, self._fault)
        return spec


class _Quick:
    """Chooses single cases and tables drawn with plain dice: what Hypothesis finds beyond comes too
    slowly to be asked of every mutant."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [i for i in items if not hasattr(getattr(i, "obj", None), "hypothesis")]


class Judge:
    """Runs tests on mutants, each in a fork of one process that has imported what they need.

    Starting Python and pytest for each would take ten times as long as the tests.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.mutants"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def notices(self, module: str, fault: str, files: Sequence[Path]) -> bool:
        """Whether a test in these files fails on the mutant; `module` has its whole name.

        A fault that keeps the module from being imported, or a test from ending, is noticed too.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([module, fault, *map(str, files)]) + "\n")
        self._process.stdin.flush()
        ended = int(self._process.stdout.readline())
        if ended not in (pytest.ExitCode.OK, *_NOTICED):
            raise AssertionError(f"pytest itself failed on {fault}: {ended}")
        return ended != pytest.ExitCode.OK

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=SECONDS)


def _serve() -> None:
    """Answer each line of standard input with how the tests of that mutant ended."""
    answers = os.fdopen(os.dup(1), "w")
    for preloaded in ("hypothesis", "orjson", "rfc8785", "_hypothesis_pytestplugin"):
        importlib.import_module(preloaded)
    for line in sys.stdin:
        module, fault, *files = json.loads(line)
        child = os.fork()
        if not child:
            signal.alarm(SECONDS)
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            sys.meta_path.insert(0, _Finder(module, fault))
            options = ["-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-p", "no:xdist"]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # imported already
            os._exit(pytest.main([*options, *files], plugins=[_Quick()]))
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
