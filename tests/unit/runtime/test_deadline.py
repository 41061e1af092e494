"""What of a deadline may be passed on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.runtime.call import CURRENT, Call
from services.runtime.deadline import MARGIN_SECONDS, MARGIN_SHARE, onward, remaining
from services.runtime.errors import CrossroadsError, Reason


@contextmanager
def served(seconds: float | None) -> Iterator[None]:
    """A call is being served that may take that long."""
    until = None if seconds is None else time.monotonic() + seconds
    token = CURRENT.set(Call(None, until))  # type: ignore[arg-type]
    yield
    CURRENT.reset(token)


def test_outside_a_call_only_the_limit_bounds() -> None:
    assert (remaining(), onward(), onward(3.0)) == (None, None, 3.0)
    with served(None):
        assert (remaining(), onward(), onward(3.0)) == (None, None, 3.0)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0, 60.0])
def test_what_is_passed_on_is_less_by_the_smaller_margin(seconds: float) -> None:
    with served(seconds):
        passed = onward()
    margin = min(MARGIN_SECONDS, seconds * MARGIN_SHARE)
    assert passed is not None
    assert passed <= seconds - margin
    assert passed == pytest.approx(seconds - margin, abs=1.0)


def test_smaller_limit_wins_and_a_larger_one_does_not() -> None:
    with served(2.0):
        assert onward(1.0) == 1.0
        passed = onward(10.0)
    assert passed is not None
    assert passed < 2.0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_nothing_is_passed_on_once_the_deadline_is_there(seconds: float) -> None:
    with served(seconds), pytest.raises(CrossroadsError, match="retry with a longer one") as raised:
        onward(5.0)
    assert raised.value.reason is Reason.DEADLINE_EXCEEDED
