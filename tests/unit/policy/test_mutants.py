"""Mutation testing of the decision: every small fault in services/policy fails a test.

`equivalent_mutants.txt` names those that change nothing that anybody can see, each with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import services.policy
from tests.support.mutants import mutants

PACKAGE = Path(services.policy.__file__).parent
TESTS = Path(__file__).parent
EQUIVALENT = TESTS / "equivalent_mutants.txt"
SURVIVED = 0
"""The exit code of pytest when all tests passed."""

EVERY = [(path.stem, m.name) for path in sorted(PACKAGE.glob("*.py")) for m in mutants(path)]


def explained() -> dict[str, str]:
    """The mutants that are equivalent, and why: two lines each, then an empty one."""
    blocks = EQUIVALENT.read_text().strip().split("\n\n")
    pairs = (block.partition("\n") for block in blocks if block)
    return {name: reason for name, _, reason in pairs}


def test_what_is_explained_exists_and_has_a_reason() -> None:
    assert set(explained()) <= {name for _, name in EVERY}
    assert all(reason.strip() for reason in explained().values())


@pytest.mark.long
@pytest.mark.parametrize(("module", "name"), EVERY, ids=[name for _, name in EVERY])
def test_mutant_is_noticed(module: str, name: str) -> None:
    files = ("test_model.py", "test_index.py", "test_decide.py", "test_campaigns.py")
    options = ["-x", "-q", "-p", "tests.support.mutants", "-p", "no:cacheprovider"]
    chosen = ["-m", "not long", *(str(TESTS / each) for each in files)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "no:xdist", *chosen],
        env=os.environ | {"MUTANT": name, "MUTANT_MODULE": f"services.policy.{module}"},
        cwd=TESTS.parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    equivalent = name in explained()
    # A fault that keeps the module from being imported is noticed too (2: interrupted, 4: usage).
    noticed = done.returncode != SURVIVED
    assert noticed != equivalent, done.stdout[-2000:]
