"""The collector keeps what the services really send, and nothing that is not on the list."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.routing.servicer import MAX_SECONDS
from tests.support.manifests import INFRA, ROOT

FILES = ("receive.yaml", "sample.yaml")
RESOURCE = {"service.name", "service.namespace", "service.instance.id"}


def config(name: str) -> dict[str, Any]:
    text = (INFRA / "observability" / "collector" / name).read_text()
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def allowed(context: str) -> set[str]:
    transform = config("receive.yaml")["processors"]["transform/allowed"]
    assert transform["error_mode"] == "propagate"
    (statements,) = [
        each["statements"] for each in transform["trace_statements"] if each["context"] == context
    ]
    (kept,) = [each for each in statements if each.startswith("keep_keys(")]
    return set(re.findall(r'"([^"]+)"', kept))


def literals(file: Path) -> set[str]:
    """What `….set("name", …)` and `….attributes["name"] = …` name in a module."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(attr="set"), args=[name, _]):
                found.append(name)
            case ast.Subscript(value=ast.Attribute(attr="attributes"), slice=name):
                found.append(name)
    texts = [each.value for each in found if isinstance(each, ast.Constant)]
    return {each for each in texts if isinstance(each, str) and "." in each}


def methods() -> Iterator[str]:
    """The full names of all methods: what a span of a call is named."""
    for file in (ROOT / "protos").rglob("*_service.proto"):
        text = file.read_text()
        (package,) = re.findall(r"^package ([\w.]+);", text, re.MULTILINE)
        for service, body in re.findall(r"(?ms)^service (\w+) \{(.*?)^\}", text):
            yield from (f"{package}.{service}/{rpc}" for rpc in re.findall(r"\brpc (\w+)\(", body))


def test_the_allowed_attributes_are_those_that_services_set() -> None:
    files = [each for each in (ROOT / "services").rglob("*.py") if "cli" not in each.parts]
    assert set().union(*map(literals, files)) == allowed("span")
    assert allowed("resource") == RESOURCE
    sent = (ROOT / "services" / "runtime" / "otlp.py").read_text()
    assert all(f'"{each}"' in sent for each in RESOURCE)


def test_names_of_spans_that_services_start_pass() -> None:
    transform = config("receive.yaml")["processors"]["transform/allowed"]
    (rule,) = [
        each
        for part in transform["trace_statements"]
        for each in part["statements"]
        if each.startswith("set(span.name")
    ]
    (pattern,) = re.findall(r'IsMatch\(span\.name, "([^"]+)"\)', rule)
    steps = {
        name
        for file in (ROOT / "services").rglob("*.py")
        for name in re.findall(r"""\bsteps\("([^"]+)"\)""", file.read_text())
    }
    names = steps | set(methods())
    assert {"routing.log_release", "crossroads.routing.v1.RoutingService/Exchange"} <= names
    assert {name for name in names if re.search(pattern, name) is None} == set()
    assert re.search(pattern, "person/85073003328") is None


def test_failed_and_slow_traces_are_kept_and_one_in_a_hundred_of_the_rest() -> None:
    policies = config("sample.yaml")["processors"]["tail_sampling"]["policies"]
    told = {each["type"]: each[each["type"]] for each in policies}
    assert told == {
        "status_code": {"status_codes": ["ERROR"]},
        "latency": {"threshold_ms": 1000},
        "probabilistic": {"sampling_percentage": 1},
    }


def test_a_trace_is_judged_when_the_longest_exchange_is_over() -> None:
    sampling = config("sample.yaml")["processors"]["tail_sampling"]
    wait = int(sampling["decision_wait"].removesuffix("s"))
    assert wait > MAX_SECONDS
    traces_a_second = 650  # what two cores make
    assert sampling["num_traces"] > traces_a_second * wait


@pytest.mark.parametrize("name", FILES)
def test_pipelines_use_what_is_defined_and_all_of_it(name: str) -> None:
    text = config(name)
    for kind in ("receivers", "processors", "exporters"):
        used = {each for pipe in text["service"]["pipelines"].values() for each in pipe[kind]}
        assert used == set(text[kind])
    assert set(text["service"]["extensions"]) == set(text["extensions"])
    for pipe in text["service"]["pipelines"].values():
        assert pipe["processors"][0] == "memory_limiter"


def test_what_comes_in_is_cut_down_before_it_goes_on() -> None:
    pipe = config("receive.yaml")["service"]["pipelines"]["traces"]
    assert "transform/allowed" in pipe["processors"]
