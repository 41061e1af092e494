"""Reconciliation: what one side knows and another lacks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crossroads.logging.v1 import logging_service_pb2 as log
from crossroads.routing.v1 import routing_service_pb2 as routing
from services.cli.reconcile import (
    SETTLED,
    Entry,
    Missing,
    Reconciliation,
    as_json,
    as_text,
    compare,
)
from services.logging.model import microseconds
from services.proof.receipt import Receipt
from services.proof.record import canonical_json

SINCE = datetime(2001, 3, 10, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)
NOON = SINCE + timedelta(hours=12)
HOLDER = "capac/dossier"


def entry(index: int, kind: int, exchange: int, *, at: datetime = NOON, attempt: int = 1) -> Entry:
    name = f"{exchange:032x}"
    return Entry(index, kind, name, attempt, at, index.to_bytes(32, "big"), HOLDER)


def receipt(release: Entry) -> Receipt:
    return Receipt(
        origin="crossroads.test/log",
        index=release.index,
        leaf_hash=release.leaf_hash,
        kind=int(log.KIND_RELEASE),
        hour=0,
        party=canonical_json({"exchange_id": release.exchange_id}),
        party_salt=bytes(32),
        subject_hash=bytes(32),
        audit_hash=bytes(32),
        time=microseconds(release.recorded_at),
        key_id=bytes(8),
        signature=bytes(64),
    )


def kept(release: Entry) -> routing.KeptExchange:
    return routing.KeptExchange(
        exchange_id=bytes.fromhex(release.exchange_id),
        attempt=release.attempt,
        log_index=release.index,
        leaf_hash=release.leaf_hash,
    )


REQUEST = entry(0, log.KIND_REQUEST, 1)
RELEASE = entry(1, log.KIND_RELEASE, 1)
OTHER_REQUEST = entry(2, log.KIND_REQUEST, 2)
REFUSAL = entry(3, log.KIND_REFUSAL, 2)
ENTRIES = (REQUEST, RELEASE, OTHER_REQUEST, REFUSAL)


def compared(
    entries: tuple[Entry, ...] = ENTRIES,
    *,
    receipts: tuple[Receipt, ...] = (receipt(RELEASE),),
    answers: tuple[routing.KeptExchange, ...] = (kept(RELEASE),),
) -> Reconciliation:
    return compare(entries, {HOLDER: receipts}, answers, since=SINCE, until=UNTIL)


def test_what_all_sides_know_alike_is_clean() -> None:
    found = compared()
    assert (found.entries, found.receipts, found.kept, found.missing) == (4, 1, 1, ())
    assert found.lost == 0


def test_a_receipt_whose_entry_is_gone_is_lost() -> None:
    found = compared((REQUEST, OTHER_REQUEST, REFUSAL), answers=())
    assert [(each.known_to, each.missing_from, each.index) for each in found.missing] == [
        (HOLDER, "log", 1),
        ("log", "log", 0),  # its request has no outcome any more
    ]
    assert found.lost == 2


@pytest.mark.parametrize(
    "other",
    [replace(RELEASE, leaf_hash=bytes(32)), replace(RELEASE, exchange_id="f" * 32, attempt=1)],
)
def test_an_entry_that_became_another_is_lost_to_the_receipt_and_to_routing(other: Entry) -> None:
    found = compared((REQUEST, other, OTHER_REQUEST, REFUSAL))
    assert {each.known_to for each in found.missing if each.index == 1} >= {HOLDER, "routing"}
    assert found.lost >= 2


def test_a_release_without_a_receipt_is_named_and_not_lost() -> None:
    (missing,) = compared(receipts=()).missing
    assert (missing.known_to, missing.missing_from, missing.index) == ("log", HOLDER, 1)
    assert not missing.lost


def test_a_release_of_this_moment_may_still_get_its_receipt() -> None:
    late = UNTIL - SETTLED
    young = (entry(5, log.KIND_REQUEST, 9, at=late), entry(6, log.KIND_RELEASE, 9, at=late))
    assert compared((*ENTRIES, *young)).missing == ()


def test_an_answer_in_routing_that_the_log_lacks_is_lost() -> None:
    found = compared((REQUEST, OTHER_REQUEST, REFUSAL), receipts=())
    assert ("routing", "log", 1) in [(m.known_to, m.missing_from, m.index) for m in found.missing]


@pytest.mark.parametrize("outcome", [log.KIND_RELEASE, log.KIND_REFUSAL, log.KIND_ABANDONED])
def test_a_request_needs_an_outcome_of_its_own_attempt(outcome: int) -> None:
    first, second = entry(7, log.KIND_REQUEST, 8), entry(8, log.KIND_REQUEST, 8, attempt=2)
    found = compared((*ENTRIES, first, second, entry(9, outcome, 8)))
    assert [each.index for each in found.missing if each.lost] == [8]
    young = replace(second, recorded_at=UNTIL - SETTLED)
    found = compared((*ENTRIES, first, young, entry(9, outcome, 8)))
    assert [each.index for each in found.missing if each.lost] == []


def test_a_release_needs_its_request_unless_that_was_before_the_period() -> None:
    found = compared((RELEASE, OTHER_REQUEST, REFUSAL))
    assert [(each.index, each.why) for each in found.missing] == [
        (1, "a release without its request")
    ]
    early = replace(RELEASE, recorded_at=SINCE)
    assert compared((early, OTHER_REQUEST, REFUSAL)).missing == ()


def test_receipts_of_another_time_are_left_alone() -> None:
    before = receipt(replace(RELEASE, index=99, recorded_at=SINCE - timedelta(seconds=1)))
    assert compared(receipts=(receipt(RELEASE), before)).receipts == 1


def test_what_is_missing_is_told_in_words_and_as_json() -> None:
    missing = Missing("capac/dossier", "log", 7, "ab", "receipt: gone", lost=True)
    found = Reconciliation(10, 2, 1, (missing,))
    assert "log lacks what capac/dossier knows: entry 7" in as_text(found)
    assert as_json(found)["missing"][0]["why"] == "receipt: gone"
