"""What codes are called for the person who asks who used their data."""

from typing import Any

import pytest

from crossroads.registry.v1 import registry_service_pb2 as registry
from services.logging.peers import PURPOSES, CatalogueWords, PurposeNames
from services.runtime.errors import CrossroadsError, Reason

NAMES = {
    "PENSION": registry.Labels(fr="Pensions", nl="Pensioenen", de="Renten", en="Pensions"),
    "CHILD_BENEFIT": registry.Labels(fr="Allocations", nl="Kinderbijslag", en="Child benefit"),
    "SICK_PAY": registry.Labels(fr="Maladie", nl="Ziekte", en="Sick pay"),
}


class Registry:
    """A channel to a registry that gives two codes on a page. `away`: it does not answer."""

    def __init__(self) -> None:
        self.away = False

    def unary_unary(self, *_arguments: object, **_named: object) -> Any:
        """The one call that is made."""
        return self._list_codes

    unary_stream = stream_unary = stream_stream = unary_unary

    async def _list_codes(self, request: registry.ListCodesRequest) -> registry.ListCodesResponse:
        if self.away:
            raise CrossroadsError(Reason.UNAVAILABLE, "registry does not answer")
        assert request.list == PURPOSES
        start = int(request.page_token or 0)
        found = [
            registry.Code(list=request.list, code=code, labels=labels)
            for code, labels in NAMES.items()
        ]
        return registry.ListCodesResponse(
            codes=found[start : start + 2],
            next_page_token=str(start + 2) if len(found) > start + 2 else "",
        )


def words() -> tuple[CatalogueWords, PurposeNames, Registry]:
    there: Any = Registry()
    purposes = PurposeNames(channel=there)
    rows: Any = {}
    return CatalogueWords(rows=rows, purposes=purposes), purposes, there


async def test_a_purpose_is_called_by_its_name_in_the_language_asked_for() -> None:
    said, purposes, _ = words()
    await purposes.refresh()
    assert [said.purpose("PENSION", each) for each in ("fr", "nl", "de", "en")] == [
        "Pensions",
        "Pensioenen",
        "Renten",
        "Pensions",
    ]
    assert said.purpose("SICK_PAY", "nl") == "Ziekte"  # of the second page
    assert said.purpose("CHILD_BENEFIT", "de") == "Child benefit"


async def test_a_purpose_without_a_name_is_its_code_made_readable() -> None:
    said, purposes, _ = words()
    assert said.purpose("PENSION", "nl") == "pension"
    await purposes.refresh()
    assert said.purpose("OWN_LIST.OTHER", "nl") == "own list, other"


async def test_names_stay_while_registry_does_not_answer() -> None:
    said, purposes, there = words()
    await purposes.refresh()
    there.away = True
    with pytest.raises(CrossroadsError):
        await purposes.refresh()
    assert said.purpose("PENSION", "nl") == "Pensioenen"
