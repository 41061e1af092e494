"""JSON logs on standard error, one object a line, with the trace id of the current call.

Contract: no personal identifier gets into a line. What our code logs holds none; an exception's
text may quote values (a database's DETAIL, a parser's input), so that quoted and bracketed parts
and long runs of digits are masked, and a traceback shows places, never values.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from services.runtime.telemetry import TRACE

_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\([^)]*\)|\d{5,}")
_TEXT_LIMIT = 500
_FRAMES = 12
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One record as a JSON object. What is passed as `extra` becomes fields of it."""

    def __init__(self, *, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        trace = TRACE.get()
        if trace is not None:
            line["trace_id"], line["span_id"] = trace.trace_id, trace.span_id
        line |= {key: each for key, each in vars(record).items() if key not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe(record.exc_info[1])
            line["at"] = places(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def install(*, service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Have everything that is logged written as JSON; `stream` is standard error by default."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service=service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # asyncio writes the text of exceptions that nobody retrieved; grpc's those of the servicer.
    logging.getLogger("asyncio").addFilter(_without_text)
    logging.getLogger("grpc").addFilter(_without_text)


def describe(error: BaseException) -> str:
    """An exception and its causes in one line, values masked."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < 5:
        text = _VALUES.sub("…", str(current).partition("\nDETAIL")[0])[:_TEXT_LIMIT]
        parts.append(f"{type(current).__name__}: {text}" if text else type(current).__name__)
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return "; because of ".join(parts).replace("\n", " ")


def places(error: BaseException) -> list[str]:
    """Where it was raised, innermost last: "file:line function"."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def _without_text(record: logging.LogRecord) -> bool:
    """Mask the message of a library that puts exceptions' texts into it."""
    if record.args or record.exc_info:
        record.msg, record.args = _VALUES.sub("…", record.getMessage())[:_TEXT_LIMIT], None
    return True
