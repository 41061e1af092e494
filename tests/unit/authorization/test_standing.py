"""What becomes of a published deliberation: amendment, suspension and its lifting, withdrawal."""

from datetime import timedelta
from typing import Any

import pytest

from services.authorization.lifecycle import Step
from services.authorization.model import Asker, State
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authorization_world import START, AuthorizationWorld, draft, term


async def refused(awaitable: Any) -> Reason:
    with pytest.raises(CrossroadsError) as raised:
        await awaitable
    return raised.value.reason


def on_record(world: AuthorizationWorld) -> dict[str, Any]:
    """The rows that are on record, by id."""
    rows = {key: each.grant for key, each in world.store.table.items()}
    return {key: row for key, row in rows.items() if row.recorded_until is None}


async def test_amendment_ends_the_version_before_at_its_entry_into_force() -> None:
    world = AuthorizationWorld()
    number = await world.published(draft(term()))
    world.clock.pass_(days=10)
    entry = world.clock.now() + timedelta(days=30)
    wider = term(elements=("e.start", "e.end"))
    assert await world.published(draft(wider, amends=number, enters_into_force=entry)) == number
    rows = on_record(world)
    assert set(rows) == {"26/001#2", "26/001#3"}
    assert (rows["26/001#2"].elements, rows["26/001#2"].valid_from) == (wider.elements, entry)
    assert (rows["26/001#3"].elements, rows["26/001#3"].valid_until) == (("e.start",), entry)
    assert rows["26/001#3"].valid_from == START
    old = await world.store.deliberation(number, 1, 0, 10)
    assert old is not None
    assert [row.id for row in old.grants] == ["26/001#1", "26/001#3"]


async def test_amendment_that_enters_into_force_at_once_leaves_nothing_of_the_old() -> None:
    world = AuthorizationWorld()
    number = await world.published()
    world.clock.pass_(days=10)
    await world.published(draft(term(), amends=number))
    assert set(on_record(world)) == {"26/001#3"}


async def test_only_a_published_deliberation_is_amended() -> None:
    world = AuthorizationWorld()
    asked = draft(amends="26/001")
    assert await refused(world.adopted(asked)) is Reason.NOT_FOUND
    number = await world.published()
    dossier = await world.adopted(asked)
    await world.standing.suspend(number, "doubt", "outside")
    publishing = world.dossiers.publish(str(dossier), Asker(person="outside"))
    assert await refused(publishing) is Reason.FAILED_PRECONDITION


async def test_suspension_needs_one_person_and_its_lifting_two() -> None:
    world = AuthorizationWorld()
    number = await world.published(draft(term(), term(valid_until=START + timedelta(days=5))))
    await world.standing.suspend(number, "doubt", "bound")
    assert on_record(world) == {}
    again = world.standing.suspend(number, "doubt", "bound")
    assert await refused(again) is Reason.FAILED_PRECONDITION
    world.clock.pass_(days=10)
    for who in ("bound", "stranger"):
        lifting = world.standing.lift(number, "well", who)
        assert await refused(lifting) is Reason.SECOND_PERSON_REQUIRED
    assert (await world.standing.lift(number, "well", "member-1")).missing == 1
    assert on_record(world) == {}
    for who in ("member-1", "bound"):
        lifting = world.standing.lift(number, "well", who)
        assert await refused(lifting) is Reason.SECOND_PERSON_REQUIRED
    assert (await world.standing.lift(number, "well", "member-2")).missing == 0
    (row,) = on_record(world).values()
    assert (row.id, row.valid_from) == ("26/001#3", START + timedelta(days=10))
    assert [what for what, _ in world.journal.acts][-3:] == ["suspend", "propose-lift", "lift"]


def ban(**changes: Any) -> Any:
    """ONEM may not read when employments end, whatever else says so."""
    return term(id="#2", prohibition=True, institution="onem", elements=("e.end",), **changes)


