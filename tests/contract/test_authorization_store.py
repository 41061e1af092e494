"""One suite for authorization's store in memory and for PostgreSQL."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.authorization.dossiers import Wanted
from services.authorization.lifecycle import Act, Dossier, Draft, Stage, Step
from services.authorization.model import Chamber, Deliberation, Grant, PublishedGrant, Scope, State
from services.authorization.publishing import Alteration, Row
from services.runtime.clock import SystemClock
from tests.support.authorization_store import MemoryAuthorizationStore
from tests.support.platform import OpenDatabase

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCOPE = Scope(recipients=("capac",), elements=("e.start", "e.end"), purposes=("BENEFIT",))

BOTH = frozenset({"26/001#1", "26/001#2"})


@pytest.fixture(params=["memory", "postgres", "next version"])
async def store(request: pytest.FixtureRequest, fresh_database: OpenDatabase) -> AsyncIterator[Any]:
    """A store of each kind."""
    if request.param == "memory":
        yield MemoryAuthorizationStore()
        return
    from services.authorization.store import AuthorizationStore  # noqa: PLC0415 - psycopg
    from services.runtime.watch.owner import Table  # noqa: PLC0415

    database = await fresh_database("services.authorization", ahead=request.param == "next version")
    table = Table(name="grants", database=database, clock=SystemClock())
    await table.load()
    yield AuthorizationStore(database=database, grants=table)


def grant(number: str = "26/001", place: int = 1, **changes: Any) -> Grant:
    values: dict[str, Any] = {
        "id": f"{number}#{place}",
        "institution": "capac",
        "service": "employment",
        "elements": ("e.start",),
        "purpose": "BENEFIT",
        "ways": ("ONLINE",),
        "caller_capacities": ("18/1",),
        "valid_from": NOW,
    }
    return Grant(**{**values, **changes})


def deliberation(number: str = "26/001", rows: int = 2, **changes: Any) -> Deliberation:
    values: dict[str, Any] = {
        "number": number,
        "title_fr": "un",
        "title_nl": "een",
        "title_de": "eins",
        "title_en": "one",
        "text_fr": "texte",
        "scope": SCOPE,
        "chamber": Chamber.FEDERAL_AUTHORITY,
        "decided_on": date(2026, 2, 3),
        "grants": tuple(grant(number, place) for place in range(1, rows + 1)),
        "submitted_by": "first",
        "submitted_at": NOW,
        "act_id": uuid4(),
        "enters_into_force": NOW,
    }
    return Deliberation(**{**values, **changes})


async def publish(store: Any, one: Deliberation) -> int:
    async with store.exclusive() as tx:
        await tx.submit(one)
        version: int = await tx.publish(dataclasses.replace(one, published_by="second"), NOW, 7)
    return version


def row(number: str, place: int, version: int = 1, follows: str = "") -> Row:
    return Row(PublishedGrant(grant(number, place), number, "third", "fourth"), version, follows)


async def live(store: Any, number: str = "26/001") -> list[str]:
    async with store.exclusive() as tx:
        return [each.grant.id for each in await tx.live(number)]


async def test_what_is_submitted_reads_back_and_is_published_later(store: Any) -> None:
    one = deliberation()
    async with store.exclusive() as tx:
        await tx.submit(one)
        assert await tx.grant("26/001#1") is None
    assert await store.deliberation("26/001", 0, 0, 10) == one
    assert await store.published(("infinity", ""), 10) == []
    async with store.exclusive() as tx:
        assert await tx.publish(dataclasses.replace(one, published_by="second"), NOW, 7) == 1
    found = await store.deliberation("26/001", 0, 0, 10)
    assert (found.state, found.published_by, found.published_at) == (
        State.PUBLISHED,
        "second",
        NOW,
    )
    assert [each.recorded_from for each in found.grants] == [NOW, NOW]
    assert [each.number for each in await store.published(("infinity", ""), 10)] == ["26/001"]


async def test_rows_come_in_pages(store: Any) -> None:
    await publish(store, deliberation(rows=12))
    found = await store.deliberation("26/001", 0, 9, 2)
    assert [each.id for each in found.grants] == ["26/001#10", "26/001#11"]


async def test_a_block_that_raises_changes_nothing(store: Any) -> None:
    class StoppedError(Exception):
        pass

    async def stop() -> None:
        async with store.exclusive() as tx:
            await tx.submit(deliberation())
            raise StoppedError

    with pytest.raises(StoppedError):
        await stop()
    assert await store.deliberation("26/001", 0, 0, 10) is None


async def test_ended_grant_is_off_the_record_from_the_next_version(store: Any) -> None:
    first = await publish(store, deliberation())
    async with store.exclusive() as tx:
        found = await tx.grant("26/001#1")
        assert (found.proposed_by, found.approved_by) == ("first", "second")
        version = await tx.end(found, "third", "no more", NOW, 8)
        assert version == first + 1
        ended = await tx.grant("26/001#1")
        assert ended.grant.recorded_until == NOW + timedelta(microseconds=1)
    assert await live(store) == ["26/001#2"]


async def test_numbers_of_a_year_go_on_from_the_highest(store: Any) -> None:
    for number in ("26/007", "25/100", "D/26/900"):
        await publish(store, deliberation(number))
    async with store.exclusive() as tx:
        assert await tx.next_number(2026) == "26/008"
        assert await tx.next_number(2027) == "27/001"


async def test_suspension_keeps_its_rows_aside_until_it_is_lifted(store: Any) -> None:
    first = await publish(store, deliberation())
    async with store.exclusive() as tx:
        ended = await tx.grant("26/001#2")
        await tx.end(ended, "third", "no more", NOW, 8)
        version = await tx.alter(
            Alteration("26/001", "third", "doubt", (), State.SUSPENDED, BOTH), NOW, 9
        )
        assert version == first + 2
        assert [each.grant.id for each in await tx.suspended("26/001")] == ["26/001#1"]
        await tx.propose_lift("26/001", "third")
        assert await tx.lift_proposed_by("26/001") == "third"
    assert await live(store) == []
    assert (await store.deliberation("26/001", 0, 0, 10)).state is State.SUSPENDED
    async with store.exclusive() as tx:
        lifting = Alteration(
            "26/001", "fourth", "well", [row("26/001", 3, 1, "26/001#1")], State.PUBLISHED
        )
        assert await tx.alter(lifting, NOW, 10) == first + 3
        assert await tx.suspended("26/001") == []
        assert await tx.lift_proposed_by("26/001") == ""
        again = await tx.grant("26/001#3")
        assert (again.proposed_by, again.approved_by) == ("third", "fourth")
    assert await live(store) == ["26/001#3"]


async def test_only_the_rows_that_are_named_end(store: Any) -> None:
    await publish(store, deliberation())
    async with store.exclusive() as tx:
        ending = frozenset({"26/001#1"})
        await tx.alter(Alteration("26/001", "third", "doubt", (), State.SUSPENDED, ending), NOW, 9)
        assert [each.grant.id for each in await tx.suspended("26/001")] == ["26/001#1"]
    assert await live(store) == ["26/001#2"]


async def test_suspended_row_can_be_kept_from_coming_back(store: Any) -> None:
    await publish(store, deliberation())
    async with store.exclusive() as tx:
        suspended = Alteration("26/001", "third", "doubt", (), State.SUSPENDED, BOTH)
        version = await tx.alter(suspended, NOW, 9)
        assert await tx.unsuspend("26/001#1") == version
        assert [each.grant.id for each in await tx.suspended("26/001")] == ["26/001#2"]


async def test_deliberation_ends_with_the_last_row_that_was_not_taken_back(store: Any) -> None:
    week, month = NOW + timedelta(days=7), NOW + timedelta(days=30)
    rows = (grant(place=1, valid_until=week), grant(place=2, valid_until=month), grant(place=3))
    await publish(store, deliberation(grants=rows))

    async def ends_at() -> datetime | None:
        found = await store.deliberation("26/001", 0, 0, 10)
        (listed,) = await store.published(("infinity", ""), 10)
        assert found.ends_at == listed.ends_at
        return found.ends_at  # type: ignore[no-any-return]

    assert await ends_at() is None
    for place, expected in ((3, month), (2, week)):
        async with store.exclusive() as tx:
            ended = await tx.grant(f"26/001#{place}")
            await tx.end(ended, "third", "no more", NOW, 8)
        assert await ends_at() == expected
    async with store.exclusive() as tx:
        await tx.alter(Alteration("26/001", "third", "doubt", (), State.SUSPENDED, BOTH), NOW, 9)
    assert await ends_at() == week
    async with store.exclusive() as tx:
        assert (await tx.deliberation("26/001")).ends_at == week
        await tx.alter(Alteration("26/001", "third", "never", (), State.WITHDRAWN, BOTH), NOW, 10)
    assert await ends_at() is None


async def test_amended_version_stays_readable(store: Any) -> None:
    old = deliberation()
    await publish(store, old)
    new = deliberation(title_fr="deux", version=2, grants=(), published_by="fourth")
    async with store.exclusive() as tx:
        await tx.amend(new, NOW, 9)
        amended = Alteration(
            "26/001", "fourth", "amended", [row("26/001", 3, 2)], State.PUBLISHED, BOTH
        )
        await tx.alter(amended, NOW, 9)
        assert await tx.last_row("26/001") == 3
    newest = await store.deliberation("26/001", 0, 0, 10)
    assert (newest.title_fr, newest.version, newest.published_by) == ("deux", 2, "fourth")
    assert [each.id for each in newest.grants] == ["26/001#1", "26/001#2", "26/001#3"]
    second = await store.deliberation("26/001", 2, 0, 10)
    assert [each.id for each in second.grants] == ["26/001#3"]
    first = await store.deliberation("26/001", 1, 0, 10)
    assert (first.title_fr, first.published_by, first.scope) == ("un", "second", SCOPE)
    assert [each.id for each in first.grants] == ["26/001#1", "26/001#2"]
    assert await store.deliberation("26/001", 3, 0, 10) is None


async def test_who_has_a_grant_is_known_by_name_and_as_one_of_a_group(store: Any) -> None:
    rows = (
        grant(place=1, institution="capac"),
        grant(place=2, institution="", institutions=("onem", "onss"), group_name="G"),
        grant(place=3, prohibition=True, institution="sfp"),
        grant(place=4, prohibition=True, institution=""),
    )
    async with store.exclusive() as tx:
        await tx.submit(deliberation(grants=rows))
        assert await tx.holders() == frozenset()
    async with store.exclusive() as tx:
        await tx.publish(deliberation(grants=rows), NOW, 7)
        assert await tx.holders() == {"capac", "onem", "onss"}
        suspended = frozenset({"26/001#1"})
        await tx.alter(
            Alteration("26/001", "third", "doubt", (), State.SUSPENDED, suspended), NOW, 8
        )
        assert await tx.holders() == {"capac", "onem", "onss"}
        await tx.end(await tx.grant("26/001#2"), "third", "no more", NOW, 9)
        assert await tx.holders() == {"capac"}


async def test_dossiers_are_listed_newest_first_in_pages(store: Any) -> None:
    draft = Draft(
        title_fr="un", title_nl="een", title_de="", title_en="", text_fr="", text_nl="",
        text_de="", chamber=Chamber.FEDERAL_AUTHORITY, scope=SCOPE, grants=(grant("", 1),),
    )  # fmt: skip
    opened: list[Dossier] = []
    for place, name in enumerate(("capac", "onem", "capac")):
        at = NOW + timedelta(days=place)
        act = Act(step=Step.DRAFT, by="somebody", at=at, log_index=place)
        dossier = Dossier(id=uuid4(), institution=name, draft=draft, acts=(act,))
        opinion = Act(step=Step.OPINION, by="officer", at=at, outcome="favourable", text="yes")
        async with store.exclusive() as tx:
            await tx.keep(dossier)
            if place == 0:
                acts, stage = (act, opinion), Stage.SUBMITTED
                await tx.keep(dataclasses.replace(dossier, acts=acts, stage=stage))
                dossier = dataclasses.replace(dossier, stage=stage)
        opened.insert(0, dossier)
    first = ("infinity", UUID(int=0))
    assert await store.dossiers(Wanted(None, None, first, 9)) == opened
    assert await store.dossiers(Wanted("capac", None, first, 9)) == [opened[0], opened[2]]
    assert await store.dossiers(Wanted(None, Stage.SUBMITTED, first, 9)) == [opened[2]]
    after = (opened[0].acts[0].at.isoformat(), opened[0].id)
    assert await store.dossiers(Wanted(None, None, after, 1)) == [opened[1]]


async def test_dossier_reads_back_with_every_act(store: Any) -> None:
    draft = Draft(
        title_fr="un",
        title_nl="een",
        title_de="eins",
        title_en="one",
        text_fr="texte",
        text_nl="tekst",
        text_de="Text",
        chamber=Chamber.FEDERAL_AUTHORITY,
        scope=dataclasses.replace(SCOPE, valid_until=NOW),
        grants=(grant("", 1), grant("", 2, valid_until=NOW + timedelta(days=1))),
        amends="26/001",
        enters_into_force=NOW,
    )
    acts = (
        Act(step=Step.DRAFT, by="institution/capac/payments", at=NOW, log_index=4),
        Act(step=Step.OPINION, by="officer", at=NOW, outcome="favourable", text="yes", log_index=5),
    )
    dossier = Dossier(id=uuid4(), institution="capac", draft=draft, acts=acts[:1], amends_version=2)
    after = dataclasses.replace(
        dossier, acts=acts, stage=Stage.SUBMITTED, number="26/001", amends_version=3
    )
    async with store.exclusive() as tx:
        await tx.keep(dossier)
        assert await tx.dossier(dossier.id) == dossier
        await tx.keep(after)
    assert await store.dossier(dossier.id) == after
    assert await store.dossier(uuid4()) is None
