"""How long a service takes from the start of its container until it serves: told, not judged."""

import re
import statistics
import sys
from datetime import datetime

import pytest

from tests.cluster.conftest import Trial, ready
from tests.cluster.ground import COMMUNITY, SERVICES
from tests.cluster.inside import runs, serving
from tests.cluster.kubectl import kubectl, missing

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("cluster"),
]
# A pod of the log that comes second stands by, and says that it serves when the first ends.
STARTED = tuple(each for each in SERVICES if each != "logging")
# When process 1 of this container began, in seconds of the epoch (proc(5): field 22, ticks).
BEGAN = """
import os, time
ticks = int(open("/proc/1/stat").read().rpartition(")")[2].split()[19])
up = float(open("/proc/uptime").read().split()[0])
print(time.time() - up + ticks / os.sysconf("SC_CLK_TCK"))
"""
SERVING = re.compile(r'"time": "([^"]+)".*"message": "serving"')


def test_a_service_serves_whose_pod_was_replaced(
    trial: Trial,
    capsys: pytest.CaptureFixture[str],
) -> None:
    took = {}
    for service in STARTED:
        old = serving(service)[0]["metadata"]["name"]
        kubectl("delete", "pod", old, "-n", COMMUNITY, "--wait")
        ready()
        name = serving(service)[0]["metadata"]["name"]
        found = SERVING.search(kubectl("logs", "-n", COMMUNITY, name))
        assert found is not None, f"{name} does not say that it serves"
        began = float(runs(BEGAN, service=service, namespace=COMMUNITY))
        took[service] = datetime.fromisoformat(found[1]).timestamp() - began
        assert took[service] > 0
    told = [f"{service} {seconds:.1f}" for service, seconds in took.items()]
    told.append(f"median {statistics.median(took.values()):.1f}")
    with capsys.disabled():
        sys.stdout.write(f"\nseconds from start to SERVING: {', '.join(told)}\n")
