"""What is demanded of the container image, looked at in the image that was built.

    python -m tools.image_check IMAGE

Size (sum of its files, in MB of a million octets), user, compilers, labels, bill of materials, and
a start of every service with a root that can't be written. Exits 1 when one of them is not so.
Needs buildah and root (else run it in `buildah unshare`); leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.__main__ import NAMES

ROOT = Path(__file__).resolve().parent.parent
MOST_OCTETS = 250_000_000
COMPILERS = frozenset(
    {"cc", "c++", "gcc", "g++", "cpp", "clang", "tcc", "as", "ld", "make", "rustc"}
)
SBOM = "usr/share/sbom/crossroads.cyclonedx.json"
LABELS = ("title", "description", "licenses", "version", "revision")
START_SECONDS = 60
# In name spaces of its own: the root mounted read-only, no network, no capability after the chroot.
READ_ONLY = (
    'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd "$1" && user=$2 && shift 2'
    " && exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid"
    ' chroot --userspec="$user" . "$@"'
)


class Image:
    """A mounted image: `config` is what it says of itself, `root` where its files are."""

    def __init__(self, config: dict[str, Any], root: Path) -> None:
        self.config, self.root = config, root

    def files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Everything that is no folder, with its own state (links are not followed)."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                yield path, path.lstat()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the image as its user, with a read-only root."""
        shell = ("unshare", "--mount", "--net", "sh", "-c", READ_ONLY, "sh")
        environment = ("/usr/bin/env", "-i", *self.config["Env"])
        return subprocess.run(
            [*shell, str(self.root), self.config["User"], *environment, *command],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )


def size(image: Image) -> str:
    """How much it takes up."""
    octets = sum({(s.st_dev, s.st_ino): s.st_size for _, s in image.files()}.values())
    assert octets <= MOST_OCTETS, f"{octets / 1e6:.0f} MB; at most {MOST_OCTETS / 1e6:.0f}"
    return f"{octets / 1e6:.0f} MB of {MOST_OCTETS / 1e6:.0f}"


def user(image: Image) -> str:
    """Not root, by number: only so can the kubelet tell."""
    given: str = image.config.get("User", "")
    assert all(each.isdigit() and int(each) for each in given.split(":")), f"user is {given!r}"
    owned = [p for p, s in image.files() if str(s.st_uid) == given.partition(":")[0]]
    assert not owned, f"{owned[0]} belongs to that user, who may change it"
    return given


def compilers(image: Image) -> str:
    """None of their names in a folder of programs."""
    found = [
        path
        for path, _ in image.files()
        if path.parent.name in {"bin", "sbin"} and path.name.split("-")[-1] in COMPILERS
    ]
    assert not found, f"{found[0]}: what builds programs stays in the stage that builds"
    return "none"


def labels(image: Image) -> str:
    """Those of the OCI's annotations that say what it is."""
    given = image.config.get("Labels") or {}
    missing = [each for each in LABELS if not given.get(f"org.opencontainers.image.{each}")]
    assert not missing, f"without {', '.join(missing)}"
    return ", ".join(LABELS)


def sbom(image: Image) -> str:
    """Every package that is installed is in it, with its version."""
    listed = json.loads((image.root / SBOM).read_text())
    known = {(_plain(each["name"]), each["version"]) for each in listed["components"]}
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
    there = set()
    for folder in image.root.glob("opt/crossroads/lib/python*/site-packages/*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        there.add((_plain(name), version))
    left = {each for each in there - known if each[0] != own}
    assert there, "nothing is installed"
    assert not left, f"installed and not listed: {sorted(left)}"
    return f"{listed['bomFormat']} {listed['specVersion']}, {len(there) - 1} packages"


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def services(image: Image) -> str:
    """Each one is found and loaded by its name, and says what it wants to be given."""
    entry = image.config["Entrypoint"]
    for name in NAMES:
        done = image.run(*entry, name, "--help")
        assert done.returncode == 0, f"{name}: {done.stderr[-500:]}"
        assert "--config" in done.stdout, f"{name}: {done.stdout}"
    refused = image.run(entry[0], "-c", "open('/tmp/written', 'w')")
    assert "Read-only file system" in refused.stderr, "the root could be written"
    return f"{len(NAMES)} load with a read-only root"


CHECKS: tuple[Callable[[Image], str], ...] = (size, user, compilers, labels, sbom, services)


@contextmanager
def mounted(name: str) -> Iterator[Image]:
    """The image in a container that never runs, gone afterwards."""
    container = _buildah("from", "--pull=never", name)
    try:
        config = json.loads(_buildah("inspect", "--type", "image", name))["Docker"]["config"]
        yield Image(config, Path(_buildah("mount", container)))
    finally:
        _buildah("rm", container)


def _buildah(*arguments: str) -> str:
    done = subprocess.run(["buildah", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> int:
    """Look at everything; a line each."""
    failed = 0
    with mounted(sys.argv[1]) as image:
        for check in CHECKS:
            try:
                said = f"ok      {check(image)}"
            except AssertionError as error:
                failed, said = 1, f"FAILED  {error}"
            print(f"image: {check.__name__:<10} {said}", flush=True)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
