"""Mutation testing of the decision: every small fault in services/policy fails a test.

`equivalent_mutants.txt` names those that change nothing that anybody can see, each with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import services.policy
from tests.support.mutants import Judge, mutants

PACKAGE = Path(services.policy.__file__).parent
TESTS = Path(__file__).parent
EQUIVALENT = TESTS / "equivalent_mutants.txt"
FILES = [
    TESTS / f"test_{name}.py"
    for name in ("model", "index", "conditions", "sorting", "decide", "drawn")
]

EVERY = [(path.stem, m.name) for path in sorted(PACKAGE.glob("*.py")) for m in mutants(path)]


def explained() -> dict[str, str]:
    """The mutants that are equivalent, and why: two lines each, then an empty one."""
    blocks = EQUIVALENT.read_text().strip().split("\n\n")
    pairs = (block.partition("\n") for block in blocks if block)
    return {name: reason for name, _, reason in pairs}


def test_what_is_explained_exists_and_has_a_reason() -> None:
    assert set(explained()) <= {name for _, name in EVERY}
    assert all(reason.strip() for reason in explained().values())


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    judge = Judge()
    assert not judge.notices("none", "none", FILES), "the tests fail without a mutant"
    yield judge
    judge.close()


@pytest.mark.long
@pytest.mark.parametrize(("module", "name"), EVERY, ids=[name for _, name in EVERY])
def test_mutant_is_noticed(module: str, name: str, judge: Judge) -> None:
    assert judge.notices(f"services.policy.{module}", name, FILES) != (name in explained())
