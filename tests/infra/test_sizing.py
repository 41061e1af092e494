"""infra/sizing.md is what the figures give, and what runs has at least what it says."""

import re
import tomllib
from typing import Any

import pytest

from tests.support.charts import production
from tests.support.manifests import environment, needs_kubectl, of
from tools.sizing import FIGURES, PAGE, page, size

UNITS = {"m": 0.001, "": 1.0, "Mi": 1.0, "Gi": 1024.0, "Ti": 1024.0**2}
TODAY = "the sector today"


def figures() -> dict[str, Any]:
    return tomllib.loads(FIGURES.read_text())


def amount(text: str) -> float:
    """Cores, or MiB."""
    matched = re.fullmatch(r"([\d.]+)([A-Za-z]*)", text)
    assert matched is not None, text
    return float(matched[1]) * UNITS[matched[2]]


def today() -> dict[str, Any]:
    (load,) = [each for each in figures()["loads"] if each["name"] == TODAY]
    return {"institutions": load["institutions"], "peak": load["peak"]}


def test_the_page_is_what_the_figures_give() -> None:
    text = PAGE.read_text()
    assert page(figures(), text) == text


def test_a_load_that_one_log_can_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="another origin"):
        size(figures(), institutions=3000, peak=5000)


def test_twice_the_load_never_needs_less() -> None:
    once = size(figures(), institutions=300, peak=100)
    twice = size(figures(), institutions=600, peak=200)
    assert twice.year_disk >= once.year_disk * 2 - 1
    assert twice.routing_pods * twice.routing_cores >= once.routing_pods * once.routing_cores
    assert twice.database_memory >= once.database_memory


@needs_kubectl
def test_production_is_sized_for_the_sector_of_today() -> None:
    wanted = size(figures(), **today())
    spec = of(environment("production", "community"), "Cluster")["logging-database"]["spec"]
    assert amount(spec["storage"]["size"]) >= wanted.year_disk * 1024
    requests = spec["resources"]["requests"]
    assert amount(requests["cpu"]) >= wanted.database_cores / 1000
    assert amount(requests["memory"]) >= wanted.database_memory


def test_the_charts_give_routing_and_the_log_what_the_sector_of_today_needs() -> None:
    wanted = size(figures(), **today())
    render = production("community")
    (scaler,) = [
        each
        for each in render.of("HorizontalPodAutoscaler")
        if each["metadata"]["name"] == "routing"
    ]
    assert scaler["spec"]["minReplicas"] >= wanted.routing_pods
    pods = {each.name: each.spec["containers"][0]["resources"] for each in render.pods()}
    for name, cores, memory in (
        ("routing", wanted.routing_cores, wanted.routing_memory),
        ("logging", wanted.logging_cores, wanted.logging_memory),
    ):
        assert amount(pods[name]["requests"]["cpu"]) >= cores / 1000, name
        assert amount(pods[name]["requests"]["memory"]) >= memory, name
