""" "Who used my data", on a real PostgreSQL: in words, grouped, and some of it only later."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.logging.deferrals import LONGEST
from services.logging.evidence_model import Criteria, Reader
from services.logging.model import EntryId, NewEntry
from services.logging.store import LogStore
from services.logging.uses import Action, Listed, Use
from services.proof import act, record
from services.proof.record import Kind, Section
from services.runtime.errors import CrossroadsError
from tests.support.evidence import PrivateLog, exchange
from tests.support.logs import ORIGIN, SUBJECT, Safe, StoppedClock
from tests.support.platform import OpenDatabase

OTHER = "00012556777"
BEGIN = datetime(2001, 3, 10, 12, tzinfo=UTC)
AUDITOR = Reader(name="anna", auditor=True)
CONTACT = Reader(name="contact")


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[PrivateLog]:
    """A log at work."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    log = PrivateLog(store, clock=StoppedClock(BEGIN), safe=Safe())
    async with log.running():
        yield log


async def listed(log: PrivateLog, reader: Reader = CONTACT, **more: Any) -> Listed:
    options = {"reason": "recognised by eID", "language": "en"} | more
    return await log.uses.list(reader, (SUBJECT,), **options)


async def uses(log: PrivateLog, reader: Reader = CONTACT) -> list[Use]:
    return [use for group in (await listed(log, reader)).groups for use in group.uses]


def declaration() -> NewEntry:
    made = act.act(
        bytes(16),
        "integration.declare",
        by=["onem/dossier"],
        audit={"institution": "onem"},
        subject={"act": "integration.declare", "institution": "onem", "subject": SUBJECT},
        subject_key=SUBJECT,
    )
    return NewEntry(
        id=EntryId(made.id, Kind.ADMINISTRATIVE, 1),
        nonce=made.nonce,
        party=made.party,
        subject=made.subject,
        audit=made.audit,
        subject_key=SUBJECT,
    )


async def test_a_use_says_when_what_why_who_and_which_categories(log: PrivateLog) -> None:
    entry = exchange()
    await log.sequencer.append(
        [exchange(Kind.REQUEST, due=BEGIN, exchange_id=entry.id.exchange_id), entry]
    )
    (use,) = await uses(log)
    assert use.time == int(BEGIN.timestamp()) * 1_000_000
    assert use.action is Action.RELEASED
    assert use.reason == "en:employment_periods/1: data passed on, for en:UNEMPLOYMENT_BENEFIT"
    assert (use.institution, use.application) == ("capac", "dossier")
    assert use.deliberations == ("20/096",)
    assert use.categories == (("employment.period", "en:employment.period"),)
    assert use.exchange_id == entry.id.exchange_id


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "transmises"), ("nl", "meegedeeld"), ("de", "übermittelt")]
)
async def test_it_speaks_the_language_of_the_person(
    log: PrivateLog, language: str, words: str
) -> None:
    await log.sequencer.append([exchange()])
    (group,) = (await listed(log, language=language)).groups
    assert words in group.uses[0].reason
    assert group.purpose_text == f"{language}:UNEMPLOYMENT_BENEFIT"


async def test_uses_come_by_institution_and_purpose_the_latest_first(log: PrivateLog) -> None:
    for purpose, institution in (("A", "capac"), ("B", "capac"), ("A", "capac"), ("A", "cpas")):
        await log.sequencer.append([exchange(purpose=purpose, institution=institution)])
    groups = (await listed(log)).groups
    assert [(group.institution, group.purpose, len(group.uses)) for group in groups] == [
        ("cpas", "A", 1),
        ("capac", "A", 2),
        ("capac", "B", 1),
    ]
    times = [use.proof.index for use in groups[1].uses]
    assert times == sorted(times, reverse=True)


async def test_refusals_declarations_and_looks_show_and_no_request_twice(log: PrivateLog) -> None:
    await log.sequencer.append(
        [exchange(Kind.REFUSAL), exchange(Kind.REQUEST, due=BEGIN), declaration()]
    )
    await log.searches.search(AUDITOR, Criteria(subjects=(SUBJECT,)), reason="a complaint")
    await listed(log)
    assert [use.action for use in await uses(log)] == [
        Action.LOOKED_UP,
        Action.LOOKED_UP,
        Action.DECLARED,
        Action.REFUSED,
    ]
    by_action = {use.action: use for use in await uses(log)}
    assert by_action[Action.DECLARED].institution == "onem"


