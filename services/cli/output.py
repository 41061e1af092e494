"""What every command prints, and how it ends.

Contract: people read rich text on standard output; with --json there is one JSON document there and
nothing else. What goes wrong is one sentence on standard error with what to do. Exit codes: 0 done,
1 the platform can't (error of set-up or fault), 2 the command line is wrong, 3 refused by the
platform, 4 what was verified does not hold.
"""

import json
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.markup import escape

from services.cli.platform.home import PlatformError
from services.runtime.errors import CrossroadsError, FieldViolation

FAULT, USAGE, REFUSED, NOT_VERIFIED = 1, 2, 3, 4

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)
T = TypeVar("T")


def emit(document: Any) -> None:
    """One JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def run(work: Coroutine[Any, Any, T], *, as_json: bool = False) -> T:
    """Run a command's work; its failures end the process with a sentence and a code."""
    try:
        return uvloop.run(work)
    except CrossroadsError as error:
        if as_json:
            emit({"refused": str(error.reason), "message": error.message, **_more(error)})
        fail(f"{error.reason}: {error.message}", REFUSED, error.fields)
    except (PlatformError, OSError, ValueError) as error:
        fail(str(error), FAULT)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def text_of(file: Path) -> str:
    """What a file holds; "-" is standard input. Raises PlatformError."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(f"{file}: can't be read: {error}") from None


@contextmanager
def guarded() -> Iterator[None]:
    """Work that asks no service; its failures end the process with a sentence and a code."""
    try:
        yield
    except (PlatformError, OSError, ValueError) as error:
        fail(str(error), FAULT)


def fail(message: str, code: int, fields: Sequence[FieldViolation] = ()) -> NoReturn:
    """End the command with a sentence on standard error, and each field that is wrong."""
    errors.print(f"[red]✗[/red] {escape(message)}", soft_wrap=True)
    for each in fields:
        wrong = each.field if each.description in message else f"{each.field}: {each.description}"
        errors.print(f"  field: {wrong}", markup=False, soft_wrap=True)
    raise typer.Exit(code)


def _more(error: CrossroadsError) -> dict[str, Any]:
    return {
        "retryable": error.retryable,
        "fields": {each.field: each.description for each in error.fields},
        "metadata": dict(error.metadata),
        "trace_id": error.trace_id,
    }
