"""Answers that were given lately: a repeat within minutes gets the very same. No I/O.

Contract: an answer stays for at most `seconds`, all of them together take at most `octets`; the
least recently used goes first. Payloads stay nowhere else once they are delivered.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from services.routing.model import Admission, Reply
from services.runtime.clock import Clock

KEPT_SECONDS = 300.0
KEPT_OCTETS = 64 * 1024 * 1024


class Kept(NamedTuple):
    """An answer, the question that it answers (its MAC), and what let it pass."""

    question_mac: bytes
    admission: Admission
    reply: Reply


class Answers:
    """Answers by exchange id."""

    def __init__(
        self, *, clock: Clock, seconds: float = KEPT_SECONDS, octets: int = KEPT_OCTETS
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._octets = octets
        self._held = 0
        self._kept: OrderedDict[bytes, tuple[float, Kept]] = OrderedDict()

    @property
    def octets(self) -> int:
        """What all answers take, about."""
        return self._held

    def get(self, exchange_id: bytes) -> Kept | None:
        """The answer of that exchange, while it is kept."""
        found = self._kept.get(exchange_id)
        if found is None:
            return None
        if found[0] <= self._clock.monotonic():
            self._drop(exchange_id)
            return None
        self._kept.move_to_end(exchange_id)
        return found[1]

    def put(self, kept: Kept) -> None:
        """Keep an answer, in place of an earlier one of the same exchange."""
        exchange_id, size = kept.reply.exchange_id, kept.reply.size
        self._drop(exchange_id)
        if size > self._octets:
            return
        now = self._clock.monotonic()
        self._kept[exchange_id] = (now + self._seconds, kept)
        self._held += size
        while self._held > self._octets:
            self._drop(next(iter(self._kept)))

    def replies(self) -> Sequence[Reply]:
        """The answers that are kept now."""
        self.expire()
        return [kept.reply for _, kept in self._kept.values()]

    def expire(self) -> None:
        """Forget what has been kept long enough: a repeat that never comes frees nothing."""
        now = self._clock.monotonic()
        for exchange_id in [key for key, (until, _) in self._kept.items() if until <= now]:
            self._drop(exchange_id)

    def _drop(self, exchange_id: bytes) -> None:
        found = self._kept.pop(exchange_id, None)
        if found is not None:
            self._held -= found[1].reply.size
