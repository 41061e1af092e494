"""Indicators: each end of an exchange counted once, whole days only, no small count."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import orjson
import pytest

from services.logging.indicators import FEWEST, Counted, Indicator, Indicators
from services.logging.store import LogStore
from services.logging.term_index import STEP_ENTRIES
from services.proof.record import Kind, canonical_json
from services.publication.indicator_pages import FEWEST as FEWEST_SHOWN
from tests.support.evidence import PrivateLog, exchange
from tests.support.logs import ORIGIN, SUBJECT, Safe, StoppedClock
from tests.support.platform import OpenDatabase

FIRST, SECOND, THIRD = (date(2001, 3, day) for day in (10, 11, 12))
SERVICE = "employment_periods"


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[PrivateLog]:
    """A log on the evening of the first day."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    clock = StoppedClock(datetime(2001, 3, 10, 23, 50, tzinfo=UTC))
    log = PrivateLog(store, clock=clock, safe=Safe())
    async with log.running():
        yield log


async def given(log: PrivateLog, since: date = FIRST) -> list[Indicator]:
    """What may be shown, of all months."""
    indicators = Indicators(store=log.tables, clock=log.clock)
    found: list[Indicator] = []
    following: date | None = since
    while following is not None:
        part, following = await indicators.since(following)
        found += part
    return found


async def test_ends_of_exchanges_are_counted_by_day_and_outcome(log: PrivateLog) -> None:
    ends = [exchange(Kind.RELEASE) for _ in range(FEWEST + 2)]
    ends += [exchange(Kind.REFUSAL) for _ in range(FEWEST)]
    await log.sequencer.append([*ends, log.entry(kind=Kind.COUNT)])
    await log.later(hours=1)
    await log.sequencer.append([exchange(Kind.RELEASE) for _ in range(FEWEST)])
    await log.later(days=1)
    while await log.indexer.step():
        pass
    assert await given(log) == [
        Indicator(Counted(FIRST, SERVICE, "refused"), FEWEST),
        Indicator(Counted(FIRST, SERVICE, "released"), FEWEST + 2),
        Indicator(Counted(SECOND, SERVICE, "released"), FEWEST),
    ]
    assert (await given(log, SECOND))[0].counted.day == SECOND
    assert await given(log, THIRD) == []


async def test_a_small_count_is_not_given(log: PrivateLog) -> None:
    await log.sequencer.append([exchange() for _ in range(FEWEST - 1)])
    await log.later(days=1)
    await log.indexer.step()
    assert await given(log) == [Indicator(Counted(FIRST, SERVICE, "released"), 0)]


def test_both_sides_leave_out_the_same_small_counts() -> None:
    assert FEWEST == FEWEST_SHOWN


async def test_what_is_no_service_of_a_catalogue_is_not_counted(log: PrivateLog) -> None:
    for service in (SUBJECT, "Employment periods", ""):
        made = exchange()
        party = canonical_json(orjson.loads(made.party) | {"service": service})
        await log.sequencer.append([made._replace(party=party)])
    await log.later(days=1)
    await log.indexer.step()
    assert await given(log) == []


async def test_a_day_is_given_when_it_is_over_and_wholly_indexed(log: PrivateLog) -> None:
    await log.sequencer.append([exchange() for _ in range(STEP_ENTRIES + 1)])
    await log.indexer.step()
    await log.go_to(datetime(2001, 3, 11, 0, 4, tzinfo=UTC))
    assert await given(log) == []
    await log.go_to(datetime(2001, 3, 11, 0, 6, tzinfo=UTC))
    assert await given(log) == []  # one entry is not counted yet
    await log.indexer.step()
    assert [each.exchanges for each in await given(log)] == [STEP_ENTRIES + 1]


async def test_each_entry_is_counted_once_whoever_indexes_it(log: PrivateLog) -> None:
    await log.sequencer.append([exchange() for _ in range(3 * STEP_ENTRIES)])
    others = [log.restarted().indexer for _ in range(3)]
    for _ in range(4):
        await asyncio.gather(*(each.step() for each in (log.indexer, *others)))
    assert [each.size for each in others] == [3 * STEP_ENTRIES] * 3
    await log.later(days=1)
    assert [each.exchanges for each in await given(log)] == [3 * STEP_ENTRIES]


async def test_counts_stay_when_their_evidence_is_erased(log: PrivateLog) -> None:
    await log.sequencer.append([exchange() for _ in range(FEWEST)])
    await log.indexer.step()
    await log.later(days=365 * 11)
    await log.shredder.sweep()
    assert [each.exchanges for each in await given(log)] == [FEWEST]


async def test_more_than_a_month_is_given_in_parts(log: PrivateLog) -> None:
    await log.sequencer.append([exchange() for _ in range(FEWEST)])
    await log.later(days=40)
    await log.sequencer.append([exchange() for _ in range(FEWEST)])
    await log.later(days=1)
    await log.indexer.step()
    part, following = await Indicators(store=log.tables, clock=log.clock).since(FIRST)
    assert (len(part), following) == (1, date(2001, 4, 10))
    assert len(await given(log)) == 2
