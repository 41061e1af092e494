"""The cluster that KUBECONFIG names, through kubectl."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

Object = Mapping[str, Any]
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def missing() -> str:
    """Why there is no cluster at hand; "" when there is."""
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG names no cluster"
    return "" if shutil.which("kubectl") else "kubectl is not installed"


def kubectl(*arguments: str, given: str = "", seconds: float = 300) -> str:
    """What kubectl prints. Raises AssertionError with what it says when it fails."""
    done = subprocess.run(
        ["kubectl", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr[-2000:]}"
    return done.stdout


def apply(namespace: str, objects: Sequence[Object]) -> None:
    """Bring these objects to what they say."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    options = ("--server-side", "--force-conflicts", "--field-manager=crossroads")
    kubectl("apply", "-n", namespace, *options, "-f", "-", given=json.dumps(listed))


def got(namespace: str, what: str, *options: str) -> list[Any]:
    """The objects of a kind, or one by "kind/name"."""
    found = json.loads(kubectl("get", "-n", namespace, what, "-o", "json", *options))
    items: list[Any] = found.get("items", [found])
    return items


def rolled_out(namespace: str, *workloads: str, seconds: int = 300) -> None:
    """Wait until these ("deployment/x", "statefulset/y") are as they should be."""
    for each in workloads:
        limit = f"--timeout={seconds}s"
        kubectl("rollout", "status", "-n", namespace, each, limit, seconds=seconds + 10)


@contextmanager
def forwarded(namespace: str, target: str, port: int) -> Iterator[int]:
    """The local port that leads to a port of "service/x" or "pod/y"."""
    command = ["kubectl", "port-forward", "-n", namespace, target, f":{port}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = FORWARDING.search(line)
        assert found is not None, f"port-forward to {target}: {line}"
        yield int(found[1])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
