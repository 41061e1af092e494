"""A disk of a test's own that can be filled: a tmpfs, which only root can mount.

Contract: `small_disk` mounts it on a folder and takes it away afterwards; where the machine does
not let us, the test is skipped with the reason. `full` leaves no octet of room meanwhile.
"""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """The disk at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    @contextmanager
    def full(self) -> Iterator[None]:
        """Without room meanwhile."""
        self.fill()
        try:
            yield
        finally:
            self._ballast.unlink()

    def fill(self) -> None:
        """Take what room there is."""
        with self._ballast.open("ab", buffering=0) as ballast:
            while room := os.statvfs(self.path).f_bavail * 4096:
                size = os.fstat(ballast.fileno()).st_size
                try:
                    os.posix_fallocate(ballast.fileno(), 0, size + room)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    # Whoever works on this disk took some of it meanwhile: look again.


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[SmallDisk]:
    """A disk of `size` ("64k") at `path`, which is made if need be."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk to fill")
    path.mkdir(parents=True, exist_ok=True)
    done = _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(path))
    if done.returncode:
        pytest.skip(f"this machine mounts no small disk to fill: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        _run("umount", "--lazy", str(path))


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
