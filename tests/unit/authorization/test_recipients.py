"""Who a grant may be for: one institution, or the members of a group."""

from dataclasses import replace
from typing import Any

import pytest

from services.authorization.model import Grant, gaining, terms
from services.authorization.validation import validate
from services.runtime.errors import CrossroadsError
from tests.unit.authorization.rows import EARLY

GRANT = Grant(
    id="26/001#1",
    institutions=("capac", "onem"),
    group_name="Unemployment",
    service="address",
    elements=("street",),
    purpose="CONTROL",
    ways=("ONLINE",),
    valid_from=EARLY,
)


class Registry:
    """Two institutions that run, one that is closed, one service."""

    def institution_active(self, institution: str) -> bool | None:
        return {"capac": True, "onem": True, "gone": False}.get(institution)

    def application_active(self, institution: str, application: str) -> bool | None:
        return True if (institution, application) == ("capac", "payments") else None

    def elements(self, service: str, version: int) -> frozenset[str] | None:
        return frozenset({"street"}) if service == "address" else None

    def declared(self, element: str) -> bool:
        return element == "street"


def faults(**changes: Any) -> list[str]:
    """The fields that are refused."""
    try:
        validate([replace(GRANT, **changes)], Registry(), None)
    except CrossroadsError as error:
        return [each.field.removeprefix("deliberation.grants[0].") for each in error.fields]
    return []


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"institution": "onem"}, ["institutions"]),
        ({"group_name": ""}, ["group_name"]),
        ({"institution": "onem", "institutions": ()}, ["institutions"]),
        ({"institutions": ()}, ["institution", "institutions"]),
        ({"institutions": ("capac", "nobody", "gone")}, ["institutions[1]", "institutions[2]"]),
        ({"institutions": ("capac", "")}, ["institutions[1]"]),
        ({"application": "payments"}, ["application"]),
    ],
)
def test_group_is_named_and_has_members_that_exist(
    changes: dict[str, Any], fields: list[str]
) -> None:
    assert faults(**changes) == fields


def test_every_member_of_a_group_gains() -> None:
    taken = replace(GRANT, institutions=("onss",), prohibition=True)
    assert gaining([GRANT, taken, replace(GRANT, institution="onafts", institutions=())]) == {
        "capac", "onem", "onafts"
    }  # fmt: skip


def test_terms_say_who_and_in_which_phases() -> None:
    said = terms(replace(GRANT, caller_phases=(1,), source_phases=(2, 3)))
    assert (said["institutions"], said["group_name"]) == (["capac", "onem"], "Unemployment")
    assert (said["caller_phases"], said["source_phases"]) == ([1], [2, 3])
