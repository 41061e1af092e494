"""What the charts render is what Kubernetes takes, and Helm finds nothing wrong with it."""

import re
from collections.abc import Callable

import helm_python as helm
import pytest
import yaml
from kubernetes_validate.utils import all_versions, validate

from tests.support.charts import CHARTS, NAMESPACES, Rendered, production, small

NEWEST = list(dict.fromkeys(all_versions()))[-3:]
CUSTOM = {"ServiceMonitor"}
"""Kinds of others (Prometheus Operator): no schema of Kubernetes has them."""

Size = Callable[[str], Rendered]
RENDERS = [(chart, size) for chart in ("community", "public") for size in (small, production)]


@pytest.mark.parametrize("version", NEWEST)
@pytest.mark.parametrize(("chart", "size"), RENDERS)
def test_the_three_newest_kubernetes_take_every_object(
    chart: str, size: Size, version: str
) -> None:
    objects = [each for each in size(chart).objects if each["kind"] not in CUSTOM]
    assert objects
    for each in objects:
        validate(dict(each), version, strict=True)


@pytest.mark.parametrize("chart", ["community", "public"])
@pytest.mark.parametrize("file", ["small-values.yaml", "production-values.yaml"])
def test_helm_finds_nothing_wrong(chart: str, file: str) -> None:
    values = yaml.safe_load((CHARTS / chart / "ci" / file).read_text())
    report = helm.lint(CHARTS / chart, values, strict=True, namespace=NAMESPACES[chart])
    worse_than_info = [each for each in report["messages"] if each["severity"] > 1]
    assert (report["errors"], worse_than_info) == ([], [])


@pytest.mark.parametrize(("chart", "size"), RENDERS)
def test_names_are_the_services_own_and_come_once(chart: str, size: Size) -> None:
    objects = size(chart).objects
    seen = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(seen) == len(set(seen))


def test_the_oldest_kubernetes_is_said_alike_everywhere() -> None:
    charts = [yaml.safe_load(file.read_text()) for file in CHARTS.glob("*/Chart.yaml")]
    (oldest,) = {each["kubeVersion"] for each in charts}
    number = oldest.removeprefix(">=").removesuffix(".0-0")
    assert len(charts) == 3
    stated = (CHARTS.parent / "infra" / "README.md").read_text()
    assert re.findall(r"Kubernetes (1\.\d+) or later", stated) == [number]
