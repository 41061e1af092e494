"""Code of the version before, from the repository's history, on the tables of today.

The version before is the last release; until there is one, the commit before the newest migration.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tools.protos import ROOT, last_release

pytestmark = pytest.mark.long
SUITES = ("tests/contract", "tests/integration/authorization")
SECONDS = 600


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no history here: git says {done.stderr.decode().strip()}")
    return done.stdout


def version_before() -> str:
    """A revision."""
    if (released := last_release()) != "HEAD":
        return released
    newest = git("log", "-1", "--format=%H", "--diff-filter=A", "--", "services/*/migrations/*.sql")
    return f"{newest.decode().strip()}^"


def test_code_of_the_version_before_passes_its_own_tests_on_todays_tables(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(git("archive", version_before()))) as tar:
        tar.extractall(tmp_path, filter="data")
    added = []
    for file in ROOT.glob("services/*/migrations/*.sql"):
        there = tmp_path / file.relative_to(ROOT)
        if not there.exists() and there.parent.exists():
            shutil.copy(file, there)
            added.append(there)
    if not added:
        pytest.skip("nothing was migrated since")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{tmp_path / '.generated'}"}
    for module in (("tools.protos", "generate"), ("pytest", "-q", "-p", "no:cacheprovider")):
        command = [sys.executable, "-m", *module, *(SUITES if module[0] == "pytest" else ())]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={name: value for name, value in environment.items() if "PYTEST" not in name},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
