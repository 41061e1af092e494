"""What the pages have a person bring is what the charts and the witness want."""

import re
import subprocess
from dataclasses import fields
from hashlib import sha256

import pytest

from services.logging.config import Config
from services.witness.servicer import CHECKPOINT
from tests.support.charts import production
from tests.support.runbooks import RUNBOOKS, blocks

INSTALL = "\n".join(
    each.text for each in blocks(RUNBOOKS / "install.md") if each.where == "cluster"
)


def made(namespace: str) -> set[str]:
    """The secrets and config maps that install.md makes there; of a loop, for each service."""
    found = set()
    for loop, body in re.findall(
        r"^for service in (.*); do\n((?:.*\n)*?)done$", INSTALL, re.MULTILINE
    ):
        for service in loop.split():
            found |= named(body.replace("$service", service), namespace)
    return found | named(INSTALL, namespace)


def named(text: str, namespace: str) -> set[str]:
    kinds = "secret generic|secret docker-registry|configmap"
    return set(re.findall(rf"kubectl -n {namespace} create (?:{kinds}) (\S+)", text))


@pytest.mark.parametrize(
    ("chart", "own"), [("community", "crossroads"), ("public", "crossroads-public")]
)
def test_whatever_a_pod_can_not_start_without_is_made_before(chart: str, own: str) -> None:
    render = production(chart)
    there = {each["metadata"]["name"] for each in render.of("ConfigMap", "Secret")}
    # The public cloud is installed "in the same way": its page has what only it needs.
    there |= made(own) | made("crossroads")
    there |= {"publication-database-ca"} if own != "crossroads" else set()
    wanted = set()
    for pod in render.pods():
        wanted |= {each["name"] for each in pod.spec.get("imagePullSecrets", ())}
        for volume in pod.spec["volumes"]:
            source = volume.get("secret") or volume.get("configMap") or {"optional": True}
            if not source.get("optional"):
                wanted.add(source.get("secretName") or source["name"])
    assert wanted - there == set()
    assert wanted


def test_the_trial_exchange_comes_after_what_it_needs() -> None:
    assert INSTALL.index("crossroads genesis") < INSTALL.index(
        "create secret generic exchange-test"
    )
    assert INSTALL.index("create secret generic exchange-test") < INSTALL.index("helm test")


def test_a_witness_keeps_the_checkpoint_where_the_page_fetches_it() -> None:
    (line,) = [
        line
        for block in blocks(RUNBOOKS / "restore.md")
        for line in block.text.splitlines()
        if line.startswith("curl ") and "witness" in line
    ]
    # The shell's own substitution makes the address; nothing is fetched here.
    shown = subprocess.run(
        ["bash", "-euc", line.replace("curl ", "echo ", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"https://[^/]*(/\S+)", shown)
    assert found is not None
    kept = CHECKPOINT.fullmatch(found[1])
    assert kept is not None, shown
    origin = next(str(each.default) for each in fields(Config) if each.name == "origin")
    assert kept[1] == sha256(origin.encode()).hexdigest()
