"""Log lines are JSON, bear the trace id, and hold no value that an exception quoted."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from services.runtime.logs import JsonFormatter
from services.runtime.telemetry import TRACE, Telemetry

PERSON = "85073003328"


@pytest.fixture
def written() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger, and where its lines go."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(service="routing"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    yield logger, stream
    handler.close()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize(
    "text",
    [
        f"Key (niss)=({PERSON}) already exists",
        f"invalid input: '{PERSON}'",
        f'field "{PERSON}" is wrong',
        f"no row for {PERSON}",
        f"refused\nDETAIL: {PERSON}",
    ],
)
def test_value_that_an_exception_quotes_is_masked(
    written: tuple[logging.Logger, io.StringIO], text: str
) -> None:
    logger, stream = written
    try:
        fail(text)
    except ValueError:
        logger.exception("failed")
    (line,) = lines(stream)
    assert PERSON not in stream.getvalue()
    assert line["error"].startswith("ValueError: ")
    assert line["at"][-1].endswith(" fail")
    assert (line["service"], line["level"], line["message"]) == ("routing", "ERROR", "failed")


def test_causes_are_told_and_masked_as_well(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = written
    try:
        try:
            fail(f"no row for {PERSON}")
        except ValueError as error:
            raise RuntimeError("the store failed") from error
    except RuntimeError:
        logger.exception("failed")
    (line,) = lines(stream)
    assert line["error"] == "RuntimeError: the store failed; because of ValueError: no row for …"


def test_line_bears_the_trace_of_the_call_and_what_was_added(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = written
    trace = Telemetry().begin()
    token = TRACE.set(trace)
    logger.warning("slow", extra={"seconds": 2.5})
    TRACE.reset(token)
    logger.warning("alone")
    first, second = lines(stream)
    assert (first["trace_id"], first["seconds"]) == (trace.trace_id, 2.5)
    assert "trace_id" not in second
