"""A dossier from draft to publication: whose turn it is, and who may not, by trying."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.authorization.lifecycle import Actor, Stage, Step, count
from services.authorization.model import Asker, Scope, State
from services.runtime.errors import CrossroadsError, Reason
from tests.support.authorization_world import (
    ACTORS,
    APPLICATION,
    CHAMBER,
    START,
    AuthorizationWorld,
    draft,
    term,
)

SECOND, NOT_ALLOWED = Reason.SECOND_PERSON_REQUIRED, Reason.CALLER_NOT_ALLOWED


async def refused(awaitable: Any) -> CrossroadsError:
    with pytest.raises(CrossroadsError) as raised:
        await awaitable
    return raised.value


async def test_dossier_becomes_a_numbered_deliberation_whose_grants_apply() -> None:
    world = AuthorizationWorld()
    dossier = await world.adopted()
    world.clock.pass_(days=3)
    done = await world.dossiers.publish(str(dossier), Asker(person="outside"))
    assert (done.deliberation.number, done.deliberation.version) == ("26/001", 1)
    assert done.deliberation.decided_on == START.date()
    found = await world.store.deliberation("26/001", 0, 0, 10)
    assert found is not None
    assert (found.state, found.published_by) == (State.PUBLISHED, "outside")
    assert found.submitted_by == "institution/capac/payments"
    assert [grant.id for grant in found.grants] == ["26/001#1", "26/001#2"]
    assert {grant.valid_from for grant in found.grants} == {START + timedelta(days=3)}
    assert [act for act, _ in world.journal.acts] == [
        *(f"dossier.{step}" for step in ("draft", "opinion", "admit", "advice")),
        *["dossier.vote"] * 3,
        "dossier.close",
        "dossier.publish",
        "publish",
    ]
    assert (await world.dossiers.get(str(dossier), APPLICATION)).number == "26/001"


async def test_entry_into_force_may_lie_ahead_and_never_behind() -> None:
    world = AuthorizationWorld()
    ahead = START + timedelta(days=90)
    number = await world.published(draft(enters_into_force=ahead))
    assert {each.grant.valid_from for each in world.store.table.values()} == {ahead}
    behind = await world.published(draft(enters_into_force=START - timedelta(days=9)))
    rows = [each.grant for each in world.store.table.values() if each.deliberation == behind]
    assert (number, behind) == ("26/001", "26/002")
    assert {row.valid_from for row in rows} == {START}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"institution": "onss"}, "draft.grants[0].institution"),
        (
            {"institution": "", "institutions": ("capac", "onss"), "group_name": "G"},
            "draft.grants[0].institutions[1]",
        ),
        ({"elements": ("e.start", "e.wage")}, "draft.grants[0].elements[1]"),
        ({"purpose": "CONTROL"}, "draft.grants[0].purpose"),
        ({"elements": ("e.nothing",)}, "draft.grants[0].elements[0]"),
    ],
)
async def test_grant_wider_than_the_text_of_its_deliberation_is_refused(
    change: dict[str, Any], field: str
) -> None:
    world = AuthorizationWorld()
    error = await refused(world.dossiers.draft(draft(term(**change)), "", APPLICATION))
    assert error.reason is Reason.INVALID_ARGUMENT
    assert error.fields[0].field == field
    assert world.journal.acts == []


async def test_grant_that_outlives_the_scope_is_refused() -> None:
    world = AuthorizationWorld()
    scope = Scope(
        recipients=("capac",),
        elements=("e.start",),
        purposes=("BENEFIT",),
        valid_until=START + timedelta(days=9),
    )
    error = await refused(world.dossiers.draft(draft(term(), scope=scope), "", APPLICATION))
    assert error.fields[0].field == "draft.grants[0].valid_until"
    shorter = term(valid_until=START + timedelta(days=9))
    await world.dossiers.draft(draft(shorter, scope=scope), "", APPLICATION)


@pytest.mark.parametrize(
    ("step", "outcome", "who", "reason"),
    [
        (Step.OPINION, "favourable", "other-officer", NOT_ALLOWED),
        (Step.OPINION, "favourable", "outside", NOT_ALLOWED),
        (Step.ADMIT, "admissible", "officer", SECOND),
        (Step.ADMIT, "admissible", "bound", SECOND),
        (Step.ADMIT, "admissible", "gaining", SECOND),
        (Step.ADMIT, "admissible", "federal", NOT_ALLOWED),
        (Step.ADVICE, "favourable", "bound", SECOND),
        (Step.VOTE, "in_favour", "bound", SECOND),
        (Step.VOTE, "in_favour", "gaining", SECOND),
        (Step.VOTE, "in_favour", "auditor", NOT_ALLOWED),
        (Step.VOTE, "in_favour", "federal", NOT_ALLOWED),
        (Step.VOTE, "in_favour", "stranger", NOT_ALLOWED),
        (Step.CLOSE, "", "federal", NOT_ALLOWED),
        (Step.PUBLISH, "", "member-1", SECOND),
        (Step.PUBLISH, "", "auditor", SECOND),
        (Step.PUBLISH, "", "bound", SECOND),
        (Step.PUBLISH, "", "officer", SECOND),
        (Step.WITHDRAW, "", "other-officer", NOT_ALLOWED),
    ],
)
async def test_who_proposed_gains_or_decided_has_no_further_part(
    step: Step, outcome: str, who: str, reason: Reason
) -> None:
    world = AuthorizationWorld()
    dossier = await world.dossiers.draft(draft(), "", APPLICATION)
    way: list[tuple[Step, str, str]] = [
        (Step.OPINION, "officer", "favourable"),
        (Step.ADMIT, "member-1", "admissible"),
        (Step.ADVICE, "auditor", "favourable"),
        *((Step.VOTE, f"member-{n}", "in_favour") for n in (1, 2, 3)),
        (Step.CLOSE, "member-1", ""),
        (Step.PUBLISH, "outside", ""),
    ]
    for done, doer, result in way:
        if done is step:
            break
        if step is Step.WITHDRAW and done is Step.ADMIT:
            break
        await world.act(dossier, done, doer, result)
    logged = len(world.journal.acts)
    assert (await refused(world.act(dossier, step, who, outcome))).reason is reason
    assert len(world.journal.acts) == logged


async def test_one_vote_each_none_after_recusal_and_none_on_the_own_advice() -> None:
    world = AuthorizationWorld()
    dossier = await world.dossiers.draft(draft(), "", APPLICATION)
    await world.act(dossier, Step.OPINION, "officer", "favourable")
    await world.act(dossier, Step.ADMIT, "member-1", "admissible")
    await world.act(dossier, Step.ADVICE, "member-3", "favourable")
    await world.act(dossier, Step.RECUSE, "member-2")
    await world.act(dossier, Step.VOTE, "member-1", "in_favour")
    reasons = [
        (await refused(world.act(dossier, Step.VOTE, who, "in_favour"))).reason
        for who in ("member-1", "member-2", "member-3")
    ]
    assert reasons == [Reason.FAILED_PRECONDITION, Reason.FAILED_PRECONDITION, SECOND]
    error = await refused(world.act(dossier, Step.CLOSE, "member-1"))
    assert "3 are needed" in error.message
    assert (await refused(world.act(dossier, Step.CLOSE, "member-3"))).reason is NOT_ALLOWED


async def test_who_recused_themselves_neither_advises_nor_publishes() -> None:
    world = AuthorizationWorld()
    for name in ("aside", "gone"):
        world.registry.actors[name] = Actor(name, "", frozenset({CHAMBER}), committee=True)
    del world.registry.actors["gaining"], world.registry.actors["bound"]
    dossier = await world.dossiers.draft(draft(), "", APPLICATION)
    await world.act(dossier, Step.OPINION, "officer", "favourable")
    await world.act(dossier, Step.ADMIT, "gone", "admissible")
    await world.act(dossier, Step.RECUSE, "aside")
    advising = world.act(dossier, Step.ADVICE, "aside", "favourable")
    assert (await refused(advising)).reason is Reason.FAILED_PRECONDITION
    await world.act(dossier, Step.ADVICE, "auditor", "favourable")
    for member in ("member-1", "member-2", "member-3"):
        await world.act(dossier, Step.VOTE, member, "in_favour")
    await world.act(dossier, Step.CLOSE, "member-1")
    publishing = world.act(dossier, Step.PUBLISH, "aside")
    assert (await refused(publishing)).reason is Reason.FAILED_PRECONDITION
    # Who found it admissible has decided something as well.
    assert (await refused(world.act(dossier, Step.PUBLISH, "gone"))).reason is SECOND
    await world.act(dossier, Step.PUBLISH, "outside")


async def test_quorum_counts_the_chamber_as_it_is_when_the_vote_closes() -> None:
    world = AuthorizationWorld()
    dossier = await world.advised()
    for member in ("member-1", "member-2", "member-3"):
        await world.act(dossier, Step.VOTE, member, "in_favour")
    moved = world.registry.actors["member-3"]
    world.registry.actors["member-3"] = type(moved)(moved.id, "onem", moved.chambers, True)
    error = await refused(world.act(dossier, Step.CLOSE, "member-1"))
    assert error.reason is Reason.FAILED_PRECONDITION
    del world.registry.actors["gaining"], world.registry.actors["bound"]
    votes = await world.dossiers.close(str(dossier), Asker(person="member-1"))
    assert (votes.in_favour, votes.members, votes.adopted) == (2, 3, True)


async def test_votes_against_reject() -> None:
    world = AuthorizationWorld()
    dossier = await world.advised()
    for member, vote in (("1", "in_favour"), ("2", "against"), ("3", "abstain")):
        await world.act(dossier, Step.VOTE, f"member-{member}", vote)
    await world.act(dossier, Step.CLOSE, "member-2")
    assert (await world.dossiers.get(str(dossier), APPLICATION)).stage is Stage.REJECTED
    error = await refused(world.act(dossier, Step.PUBLISH, "outside"))
    assert error.reason is Reason.FAILED_PRECONDITION


async def test_rewritten_draft_needs_the_officers_opinion_again() -> None:
    world = AuthorizationWorld()
    dossier = await world.dossiers.draft(draft(), "", APPLICATION)
    await world.act(dossier, Step.OPINION, "officer", "favourable")
    await world.act(dossier, Step.DRAFT, "officer")
    error = await refused(world.act(dossier, Step.ADMIT, "member-1", "admissible"))
    assert error.reason is Reason.FAILED_PRECONDITION


async def test_nothing_is_published_without_a_text_in_each_language() -> None:
    world = AuthorizationWorld()
    dossier = await world.adopted(draft(text_de=" "))
    error = await refused(world.act(dossier, Step.PUBLISH, "outside"))
    assert error.fields[0].field == "draft.text_de"


async def test_what_no_longer_fits_the_catalogue_is_not_published() -> None:
    world = AuthorizationWorld()
    dossier = await world.adopted()
    world.registry.closed.add("onem")
    error = await refused(world.act(dossier, Step.PUBLISH, "outside"))
    assert error.fields[0].field == "draft.grants[1].institution"
    assert dict(world.store.table) == {}


async def test_without_the_log_nothing_changes() -> None:
    world = AuthorizationWorld()
    dossier = await world.adopted()
    world.journal.down = True
    error = await refused(world.act(dossier, Step.PUBLISH, "outside"))
    assert error.reason is Reason.LOG_UNAVAILABLE
    assert dict(world.store.table) == {}
    world.journal.down = False
    await world.act(dossier, Step.PUBLISH, "outside")


async def test_dossier_is_for_the_applicant_and_those_who_work_on_it() -> None:
    world = AuthorizationWorld()
    dossier = await world.dossiers.draft(draft(), "", APPLICATION)
    for asker in (APPLICATION, Asker(person="officer"), Asker(person="auditor")):
        assert (await world.dossiers.get(str(dossier), asker)).id == dossier
    for asker in (Asker("onss", "dmfa"), Asker(person="other-officer")):
        error = await refused(world.dossiers.get(str(dossier), asker))
        assert error.reason is Reason.NOT_FOUND
    error = await refused(world.dossiers.get("no id", APPLICATION))
    assert error.reason is Reason.INVALID_ARGUMENT


async def test_member_of_the_committee_reads_the_dossiers_that_wait_whomever_he_acts_for() -> None:
    world = AuthorizationWorld()
    of_capac = await world.dossiers.draft(draft(), "", APPLICATION)
    world.clock.pass_(days=1)
    of_onem = await world.dossiers.draft(draft(), "", Asker("onem", "benefits"))

    async def ids(asker: Asker, stage: Stage | None = None) -> list[UUID]:
        found, more = await world.dossiers.list(stage, 0, "", asker)
        assert more == ""
        assert all(len(each.acts) == 1 and not each.draft.grants for each in found)
        return [each.id for each in found]

    for person in ("member-1", "bound", "auditor"):
        assert await ids(Asker(person=person)) == [of_onem, of_capac]
        assert (await world.dossiers.get(str(of_onem), Asker(person=person))).id == of_onem
    assert await ids(APPLICATION) == await ids(Asker(person="officer")) == [of_capac]
    assert await ids(Asker(person="other-officer")) == await ids(Asker(person="stranger")) == []
    await world.act(of_capac, Step.OPINION, "officer", "favourable")
    assert await ids(Asker(person="member-1"), Stage.SUBMITTED) == [of_capac]
    first, token = await world.dossiers.list(None, 1, "", Asker(person="auditor"))
    rest, end = await world.dossiers.list(None, 1, token, Asker(person="auditor"))
    assert ([each.id for each in (*first, *rest)], end) == ([of_onem, of_capac], "")
    error = await refused(world.dossiers.list(None, 1, "yesterday", APPLICATION))
    assert error.reason is Reason.INVALID_ARGUMENT


REFUSALS = {SECOND, NOT_ALLOWED, Reason.FAILED_PRECONDITION}
STEPS = st.tuples(
    st.sampled_from([step for step in Step if step is not Step.WITHDRAW]),
    st.sampled_from(["", *ACTORS]),
    st.sampled_from(["in_favour", "in_favour", "against"]),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["draft", "advised", "adopted"]), st.lists(STEPS, max_size=80))
async def test_no_order_of_attempts_lets_a_proposer_decide(
    start: str, attempts: list[tuple[Step, str, str]]
) -> None:
    world = AuthorizationWorld()
    if start == "draft":
        dossier = await world.dossiers.draft(draft(), "", APPLICATION)
    else:
        dossier = await getattr(world, start)()
    outcomes = {Step.OPINION: "favourable", Step.ADMIT: "admissible", Step.ADVICE: "favourable"}
    for step, who, ballot in attempts:
        outcome = ballot if step is Step.VOTE else outcomes.get(step, "")
        try:
            await world.act(dossier, step, who, outcome)
        except CrossroadsError as error:
            assert error.reason in REFUSALS  # noqa: PT017 - some of the attempts succeed
    await _require_separation(world, dossier)


async def _require_separation(world: AuthorizationWorld, dossier: UUID) -> None:
    found = await world.dossiers.get(str(dossier), APPLICATION)
    proposers = found.who(Step.DRAFT, Step.OPINION)
    deciders = found.who(Step.ADMIT, Step.VOTE, Step.CLOSE)
    publishers = found.who(Step.PUBLISH)
    assert not proposers & (deciders | publishers | found.who(Step.ADVICE))
    assert not found.who(Step.ADMIT, Step.ADVICE, Step.VOTE, Step.RECUSE) & publishers
    assert not {"bound", "gaining", "federal"} & deciders
    assert bool(publishers) == bool(world.store.table)
    if found.stage in {Stage.ADOPTED, Stage.PUBLISHED}:
        assert count(found, world.registry.sitting(CHAMBER)).adopted
