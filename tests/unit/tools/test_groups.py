"""Tests that share a platform run in one worker: each other worker would start one of its own.

A version of pytest that pytest-xdist does not know took the groups away without a word.
"""

import pytest


@pytest.mark.xdist_group("together")
def test_the_scheduler_is_told_of_a_group(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("only where workers run the tests: --dist loadgroup")
    assert request.node.nodeid.endswith("@together")
