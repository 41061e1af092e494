"""How long the current call may still take, and what of that may be passed on."""

import time

from services.runtime.call import CURRENT
from services.runtime.errors import CrossroadsError, Reason

MARGIN_SECONDS = 0.05
MARGIN_SHARE = 0.1
"""A call passed on gets what remains, less the smaller of both margins: time to answer in."""


def remaining() -> float | None:
    """Seconds until the current call's deadline (negative when past); None when it has none."""
    call = CURRENT.get()
    if call is None or call.deadline is None:
        return None
    return call.deadline - time.monotonic()


def onward(limit: float | None = None) -> float | None:
    """The timeout in seconds for a call made on behalf of the current one, at most `limit`.

    None when neither the current call nor `limit` bounds it. Raises DEADLINE_EXCEEDED when nothing
    is left to pass on.
    """
    left = remaining()
    if left is None:
        return limit
    left -= min(MARGIN_SECONDS, left * MARGIN_SHARE)
    if left <= 0:
        raise exceeded()
    return left if limit is None or left < limit else limit


def exceeded() -> CrossroadsError:
    """The error for a deadline that has passed."""
    return CrossroadsError(
        Reason.DEADLINE_EXCEEDED, "the deadline has passed; retry with a longer one"
    )
