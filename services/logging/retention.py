"""How long evidence can be read: each class and month is erased when its period is over.

Contract: a month is erased by deleting the Transit key that wraps its data key. That takes from the
database, from every copy of it and from this process whatever said who asked what about whom; the
leaves stay, and with them every proof. What a legal hold covers was copied under the hold's key
before. An erasure is logged when it happens, with a digest of the holds and deferrals that there
are, and reported as final, in the log, once the last snapshot of Vault that could hold the key is
gone.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

from services.logging.evidence_model import (
    Deferral,
    Erasure,
    Hold,
    MonthSpan,
    beside,
    month_after,
)
from services.logging.journal import Journal
from services.logging.model import RetentionClass
from services.logging.sealing import KeyRing, transit_key_of
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError

PERIOD_SECONDS = 3600.0
ACT_MONTHS = 25
"""What a deferral of two years hides stands in its act: with it erased, all would show at once."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retention:
    """The table of classes: months for which evidence stays readable, after its own month.

    `snapshot_days`: how long a snapshot of Vault is kept at most.
    """

    exchange_months: int = 120
    administrative_months: int = 360
    snapshot_days: int = 30

    def __post_init__(self) -> None:
        """Refuse what would erase a month that is still written to."""
        if self.exchange_months < 1 or self.administrative_months < self.exchange_months:
            raise ValueError("retention: at least a month, and acts as long as exchanges")
        if self.administrative_months < ACT_MONTHS:
            raise ValueError(
                f"retention: administrative_months at least {ACT_MONTHS}, as long as deferrals"
            )
        if not 0 <= self.snapshot_days <= 30:
            raise ValueError("snapshot_days: 0 to 30; an erasure may take no longer to be final")

    def months(self, retention: RetentionClass) -> int:
        """The period of a class."""
        if retention is RetentionClass.EXCHANGE:
            return self.exchange_months
        return self.administrative_months

    def ends(self, span: MonthSpan) -> date:
        """The first day on which that month is to be erased."""
        return month_after(span.month, 1 + self.months(span.retention_class))


class RetentionTables(Protocol):
    """What is kept about keys and their erasure."""

    async def months(self) -> list[MonthSpan]: ...
    async def erasures(self) -> list[Erasure]: ...
    async def holds(self) -> list[Hold]: ...
    async def deferrals(self) -> list[Deferral]: ...
    async def keep_erasure(
        self, data_key_id: int, erased_at: datetime, final_at: datetime, index: int
    ) -> None: ...
    async def finish_erasure(self, data_key_id: int, index: int) -> None: ...


class KeyCustody(Protocol):
    """What erasing needs of Vault."""

    async def key_exists(self, key: str) -> bool: ...
    async def delete_key(self, key: str) -> None: ...


class Holder(Protocol):
    """Legal holds."""

    async def finish(self) -> None:
        """Delete the keys of holds that were released."""
        ...

    async def rescue(self, span: MonthSpan) -> None:
        """Copy what holds cover of that month under their own keys."""
        ...


class Shredder:
    """Erases what is due. Run `run()` as a supervised task."""

    def __init__(
        self,
        *,
        store: RetentionTables,
        keys: KeyRing,
        custody: KeyCustody,
        holds: Holder,
        journal: Journal,
        retention: Retention,
        clock: Clock,
    ) -> None:
        self._store = store
        self._keys = keys
        self._custody = custody
        self._holds = holds
        self._journal = journal
        self._retention = retention
        self._clock = clock

    async def run(self) -> None:
        """Look every hour, for ever."""
        while True:
            try:
                await self.sweep()
            except CrossroadsError as error:
                _logger.warning("erasure put off: %s", error.message)
            await asyncio.sleep(PERIOD_SECONDS)

    async def sweep(self) -> Sequence[MonthSpan]:
        """Erase what is due, report what is final; the months that were erased now."""
        await self._holds.finish()
        now = self._clock.now()
        due = [
            span for span in await self._store.months() if self._retention.ends(span) <= now.date()
        ]
        for span in due:
            await self.erase(span)
        for erasure in await self._store.erasures():
            await self._stay_erased(erasure)
            if erasure.final_index is None and erasure.final_at <= now:
                await self._report(erasure)
        return due

    async def erase(self, span: MonthSpan) -> None:
        """Erase a class and month, whatever its period. Raises what Vault and the log raise."""
        name = transit_key(span)
        # Else a crash came after it was deleted, and what is held was copied before.
        there = await self._custody.key_exists(name)
        if there:
            await self._holds.rescue(span)
        now = self._clock.now()
        final = now + timedelta(days=self._retention.snapshot_days)
        index = await self._journal.act(
            act_id("erase", span.data_key_id),
            "logging.erase",
            by=["logging"],
            audit=_about(span.retention_class, span.month)
            | {"beside": await self._beside(), "final_at": final.isoformat()},
        )
        if there:
            await self._custody.delete_key(name)
        self._keys.forget(span.data_key_id)
        await self._store.keep_erasure(span.data_key_id, now, final, index)
        _logger.info("erased the evidence of %s in %s", span.retention_class, f"{span.month:%Y-%m}")

    async def _stay_erased(self, erasure: Erasure) -> None:
        """Delete the key again where a snapshot of Vault brought it back."""
        name = transit_key_of(erasure.retention_class, erasure.month.isoformat())
        if await self._custody.key_exists(name):
            await self._custody.delete_key(name)
            _logger.warning("%s was there again, and is deleted: was a snapshot put back?", name)

    async def _beside(self) -> dict[str, Any]:
        holds, deferrals = await self._store.holds(), await self._store.deferrals()
        return beside(
            [(each.index, each.hold_id) for each in holds]
            + [(each.index, each.deferral_id) for each in deferrals]
        )

    async def _report(self, erasure: Erasure) -> None:
        index = await self._journal.act(
            act_id("erased", erasure.data_key_id),
            "logging.erased",
            by=["logging"],
            audit=_about(erasure.retention_class, erasure.month) | {"erase_index": erasure.index},
        )
        await self._store.finish_erasure(erasure.data_key_id, index)


def transit_key(span: MonthSpan) -> str:
    """The Transit key that wraps the data key of a class and month."""
    return transit_key_of(span.retention_class, span.month.isoformat())


def act_id(*parts: object) -> bytes:
    """The 16 octets that an act of this service is found by."""
    return sha256("/".join(("logging", *map(str, parts))).encode()).digest()[:16]


def _about(retention: RetentionClass, month: date) -> dict[str, str]:
    return {"class": retention.value, "month": f"{month:%Y-%m}"}