async def test_nobody_ends_a_prohibition_alone() -> None:
    world = AuthorizationWorld()
    number = await world.published(draft(term(), ban()))
    revoking = world.grants.revoke(f"{number}#2", "no more", "outside")
    assert await refused(revoking) is Reason.SECOND_PERSON_REQUIRED
    withdrawing = world.standing.withdraw(number, "no more", "outside")
    assert await refused(withdrawing) is Reason.SECOND_PERSON_REQUIRED
    await world.standing.suspend(number, "doubt", "outside")
    assert set(on_record(world)) == {"26/001#2"}
    withdrawing = world.standing.withdraw(number, "no more", "outside")
    assert await refused(withdrawing) is Reason.SECOND_PERSON_REQUIRED
    for member in ("member-1", "member-2"):
        await world.standing.lift(number, "well", member)
    assert set(on_record(world)) == {"26/001#2", "26/001#3"}


async def test_prohibition_ends_by_an_amendment_or_its_date() -> None:
    world = AuthorizationWorld()
    number = await world.published(draft(term(), ban()))
    end = START + timedelta(days=5)
    await world.published(draft(term(), ban(valid_until=end), amends=number))
    world.clock.time = end
    await world.standing.withdraw(number, "no more", "outside")
    assert on_record(world) == {}


async def test_who_acts_for_whom_a_prohibition_binds_has_no_part_in_its_end() -> None:
    world = AuthorizationWorld()
    number = await world.published(draft(term(), ban()))
    dossier = await world.advised(draft(term(), amends=number))
    voting = world.act(dossier, Step.VOTE, "gaining", "in_favour")
    assert await refused(voting) is Reason.SECOND_PERSON_REQUIRED
    free = await world.advised(draft(term()))
    await world.act(free, Step.VOTE, "gaining", "in_favour")


async def test_who_acts_for_a_holder_has_no_part_in_the_end_of_a_prohibition_of_all() -> None:
    world = AuthorizationWorld()
    everybody = term(id="#2", prohibition=True, institution="", elements=("e.end",))
    number = await world.published(draft(term(), everybody))
    dossier = await world.advised(draft(term(), amends=number))
    await world.act(dossier, Step.VOTE, "gaining", "against")  # its institution has nothing yet
    await world.published(draft(term(institution="onem")))
    other = await world.advised(draft(term(), amends=number))
    for step, outcome in ((Step.VOTE, "in_favour"), (Step.RECUSE, "")):
        acting = world.act(other, step, "gaining", outcome)
        assert await refused(acting) is Reason.SECOND_PERSON_REQUIRED
    members = ("member-1", "member-2")
    for member in members:
        await world.act(dossier, Step.VOTE, member, "in_favour")
    # The vote of who has come to gain no longer counts: two of five are no quorum.
    assert await refused(world.act(dossier, Step.CLOSE, "member-1")) is Reason.FAILED_PRECONDITION


async def test_amendment_does_not_undo_what_was_decided_since_it_was_drafted() -> None:
    world = AuthorizationWorld()
    number = await world.published(draft(term()))
    adopted = await world.adopted(draft(term(), amends=number))
    open_still = await world.advised(draft(term(), amends=number))
    await world.published(draft(term(), ban(), amends=number))
    for member in ("member-1", "member-2", "member-3"):
        await world.act(open_still, Step.VOTE, member, "in_favour")
    for dossier, step, who in (
        (adopted, Step.PUBLISH, "outside"),
        (open_still, Step.CLOSE, "member-1"),
    ):
        assert await refused(world.act(dossier, step, who)) is Reason.FAILED_PRECONDITION
    assert any(row.prohibition for row in on_record(world).values())
    await world.act(adopted, Step.WITHDRAW, "officer")
    await world.published(draft(term(), amends=number))


async def test_grant_revoked_under_suspension_does_not_come_back() -> None:
    world = AuthorizationWorld()
    number = await world.published(draft(term(), term(id="#2", elements=("e.end",))))
    await world.standing.suspend(number, "doubt", "outside")
    await world.grants.revoke("26/001#1", "no", "outside")
    assert await refused(world.grants.revoke("26/001#1", "no", "outside")) is (
        Reason.FAILED_PRECONDITION
    )
    await world.standing.lift(number, "well", "member-1")
    await world.standing.lift(number, "well", "member-2")
    assert [row.elements for row in on_record(world).values()] == [("e.end",)]


