"""Pin the dependencies: `requirements.lock` for an image, `requirements-dev.lock` for a clone, and
`requirements-checkov.lock` for what has a virtual environment of its own.

With hashes and without index addresses: whoever installs uses the index that their pip is set to.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"


def main() -> int:
    """Write both lock files, for every platform and Python from 3.11 on."""
    common: list[str | Path] = [
        UV,
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version",
        "3.11",
    ]
    common += ["--generate-hashes", "--no-emit-index-url", "--custom-compile-command", "make lock"]
    for what, lock in (
        (["pyproject.toml"], "requirements.lock"),
        (["pyproject.toml", "--all-extras"], "requirements-dev.lock"),
        (["--group", "checkov"], "requirements-checkov.lock"),
    ):
        subprocess.run([*common, *what, "-o", lock], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
