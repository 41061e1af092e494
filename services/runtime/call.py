"""The call that is being served: who makes it, until when, and in which trace.

Contract: the server sets one `Call` for each call, in a context variable; whatever the handler
awaits or starts sees it. Outside a call (start-up, background tasks) there is none.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.runtime.peer import Peer


class Call:
    """One call: its peer, and its deadline on the monotonic clock in seconds (None: open-ended)."""

    __slots__ = ("deadline", "peer")

    def __init__(self, peer: "Peer", deadline: float | None) -> None:
        self.peer = peer
        self.deadline = deadline


CURRENT: ContextVar[Call | None] = ContextVar("crossroads_call", default=None)
