"""`make lint`: every check of the house in one run, all of them even when one fails."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("ruff check", [f"{BIN}/ruff", "check", "."]),
    ("ruff format", [f"{BIN}/ruff", "format", "--check", "."]),
    ("house rules", [sys.executable, "-m", "tools.house"]),
    ("import rules", [f"{BIN}/lint-imports"]),
    ("mypy --strict", [f"{BIN}/mypy"]),
    ("buf lint", [sys.executable, "-m", "tools.protos", "lint"]),
    ("sensitivity", [sys.executable, "-m", "tools.sensitivity", "--check"]),
    ("placement", [sys.executable, "-m", "tools.placement", "--check"]),
    ("hadolint", [f"{BIN}/hadolint", "Containerfile"]),
    ("buf breaking", [sys.executable, "-m", "tools.protos", "breaking"]),
)


def main() -> int:
    """Run all checks; print a line each, and the output of those that fail."""
    failed = []
    for name, command in CHECKS:
        began = time.monotonic()
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        verdict = "ok" if result.returncode == 0 else "FAILED"
        print(f"{name:<14} {verdict:<7} {time.monotonic() - began:5.1f} s", flush=True)
        if result.returncode:
            failed.append(name)
            print(result.stdout + result.stderr, flush=True)
    if failed:
        print(f"lint: {', '.join(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
