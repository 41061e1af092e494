"""What an auditor reads on the running platform: who used somebody's data, and what is missing."""

import pytest

from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("e2e")


def test_an_auditor_sees_who_used_a_persons_data_and_is_seen(platform: Running) -> None:
    subject = platform.store.subjects().demo
    asked = platform.crossroads("exchange", "employment_periods", "--json")
    assert asked.code == 0, asked.err
    looked = ("log", "uses", subject, "--reason", "a complaint", "--language", "nl", "--json")
    groups = {
        (each.get("institution"), each.get("purpose")): each["uses"]
        for each in platform.crossroads(*looked).document
    }
    released = groups["capac", "UNEMPLOYMENT_BENEFIT"][0]
    assert released["action"] == "ACTION_RELEASED"
    assert released["deliberations"] == ["D/2026/001"]
    assert "meegedeeld" in released["reason"]
    assert "Toekenning en controle van werkloosheidsuitkeringen" in released["reason"]
    elements = {each["element"] for each in released["categories"]}
    assert elements == set(asked.document["elements"])
    assert all(each["label"] for each in released["categories"])
    again = platform.crossroads(*looked).document
    actions = [use["action"] for group in again for use in group["uses"]]
    assert "ACTION_LOOKED_UP" in actions
    assert "ACTION_DECLARED" in actions


def test_uses_under_a_replaced_key_are_found_by_either_key(platform: Running) -> None:
    subjects = platform.store.subjects()
    done = platform.crossroads(
        "exchange", "employment_periods", "--subject", subjects.replaced, "--json"
    )
    assert done.code == 0, done.err
    index = str(done.document["log"]["index"])
    for key in (subjects.replaced, subjects.replacing):
        found = platform.crossroads("log", "uses", key, "--reason", "a complaint", "--json")
        uses = [use for group in found.document for use in group["uses"]]
        assert index in [use["proof"]["index"] for use in uses]


def test_a_key_that_is_none_is_refused_without_being_repeated(platform: Running) -> None:
    wrong = platform.store.subjects().wrong_check
    done = platform.crossroads("log", "uses", wrong, "--reason", "a complaint")
    assert done.code == 3
    assert "INVALID_KEY" in done.err
    assert wrong not in done.err + done.out


def test_receipts_routing_and_the_log_agree(platform: Running) -> None:
    assert platform.crossroads("exchange", "employment_periods", "--json").code == 0
    done = platform.crossroads("log", "reconcile", "--json")
    assert done.code == 0, done.err
    assert done.document["lost"] == 0
    assert done.document["receipts"] >= 1
    assert done.document["kept"] >= 1
