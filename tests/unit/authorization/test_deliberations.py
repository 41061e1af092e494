"""The transcription of a decision: one submits, another publishes, neither of whom gains."""

import dataclasses
from typing import Any
from uuid import UUID

import pytest

from services.authorization.lifecycle import Actor
from services.authorization.model import Deliberation, Grant, Scope, State
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authorization_world import (
    APPLICATION,
    CHAMBER,
    START,
    AuthorizationWorld,
    draft,
    term,
)

SCOPE = Scope(recipients=("capac", "onem"), elements=("e.start", "e.end"), purposes=("BENEFIT",))


def transcribed(*grants: Grant, **changes: Any) -> Deliberation:
    """What somebody submits: CAPAC and the ONEM may read when employments start."""
    number = changes.pop("number", "20/096")
    rows = grants or (term(), term(institution="onem"))
    values: dict[str, Any] = {
        "number": number,
        "title_fr": "titre",
        "title_nl": "titel",
        "title_de": "",
        "title_en": "",
        "chamber": CHAMBER,
        "decided_on": START.date(),
        "grants": tuple(
            dataclasses.replace(each, id=f"{number}#{place}", valid_from=START)
            for place, each in enumerate(rows, 1)
        ),
        "scope": SCOPE,
        "submitted_by": "",
        "submitted_at": START,
        "act_id": UUID(int=0),
    }
    return Deliberation(**{**values, **changes})


async def refused(awaitable: Any) -> CrossroadsError:
    with pytest.raises(CrossroadsError) as raised:
        await awaitable
    return raised.value


async def test_one_submits_and_another_publishes() -> None:
    world = AuthorizationWorld()
    await world.deliberations.submit(transcribed(), "member-1")
    assert world.store.table == {}
    done = await world.deliberations.publish("20/096", "member-2")
    assert (done.version, done.log_index) == (1, 1)
    assert set(world.store.table) == {"20/096#1", "20/096#2"}
    assert world.journal.acts == [("submit", "member-1"), ("publish", "member-2")]
    found, _ = await world.deliberations.get("20/096", 0, "", reader=None)
    assert (found.state, found.submitted_by, found.published_by) == (
        State.PUBLISHED, "member-1", "member-2"
    )  # fmt: skip


@pytest.mark.parametrize("who", ["gaining", "bound", "officer", "stranger"])
async def test_who_gains_or_is_unknown_neither_submits_nor_publishes(who: str) -> None:
    world = AuthorizationWorld()
    error = await refused(world.deliberations.submit(transcribed(), who))
    assert error.reason is Reason.SECOND_PERSON_REQUIRED
    await world.deliberations.submit(transcribed(), "member-1")
    error = await refused(world.deliberations.publish("20/096", who))
    assert error.reason is Reason.SECOND_PERSON_REQUIRED
    assert world.store.table == {}
    assert world.journal.acts == [("submit", "member-1")]


async def test_who_submitted_does_not_publish() -> None:
    world = AuthorizationWorld()
    await world.deliberations.submit(transcribed(), "member-1")
    error = await refused(world.deliberations.publish("20/096", "member-1"))
    assert error.reason is Reason.SECOND_PERSON_REQUIRED
    # Nor does another, once the submitter acts for an institution that gains.
    world.registry.actors["member-1"] = Actor("member-1", "onem")
    error = await refused(world.deliberations.publish("20/096", "member-2"))
    assert error.reason is Reason.SECOND_PERSON_REQUIRED
    assert world.store.table == {}


