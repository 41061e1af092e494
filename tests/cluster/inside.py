"""What pods can do, tried from inside them."""

from pathlib import Path
from typing import Any

from tests.cluster.ground import COMMUNITY, GATEWAY
from tests.cluster.kubectl import got, kubectl

PYTHON = "/opt/crossroads/bin/python"
ASKING = Path(__file__).parent / "asking.py"
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
    print("reached")
except socket.gaierror:
    print("no such name")
except OSError:
    print("cut")
"""


def serving(service: str, namespace: str = COMMUNITY) -> list[dict[str, Any]]:
    """The pods of a service that serve and are to stay, the newest first."""
    chosen = f"app.kubernetes.io/name={service},app.kubernetes.io/component!=migrate"
    pods = [
        each
        for each in got(namespace, "pods", "-l", chosen)
        if not each["metadata"].get("deletionTimestamp")
    ]
    return sorted(pods, key=lambda each: str(each["metadata"]["creationTimestamp"]), reverse=True)


def runs(script: str, *arguments: str, service: str, namespace: str) -> str:
    """What a script prints in a pod of that service."""
    pod = serving(service, namespace)[0]["metadata"]["name"]
    container = ("exec", "-i", "-n", namespace, pod, "--", PYTHON, "-", *arguments)
    return kubectl(*container, given=script).strip()


def reaches(service: str, host: str, port: int, namespace: str = COMMUNITY) -> bool:
    """Whether a pod of that service can connect."""
    said = runs(CONNECT, host, str(port), service=service, namespace=namespace)
    assert said in {"reached", "cut"}, f"{host}: {said}"
    return said == "reached"


def asks(service: str, host: str, namespace: str) -> str:
    """What becomes of a call with that service's certificate (asking.py)."""
    script = ASKING.read_text()
    return runs(script, service, host, "8443", service=service, namespace=namespace)


def enforced() -> bool:
    """Whether network policies are in force: tried, on a path that none of them allows."""
    return not reaches("gateway", f"registry.{COMMUNITY}.svc", 8081, namespace=GATEWAY)
