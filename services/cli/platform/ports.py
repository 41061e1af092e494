"""Ports of one home: chosen free at the first start, kept in ports.json, chosen anew when taken.

Contract: addresses stay the same from one start to the next, so that who wrote one down still finds
it. Ports come from below the range that the kernel gives to outgoing connections, which would
otherwise sit on them now and then. Whoever claims or adds ports reserves them for as long as it
lives (a lock on a file each), so that platforms that start at the same time don't pick the same.
"""

import fcntl
import json
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path

from services.cli.platform.home import Home, PlatformError, write

FIRST, LAST = 18000, 32000
LOOPBACK = "127.0.0.1"
_reserved: dict[int, int] = {}
"""The descriptor that holds the lock of each port; the kernel frees it with the process."""


def claim(home: Home, names: Iterable[str]) -> dict[str, int]:
    """The port of each name. Call it while nothing of this home runs: what it holds seems taken."""
    kept = _read(home.ports)
    chosen: dict[str, int] = {}
    for name in names:
        port = kept.get(name, 0)
        if not (port and port not in chosen.values() and free(port) and _reserve(port)):
            port = _choose(set(kept.values()) | set(chosen.values()))
        chosen[name] = port
    write(home.ports, json.dumps(kept | chosen, indent=2, sort_keys=True) + "\n")
    return chosen


def add(home: Home, names: Iterable[str]) -> dict[str, int]:
    """The ports of these names while others of this home are in use: only new ones are chosen."""
    kept = _read(home.ports)
    for name in names:
        if name not in kept:
            kept[name] = _choose(set(kept.values()))
    write(home.ports, json.dumps(kept, indent=2, sort_keys=True) + "\n")
    return kept


def known(home: Home) -> dict[str, int]:
    """The ports as they were last claimed."""
    return _read(home.ports)


def free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _choose(taken: set[int]) -> int:
    for port in random.sample(range(FIRST, LAST), 200):
        if port not in taken and free(port) and _reserve(port):
            return port
    raise PlatformError(f"no free port between {FIRST} and {LAST} on {LOOPBACK}")


def _reserve(port: int) -> bool:
    """Keep the port from this user's other platforms; False when one of them has it."""
    if port in _reserved:
        return True
    folder = Path(tempfile.gettempdir()) / f"crossroads-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    _reserved[port] = descriptor
    return True


def _read(file: Path) -> dict[str, int]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): int(port) for name, port in content.items()}