async def test_other_persons_stay_hidden(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(subject=OTHER), exchange()])
    await log.searches.search(AUDITOR, Criteria(subjects=(SUBJECT,)), reason="about them")
    shown = repr(await uses(log))
    assert OTHER not in shown
    assert "anna" not in shown
    assert "T-1" not in shown


async def test_each_look_is_in_the_log_under_the_person(log: PrivateLog) -> None:
    page = await listed(log)
    (found,) = await log.evidence.records([page.log_index])
    assert (found.act, found.audit["reason"]) == ("logging.uses", "recognised by eID")
    assert found.opened
    assert found.opened.subject_key == SUBJECT


async def test_a_person_can_prove_a_use_by_its_own_section(log: PrivateLog) -> None:
    await log.sequencer.append([exchange()])
    (use,) = await uses(log)
    proof = use.proof
    leaf = record.leaf(
        proof.kind,
        proof.hour,
        proof.party_hash,
        record.section_hash(Section.SUBJECT, proof.subject_salt, proof.subject),
        proof.audit_hash,
    )
    assert record.leaf_hash(leaf) == proof.leaf_hash
    assert await log.store.leaf_hashes(0, 1) == [proof.leaf_hash]


async def test_pages_of_uses_follow_each_other(log: PrivateLog) -> None:
    await log.sequencer.append([exchange() for _ in range(5)])
    first = await listed(log, limit=3)
    second = await listed(log, limit=3, before=first.before)
    shown = [use.proof.index for page in (first, second) for g in page.groups for use in g.uses]
    assert shown == [4, 3, 2, 1, 0]
    assert second.before is None


async def defer(log: PrivateLog, criteria: Criteria, **duration: float) -> Any:
    return await log.deferrals.defer(
        by="anna",
        authority="examining magistrate at Namur",
        reason="case 26/114",
        until=log.clock.time + timedelta(**duration),
        criteria=criteria,
    )


async def test_a_deferred_use_is_hidden_and_shows_by_itself_after_the_date(
    log: PrivateLog,
) -> None:
    await log.sequencer.append([exchange(institution="police"), exchange()])
    deferral = await defer(log, Criteria(subjects=(SUBJECT,), institution="police"), days=90)
    await log.sequencer.append([exchange(institution="police")])  # later, and deferred as well
    await log.searches.search(
        AUDITOR,
        Criteria(subjects=(SUBJECT,)),
        reason="the same case",
        deferral_id=deferral.deferral_id,
    )
    assert [use.institution for use in await uses(log)] == ["capac"]
    assert len([use for use in await uses(log, AUDITOR) if use.institution == "police"]) == 2

    await log.later(days=89)
    assert not [use for use in await uses(log) if use.institution == "police"]
    await log.later(days=1)
    shown = await uses(log)
    assert [use.deferred_until for use in shown if use.institution == "police"] == [
        deferral.until
    ] * 2
    assert [use.action for use in shown].count(Action.DEFERRED) == 1


async def test_a_deferral_can_be_ended_before_its_date(log: PrivateLog) -> None:
    await log.sequencer.append([exchange(exchange_id=bytes(16))])
    deferral = await defer(log, Criteria(exchange_id=bytes(16)), days=90)
    assert await uses(log) == []
    await log.deferrals.end(deferral.deferral_id, by="anna", reason="the case is closed")
    assert [use.exchange_id for use in await uses(log) if use.action is Action.RELEASED]
    with pytest.raises(CrossroadsError, match="NOT_FOUND"):
        await log.deferrals.end(deferral.deferral_id, by="anna", reason="again")


@pytest.mark.parametrize("duration", [timedelta(0), LONGEST + timedelta(days=1)])
async def test_a_deferral_has_a_date_ahead_and_not_too_far(
    log: PrivateLog, duration: timedelta
) -> None:
    with pytest.raises(CrossroadsError, match="until"):
        await defer(log, Criteria(subjects=(SUBJECT,)), days=duration.days)


async def test_a_deferral_names_a_case(log: PrivateLog) -> None:
    with pytest.raises(CrossroadsError, match="criteria"):
        await defer(log, Criteria(institution="police"), days=1)
