"""Dashboards and alerts name metrics that exist, and alerts lead to a runbook that exists."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.runtime.exposition import exposition
from services.runtime.metrics import Metrics
from tests.support.manifests import INFRA, ROOT

OBSERVABILITY = INFRA / "observability"
RULES = sorted((OBSERVABILITY / "alerts").glob("[!k]*.yaml"))
DASHBOARDS = sorted((OBSERVABILITY / "dashboards").glob("*.json"))
OTHERS = json.loads((ROOT / "tests" / "data" / "metrics_of_others.json").read_text())
"""What operators and servers that are not ours emit, by where that is written."""

LANGUAGE = {
    *("absent", "deriv", "histogram_quantile", "label_replace", "max", "min", "rate", "sum"),
    *("time", "topk", "vector", "and", "or", "unless"),
}
LABELS = {
    *("rpc_method", "rpc_status_code", "rpc_system_name", "error_type", "le", "part"),
    *("job", "instance", "pod", "namespace", "cluster", "datname", "state"),
}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="no promtool (apt-get install prometheus)",
)


def groups() -> Iterator[Mapping[str, Any]]:
    for file in RULES:
        yield from yaml.safe_load(file.read_text())["spec"]["groups"]


def rules() -> list[Mapping[str, Any]]:
    return [rule for group in groups() for rule in group["rules"]]


def alerts() -> list[Mapping[str, Any]]:
    return [each for each in rules() if "alert" in each]


def expressions() -> list[str]:
    shown = [
        target["expr"]
        for file in DASHBOARDS
        for panel in json.loads(file.read_text())["panels"]
        for target in panel["targets"]
    ]
    return [*(each["expr"] for each in rules()), *shown]


def metrics_in(expression: str) -> set[str]:
    """The names of metrics: words that are no label, function, duration or part of a text."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|ignoring|without)\s*\([^)]*\)", " ", bare)
    return set(re.findall(r"\b[a-z_][a-z0-9_:]*\b", bare)) - LANGUAGE


def emitted() -> set[str]:
    """Names as Prometheus sees them, of every instrument that the code of the services makes."""
    made = Metrics()
    for file in (ROOT / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (node.args and isinstance(node.args[0], ast.Constant)):
                continue
            given = {each.arg: each.value for each in node.keywords}
            unit = given.get("unit")
            units = {"unit": unit.value} if isinstance(unit, ast.Constant) else {}
            _make(made, node.func.attr, str(node.args[0].value), units)
    lines = exposition(made).splitlines()
    return {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}


def _make(made: Metrics, kind: str, name: str, units: dict[str, Any]) -> None:
    if "." not in name:
        return
    if kind == "histogram":
        made.histogram(name, **units).bind()
    elif kind == "counter":
        made.counter(name, **units).bind()
    elif kind == "gauge":
        made.gauge(name, lambda: 0.0, **units)
    elif kind == "gauge_by":
        made.gauge_by(name, "part", lambda: {"": 0.0})


def test_every_metric_that_is_named_exists() -> None:
    recorded = {each["record"] for each in rules() if "record" in each}
    others = {name for names in OTHERS.values() for name in names}
    ours = emitted()
    assert "crossroads_log_behind_seconds" in ours
    known = ours | recorded | others
    assert {name for each in expressions() for name in metrics_in(each)} - known == set()


def test_no_metric_of_others_is_listed_that_nothing_names() -> None:
    named = {name for each in expressions() for name in metrics_in(each)}
    assert {name for names in OTHERS.values() for name in names} - named == set()


def test_every_label_that_is_named_exists() -> None:
    for expression in expressions():
        for matchers in re.findall(r"\{([^}]*)\}", expression):
            assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= LABELS, expression
        for listed in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
            assert {each.strip() for each in listed.split(",")} <= LABELS, expression


def test_every_method_and_reason_that_is_named_exists() -> None:
    from services.runtime.errors import Reason  # noqa: PLC0415

    for expression in expressions():
        for method in re.findall(r'rpc_method="([^"]+)"', expression):
            service, _, rpc = method.rpartition("/")
            proto = ROOT / "protos" / Path(*service.split(".")[:-2])
            text = "".join(each.read_text() for each in proto.rglob("*.proto"))
            assert re.search(rf"\brpc {rpc}\(", text), method
        for reasons in re.findall(r'error_type(?:=~|!~|=)"([A-Z_|]+)"', expression):
            assert set(reasons.split("|")) <= set(Reason), reasons


def test_the_objectives_are_what_they_are_said_to_be() -> None:
    text = (OBSERVABILITY / "alerts" / "objectives.yaml").read_text()
    for percent in re.findall(r"([\d.]+) %[^.]* of exchanges", text):
        assert f"* {(100 - float(percent)) / 100:.4f}" in text


@needs_promtool
@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_prometheus_takes_the_rules(file: Path, tmp_path: Path) -> None:
    plain = tmp_path / "rules.yml"
    plain.write_text(yaml.safe_dump(yaml.safe_load(file.read_text())["spec"]))
    done = subprocess.run(["promtool", "check", "rules", plain], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_promtool
def test_alerts_fire_when_they_must_and_not_before(tmp_path: Path) -> None:
    for file in RULES:
        spec = yaml.safe_load(file.read_text())["spec"]
        (tmp_path / f"{file.stem}.yml").write_text(yaml.safe_dump(spec))
    cases = tmp_path / "cases.yml"
    cases.write_text((ROOT / "tests" / "data" / "alert_cases.yml").read_text())
    done = subprocess.run(["promtool", "test", "rules", cases], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