async def test_who_revokes_what_goes_on_under_another_id_is_told_that_id() -> None:
    world = AuthorizationWorld()
    number = await world.published(draft(term(), term(id="#2", institution="onem")))
    entry = world.clock.now() + timedelta(days=30)
    await world.published(draft(term(), amends=number, enters_into_force=entry))
    with pytest.raises(CrossroadsError) as raised:
        await world.grants.revoke(f"{number}#1", "no more", "outside")
    assert raised.value.reason is Reason.FAILED_PRECONDITION
    assert raised.value.message.endswith("still on record for its recipient: 26/001#3, 26/001#4")
    for row in ("#3", "#4"):
        await world.grants.revoke(number + row, "no more", "outside")
    with pytest.raises(CrossroadsError) as raised:
        await world.grants.revoke(f"{number}#1", "no more", "outside")
    assert raised.value.message == "grant 26/001#1 was ended before"


async def test_what_no_longer_fits_the_catalogue_does_not_come_back() -> None:
    world = AuthorizationWorld()
    number = await world.published()
    await world.standing.suspend(number, "doubt", "outside")
    world.registry.closed.add("onem")
    lifting = world.standing.lift(number, "well", "member-1")
    assert await refused(lifting) is Reason.INVALID_ARGUMENT


@pytest.mark.parametrize("suspended", [False, True])
async def test_deliberation_whose_rows_are_all_over_has_expired(suspended: bool) -> None:
    world = AuthorizationWorld()
    end = START + timedelta(days=5)
    number = await world.published(draft(term(valid_until=end)))
    dossier = await world.adopted(draft(amends=number))
    if suspended:
        await world.standing.suspend(number, "doubt", "outside")

    async def state() -> State:
        found, _ = await world.deliberations.get(number, 0, "", reader=None)
        (listed,), _ = await world.deliberations.list(0, "")
        assert found.state is listed.state
        return found.state

    world.clock.time = end - timedelta(microseconds=1)
    assert await state() is (State.SUSPENDED if suspended else State.PUBLISHED)
    world.clock.time = end
    assert await state() is State.EXPIRED
    publishing = world.dossiers.publish(str(dossier), Asker(person="outside"))
    assert await refused(publishing) is Reason.FAILED_PRECONDITION
    for late in (world.standing.suspend, world.standing.lift):
        assert await refused(late(number, "late", "member-1")) is Reason.FAILED_PRECONDITION
    await world.standing.withdraw(number, "never again", "outside")
    assert await state() is State.WITHDRAWN


@pytest.mark.parametrize("suspended", [False, True])
async def test_withdrawal_is_for_good(suspended: bool) -> None:
    world = AuthorizationWorld()
    number = await world.published()
    if suspended:
        await world.standing.suspend(number, "doubt", "outside")
    await world.standing.withdraw(number, "never again", "outside")
    assert on_record(world) == {}
    found = await world.store.deliberation(number, 0, 0, 10)
    assert found is not None
    assert found.state is State.WITHDRAWN
    for late in (world.standing.suspend, world.standing.withdraw, world.standing.lift):
        assert await refused(late(number, "late", "member-1")) is Reason.FAILED_PRECONDITION


async def test_without_the_log_a_suspension_changes_nothing() -> None:
    world = AuthorizationWorld()
    number = await world.published()
    world.journal.down = True
    suspending = world.standing.suspend(number, "doubt", "outside")
    assert await refused(suspending) is Reason.LOG_UNAVAILABLE
    assert len(on_record(world)) == 2


async def test_revocation_names_who_did_not_confirm() -> None:
    world = AuthorizationWorld()
    await world.published()
    done = await world.grants.revoke("26/001#1", "no", "outside")
    told = await world.grants.subscribers(done.version)
    assert [(each.name, each.confirmed) for each in told] == [
        ("authorization", True),
        ("routing", False),
    ]
