"""Processes and ports of one home."""

import json
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.platform import ports, processes
from services.cli.platform.home import Home


def test_a_process_is_found_until_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        file = tmp_path / "x.pid"
        processes.record(file, child.pid)
        found = processes.find(file)
        assert found is not None
        assert processes.end(found, seconds=5)
        child.wait()
    assert processes.find(file) is None


def test_a_reused_id_is_not_taken_for_the_process(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        file = tmp_path / "x.pid"
        processes.record(file, stranger.pid)
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"started": content["started"] - 1}))
        assert processes.find(file) is None
        processes.end(processes.Process(stranger.pid, content["started"] - 1), seconds=1)
        assert stranger.poll() is None
        stranger.kill()


def test_a_process_is_buried_when_its_parent_has_taken_notice(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        file = tmp_path / "x.pid"
        processes.record(file, child.pid)
        assert not processes.buried(file, seconds=0)
        child.kill()
        zombie = processes.identify(child.pid)
        while zombie is not None and zombie.alive:
            zombie = processes.identify(child.pid)
        assert processes.find(file) is None
        assert not processes.buried(file, seconds=0.1)
        child.wait()
    assert processes.buried(file, seconds=0)


def test_a_process_that_does_not_listen_is_killed_at_the_deadline() -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        process = processes.identify(child.pid)
        assert process is not None
        assert not processes.end(process, seconds=0.3)
        assert child.wait() == -9


def test_a_port_is_kept_until_somebody_else_takes_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = ports.claim(home, ["a", "b"])
    assert ports.claim(home, ["a", "b"]) == first
    with socket.create_server((ports.LOOPBACK, first["a"])):
        second = ports.claim(home, ["a", "b"])
        assert second["a"] != first["a"]
        assert second["b"] == first["b"]
        assert ports.add(home, ["a", "c"])["a"] == second["a"]


HOLDER = """
import sys
from pathlib import Path
from services.cli.platform import ports
from services.cli.platform.home import Home
print(ports.claim(Home(Path(sys.argv[1])), ["held"])["held"], flush=True)
sys.stdin.read()
"""


def test_a_port_that_another_platform_claimed_is_not_claimed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = [Home(tmp_path / name) for name in ("one", "two")]
    for each in homes:
        each.make()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(homes[0].path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        held = int(holder.stdout.readline())
        free = next(each for each in range(ports.FIRST, ports.LAST) if each != held)
        monkeypatch.setattr(random, "sample", lambda *_: [held, free])
        assert ports.free(held)
        assert ports.claim(homes[1], ["wanted"])["wanted"] != held
        holder.communicate()
