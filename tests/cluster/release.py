"""A release of a chart: helm where it is installed; elsewhere its own rendering, through kubectl.

Contract: hooks run as Helm runs them: by weight, a job until it is complete, and a failed one stops
the release. What a later revision no longer has is removed.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kubectl import Object, apply, got, kubectl
from tests.support.charts import CHARTS, rendered

HOOK, WEIGHT = "helm.sh/hook", "helm.sh/hook-weight"
TESTED = "app.kubernetes.io/part-of=crossroads,app.kubernetes.io/component=test"
SECONDS = 300


class Release:
    """`chart` as the release "crossroads" in a namespace. `values` lie over those of ci/small."""

    def __init__(self, chart: str, namespace: str, values: Mapping[str, Any]) -> None:
        self.chart = chart
        self.namespace = namespace
        self.values = values
        self._before: list[Object] = []

    def bring(self, **more: Any) -> None:
        """Install it, or upgrade it; `more` values lie over the others."""
        values = dict(self.values) | more
        if shutil.which("helm"):
            self._helm("upgrade", "--install", "--wait", "-f", "-", values=values)
            return
        objects = rendered(self.chart, "small-values.yaml", **values).objects
        phase = "pre-upgrade" if self._before else "pre-install"
        self._run_hooks(objects, phase)
        lasting = [each for each in objects if not _hooks(each)]
        apply(self.namespace, lasting)
        self._prune(lasting)
        self._before = lasting

    def test(self) -> str:
        """`helm test`: what its pods print. Raises AssertionError when one fails."""
        if shutil.which("helm"):
            return self._helm("test", "--logs")
        objects = rendered(self.chart, "small-values.yaml", **self.values).objects
        return self._run_hooks(objects, "test")

    @contextmanager
    def doors(self) -> Iterator[None]:
        """What lets the chart's test through the network policies, for a pod with its labels."""
        objects = rendered(self.chart, "small-values.yaml", **self.values).objects
        policies = [e for e in objects if e["kind"] == "NetworkPolicy" and "test" in _hooks(e)]
        apply(self.namespace, policies)
        try:
            yield
        finally:
            self._delete(policies)

    def remove(self) -> None:
        """Uninstall it."""
        if shutil.which("helm"):
            self._helm("uninstall", "--wait")
            # What a test left is a hook's, and no part of the release.
            kubectl("delete", "pod", "-n", self.namespace, "-l", TESTED, "--wait")
            return
        self._prune([])
        self._before = []

    def _helm(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        folder = CHARTS / self.chart
        command = ["helm", arguments[0], "crossroads", "-n", self.namespace, *arguments[1:]]
        if values is not None:
            command += [str(folder), "-f", str(folder / "ci" / "small-values.yaml")]
        done = subprocess.run(
            command, input=json.dumps(values or {}), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run_hooks(self, objects: Sequence[Object], phase: str) -> str:
        hooks = [each for each in objects if phase in _hooks(each)]
        hooks.sort(key=lambda each: int(each["metadata"]["annotations"].get(WEIGHT, 0)))
        self._delete(hooks)
        apply(self.namespace, hooks)
        said = "".join(self._finished(each) for each in hooks)
        self._delete(hooks)
        return said

    def _finished(self, hook: Object) -> str:
        """What a job or a pod printed that ended well. Raises AssertionError if it did not."""
        if hook["kind"] not in {"Job", "Pod"}:
            return ""
        name, until = hook["metadata"]["name"], time.monotonic() + SECONDS
        while True:
            (found,) = got(self.namespace, f"{hook['kind'].lower()}/{name}")
            status = found.get("status", {})
            if status.get("succeeded") or status.get("phase") == "Succeeded":
                return kubectl("logs", "-n", self.namespace, f"{hook['kind'].lower()}/{name}")
            failed = status.get("failed", 0) > 1 or status.get("phase") == "Failed"
            if failed or time.monotonic() > until:
                said = kubectl("logs", "-n", self.namespace, f"{hook['kind'].lower()}/{name}")
                raise AssertionError(f"{name}: {said[-2000:]}")
            time.sleep(1)

    def _prune(self, kept: Sequence[Object]) -> None:
        names = {(each["kind"], each["metadata"]["name"]) for each in kept}
        gone = (e for e in self._before if (e["kind"], e["metadata"]["name"]) not in names)
        self._delete(list(gone))

    def _delete(self, objects: Sequence[Object]) -> None:
        for each in objects:
            kind, name = each["kind"], each["metadata"]["name"]
            kubectl("delete", "-n", self.namespace, kind, name, "--ignore-not-found", "--wait")


def documents(file: Path) -> list[Any]:
    """The objects of a YAML file."""
    return [each for each in yaml.safe_load_all(file.read_text()) if each]


def _hooks(each: Object) -> set[str]:
    text = (each["metadata"].get("annotations") or {}).get(HOOK, "")
    return set(text.split(",")) - {""}
