"""The sensitivity of services, generated for the charts."""

import json

from services.__main__ import NAMES
from tools import sensitivity


def test_what_the_charts_read_is_as_the_protos_say() -> None:
    assert sensitivity.FILE.read_text() == sensitivity.text()


def test_only_publication_and_the_witness_are_public() -> None:
    services = json.loads(sensitivity.FILE.read_text())["services"]
    assert {name for name, stated in services.items() if stated == "public"} == {
        "publication",
        "witness",
    }
    assert set(NAMES) - set(services) == {"publisher"}  # it serves nothing, so nothing is stated


def test_a_service_is_as_sensitive_as_its_most_sensitive_api() -> None:
    table = sensitivity.table()
    order = ["public", "internal", "personal"]
    for api, stated in table["apis"].items():
        name = api.split(".")[1]
        assert order.index(table["services"][name]) >= order.index(stated), api
