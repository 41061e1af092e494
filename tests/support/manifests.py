"""What infra/ declares, as objects that a test can ask: rendered by kustomize, or file by file.

Contract: `rendered(folder)` is what `kubectl kustomize` makes of a folder, rendered once; who asks
for it is skipped where there is no kubectl (`needs_kubectl`). `written()` are the objects as they
stand in the files, before anything is put in or patched: what can be checked everywhere.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from kubernetes_validate.utils import all_versions, validate

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
ENVIRONMENTS = ("simulation", "acceptance", "production")
CLOUDS = ("community", "public")
EVERY = tuple((environment, cloud) for environment in ENVIRONMENTS for cloud in CLOUDS)
NEWEST = list(dict.fromkeys(all_versions()))[-3:]
CUSTOM = json.loads((ROOT / "tests" / "data" / "custom_kinds.json").read_text())["kinds"]
"""Schemas of others' kinds, cut down to the fields that infra/ uses: no others pass."""

Object = Mapping[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times quicker where libyaml is
needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed: nothing renders kustomize"
)


@cache
def rendered(folder: str) -> tuple[Object, ...]:
    """What kustomize makes of a folder below infra/."""
    return _rendered(INFRA / folder)


def environment(name: str, cloud: str) -> tuple[Object, ...]:
    """All of one cloud in one environment."""
    return rendered(f"environments/{name}/{cloud}")


def with_component(name: str, cloud: str, component: str) -> tuple[Object, ...]:
    """An environment with one more component below infra/, as a runbook adds it."""
    with tempfile.TemporaryDirectory() as folder:
        here = os.path.relpath(INFRA, Path(folder).resolve())  # kustomize takes no absolute paths
        text = {
            "resources": [f"{here}/environments/{name}/{cloud}"],
            "components": [f"{here}/{component}"],
        }
        (Path(folder) / "kustomization.yaml").write_text(json.dumps(text))
        return _rendered(Path(folder))


def _rendered(folder: Path) -> tuple[Object, ...]:
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.load_all(done.stdout, Loader=LOADER))


def of(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """Those of a kind, by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def written() -> Iterator[tuple[str, Object]]:
    """Each object in the files, with its file; no kustomization, nothing that is not applied."""
    for file in sorted(INFRA.rglob("*.yaml")):
        for each in yaml.safe_load_all(file.read_text()):
            if each.get("apiVersion", "").split("/")[0] in ("kustomize.config.k8s.io", ""):
                continue
            if "config.kubernetes.io/local-config" in each["metadata"].get("annotations", {}):
                continue
            yield str(file.relative_to(INFRA)), each


def check(each: Object, versions: Sequence[str] = NEWEST[-1:]) -> None:
    """Raises when one of these Kubernetes, or the operator whose kind it is, would refuse it."""
    kind = f"{each['apiVersion']}/{each['kind']}"
    if kind in CUSTOM:
        jsonschema.Draft202012Validator(CUSTOM[kind]).validate({"spec": each["spec"]})
    else:
        for version in versions:
            validate(dict(each), version, strict=True)