async def test_number_is_given_and_published_once() -> None:
    world = AuthorizationWorld()
    assert (await refused(world.deliberations.publish("20/096", "member-1"))).reason is (
        Reason.NOT_FOUND
    )
    await world.deliberations.submit(transcribed(), "member-1")
    error = await refused(world.deliberations.submit(transcribed(), "member-2"))
    assert error.reason is Reason.ALREADY_EXISTS
    await world.deliberations.publish("20/096", "member-2")
    error = await refused(world.deliberations.publish("20/096", "member-3"))
    assert error.reason is Reason.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scope": None}, "deliberation.scope"),
        ({"scope": dataclasses.replace(SCOPE, recipients=("capac",))}, "grants[1].institution"),
        ({"scope": dataclasses.replace(SCOPE, elements=("e.end",))}, "grants[0].elements[0]"),
        ({"scope": dataclasses.replace(SCOPE, purposes=())}, "grants[0].purpose"),
        ({"scope": dataclasses.replace(SCOPE, valid_until=START)}, "grants[0].valid_until"),
    ],
)
async def test_what_its_text_does_not_allow_is_refused(changes: Any, field: str) -> None:
    world = AuthorizationWorld()
    error = await refused(world.deliberations.submit(transcribed(**changes), "member-1"))
    assert error.reason is Reason.INVALID_ARGUMENT
    assert error.fields == () or error.fields[0].field.endswith(field)
    assert field in error.message
    assert world.journal.acts == []


async def test_what_was_submitted_without_a_scope_is_not_published() -> None:
    world = AuthorizationWorld()
    async with world.store.exclusive() as tx:
        await tx.submit(transcribed(scope=None, submitted_by="member-1"))
    error = await refused(world.deliberations.publish("20/096", "member-2"))
    assert error.reason is Reason.INVALID_ARGUMENT
    assert "deliberation.scope" in error.message


async def test_what_no_longer_fits_the_catalogue_is_not_published() -> None:
    world = AuthorizationWorld()
    await world.deliberations.submit(transcribed(), "member-1")
    world.registry.closed.add("onem")
    error = await refused(world.deliberations.publish("20/096", "member-2"))
    assert error.fields[0].field == "deliberation.grants[1].institution"


async def test_without_the_log_nothing_is_submitted_or_published() -> None:
    world = AuthorizationWorld()
    world.journal.down = True
    error = await refused(world.deliberations.submit(transcribed(), "member-1"))
    assert error.reason is Reason.LOG_UNAVAILABLE
    assert await world.store.deliberation("20/096", 0, 0, 10) is None
    world.journal.down = False
    await world.deliberations.submit(transcribed(), "member-1")
    world.journal.down = True
    error = await refused(world.deliberations.publish("20/096", "member-2"))
    assert error.reason is Reason.LOG_UNAVAILABLE
    assert world.store.table == {}


async def test_what_is_not_published_is_for_those_who_work_on_it() -> None:
    world = AuthorizationWorld()
    await world.deliberations.submit(transcribed(), "member-1")
    found, _ = await world.deliberations.get("20/096", 0, "", reader="auditor")
    assert found.state is State.SUBMITTED
    for reader in (None, "stranger"):
        error = await refused(world.deliberations.get("20/096", 0, "", reader=reader))
        assert error.reason is Reason.NOT_FOUND
    assert await world.deliberations.list(0, "") == ([], "")


async def test_what_is_not_published_is_unknown_to_who_would_amend_it() -> None:
    world = AuthorizationWorld()
    await world.deliberations.submit(transcribed(), "member-1")
    said = [
        await refused(world.dossiers.draft(draft(amends=number), "", APPLICATION))
        for number in ("20/096", "20/097")
    ]
    assert {error.reason for error in said} == {Reason.NOT_FOUND}
    assert said[0].message.replace("20/096", "20/097") == said[1].message


async def test_deliberations_and_their_grants_come_in_pages() -> None:
    world = AuthorizationWorld()
    for number in ("20/001", "20/002", "20/003"):
        await world.deliberations.submit(transcribed(number=number), "member-1")
        await world.deliberations.publish(number, "member-2")
    first, token = await world.deliberations.list(2, "")
    rest, end = await world.deliberations.list(2, token)
    assert [each.number for each in (*first, *rest)] == ["20/003", "20/002", "20/001"]
    assert end == ""
    one, token = await world.deliberations.get("20/001", 1, "", reader=None)
    two, end = await world.deliberations.get("20/001", 1, token, reader=None)
    assert [each.grants[0].id for each in (one, two)] == ["20/001#1", "20/001#2"]
    assert end == ""
    for reading in (
        world.deliberations.list(2, "yesterday"),
        world.deliberations.get("20/001", 1, "x", reader=None),
    ):
        assert (await refused(reading)).reason is Reason.INVALID_ARGUMENT
