"""What cannot run here is at least there: commands, options, files, alerts' sections, reasons."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from services.cli.__main__ import app, register
from services.cli.platform.openbao import _binary
from services.runtime.errors import RETRYABLE
from tests.support.manifests import INFRA, ROOT
from tests.support.runbooks import PAGES, RUNBOOKS, blocks

KUBECTL = {
    *("apply", "cordon", "cp", "create", "debug", "delete", "describe", "diff", "drain", "exec"),
    *("get", "kustomize", "label", "logs", "port-forward", "rollout", "scale", "top", "uncordon"),
    "wait",
}
PLUGINS = {"cnpg": {"backup", "psql", "status"}}
HELM = {"history", "install", "rollback", "test", "upgrade"}
SHELL = {"for", "do", "done", "export", "mkdir", "cat", "shred", "head", "sha256sum"}
KNOWN = {"crossroads", "kubectl", "helm", "bao", "openssl", "curl", *SHELL}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Of the fences that need a cluster; the others were run."""
    for page in PAGES:
        for block in blocks(page):
            if block.where == "cluster":
                yield from ((page.name, words) for words in block.commands())


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_command_for_a_cluster_is_one_that_is_known() -> None:
    assert {words[0] for _, words in commands()} <= KNOWN


def ours() -> list[list[str]]:
    return [words[1:] for _, words in commands() if words[0] == "crossroads"]


@cache
def whole() -> Any:
    """The command `crossroads`, with all that it has."""
    register()
    return typer.main.get_command(app)


@pytest.mark.parametrize("words", ours(), ids=" ".join)
def test_our_command_has_that_subcommand_and_those_options(words: list[str]) -> None:
    command, rest = whole(), list(words)
    while hasattr(command, "commands"):
        name = rest.pop(0)
        assert name in command.commands, f"{command.name}: no {name}"
        command = command.commands[name]
    known = {option for each in command.params for option in each.opts}
    assert {each.split("=")[0] for each in rest if each.startswith("--")} <= known


def test_verbs_of_kubectl_and_helm_exist() -> None:
    for page, words in commands():
        if words[0] == "kubectl":
            verb, after = _verb(words)
            if verb in PLUGINS:
                assert after in PLUGINS[verb], page
            else:
                assert verb in KUBECTL, page
        if words[0] == "helm":
            assert _verb(words)[0] in HELM, page


def _verb(words: Sequence[str]) -> tuple[str, str]:
    """The first two words that are neither options nor the value of -n."""
    rest = [word for index, word in enumerate(words[1:]) if words[index] != "-n"]
    plain = [word for word in rest if not word.startswith("-")]
    return plain[0], plain[1] if len(plain) > 1 else ""


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("verb", sorted(KUBECTL))
def test_kubectl_has_the_options_that_are_given(verb: str) -> None:
    used = {
        option.split("=")[0]
        for _, words in commands()
        if words[0] == "kubectl" and _verb(words)[0] == verb
        for option in words[: words.index("--") if "--" in words else None]
        if option.startswith("--")
    }
    # `create secret generic` and the like have options of their own.
    deeper = {" ".join(w[w.index("create") + 1 :][:2]) for _, w in commands() if "create" in w}
    helps = [[verb], *([verb, *each.split()] for each in deeper if verb == "create")]
    helps.append(["options"])
    text = "".join(
        subprocess.run(
            ["kubectl", *each, "--help"], capture_output=True, text=True, check=False
        ).stdout
        for each in helps
    )
    assert {option for option in used if option not in text} == set()


def test_openbao_has_the_subcommands_that_are_named() -> None:
    named = set()
    for _, words in commands():
        if "bao" in words:
            rest = words[words.index("bao") + 1 :]
            depth = 3 if rest[:2] == ["operator", "raft"] else 2
            depth = 4 if rest[:3] == ["operator", "raft", "snapshot"] else depth
            named.add(tuple(rest[: 1 if rest[0] in ("write", "status") else depth]))
    assert ("operator", "raft", "snapshot", "restore") in named
    for each in named:
        done = subprocess.run([_binary(), *each, "-h"], capture_output=True, check=False)
        assert done.returncode == 0, each


def test_files_that_are_named_exist() -> None:
    for name, words in commands():
        for word in words:
            if word.startswith(("infra/", "charts/", "tools/")):
                assert (ROOT / word).exists(), name
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", page.read_text()):
            if target and "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
        for target, anchor in re.findall(r"\]\(([^)#:]*\.md)#([^)]*)\)", page.read_text()):
            assert anchor in anchors(page.parent / target), f"{page.name}: {target}#{anchor}"


def test_every_retryable_reason_has_its_section() -> None:
    headings = re.findall(r"^## (\S+)$", (RUNBOOKS / "unavailable.md").read_text(), re.MULTILINE)
    assert set(headings) == set(RETRYABLE)


def test_every_alert_says_what_happens_and_leads_to_a_section() -> None:
    alerts = [
        rule
        for file in (INFRA / "observability" / "alerts").glob("[!k]*.yaml")
        for group in yaml.safe_load(file.read_text())["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert len(alerts) > 20
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert alert["annotations"]["summary"]
        file, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert anchor in anchors(ROOT / file), alert["alert"]


def test_every_alert_that_a_page_names_exists() -> None:
    text = "".join(
        each.read_text() for each in (INFRA / "observability" / "alerts").glob("[!k]*.yaml")
    )
    known = set(re.findall(r"alert: (\w+)", text))
    for page in PAGES:
        named = set(re.findall(r"`((?:[A-Z][a-z]+){2,})`", page.read_text()))
        mentioned = {each for each in named if each in known or each.endswith(("Gone", "Stopped"))}
        assert mentioned <= known, page.name
