"""Pods of a trial's own, beside the charts'."""

import json
import time
from pathlib import Path
from typing import Any, Self

from tests.cluster.ground import COMMUNITY
from tests.cluster.kubectl import apply, got, kubectl

SCRIPT = Path(__file__).parent / "load.py"
FOLDER = "/etc/crossroads/test"
ANSWERS = 4


class LoadPod:
    """A pod that makes exchanges for so many seconds; on another node than `elsewhere`."""

    def __init__(self, image: str, seconds: int, elsewhere: str = "") -> None:
        self._image = image
        self._seconds = seconds
        self._elsewhere = elsewhere

    def __enter__(self) -> Self:
        script = {"load.py": SCRIPT.read_text()}
        about = {"name": "load"}
        listed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": script}
        apply(COMMUNITY, [listed, self._pod()])
        kubectl("wait", "-n", COMMUNITY, "pod/load", "--for=jsonpath={.status.phase}=Running")
        return self

    def __exit__(self, *_: object) -> None:
        kubectl("delete", "-n", COMMUNITY, "pod/load", "configmap/load", "--ignore-not-found")

    def goes_on(self) -> None:
        """Wait until exchanges are answered, as they are now and a moment later."""
        until, seen = time.monotonic() + 90, [self._answered()]
        while len(seen) < ANSWERS:
            assert time.monotonic() < until, "no exchange is answered any more"
            time.sleep(0.5)
            if (answered := self._answered()) > seen[-1]:
                seen.append(answered)

    def _answered(self) -> int:
        said = kubectl("logs", "-n", COMMUNITY, "load", "--tail=1").strip() or '{"answered": 0}'
        return int(json.loads(said)["answered"])

    def told(self) -> dict[str, Any]:
        """What it says at its end."""
        until = time.monotonic() + self._seconds + 120
        while True:
            (pod,) = got(COMMUNITY, "pod/load")
            phase = pod["status"]["phase"]
            if phase in {"Succeeded", "Failed"}:
                break
            assert time.monotonic() < until, "the load does not end"
            time.sleep(1)
        said = kubectl("logs", "-n", COMMUNITY, "load")
        assert phase == "Succeeded", said[-2000:]
        told: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return told

    def _pod(self) -> dict[str, Any]:
        container = {
            "name": "load",
            "image": self._image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/opt/crossroads/bin/python", "/load/load.py"],
            "args": [FOLDER, str(self._seconds)],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": "test", "mountPath": FOLDER},
                {"name": "load", "mountPath": "/load"},
            ],
        }
        # The labels let it through the doors of the charts' own test (Release.doors).
        labels = {"app.kubernetes.io/name": "exchange-test", "app.kubernetes.io/component": "test"}
        security = {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532}
        spec: dict[str, Any] = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": security | {"seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [
                {"name": "test", "secret": {"secretName": "exchange-test"}},
                {"name": "load", "configMap": {"name": "load"}},
            ],
        }
        if self._elsewhere:
            spec["affinity"] = _not_on(self._elsewhere)
        about = {"name": "load", "labels": labels | {"app.kubernetes.io/part-of": "crossroads"}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec}


def _not_on(node: str) -> dict[str, Any]:
    field = {"key": "metadata.name", "operator": "NotIn", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
