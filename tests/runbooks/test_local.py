"""The commands of the runbooks that one machine can run do what the pages say."""

from pathlib import Path

import pytest

from services.cli.platform.home import Home
from tests.support.runbooks import PAGES, blocks, perform
from tests.support.running import crossroads

pytestmark = pytest.mark.xdist_group("runbooks")
LOCAL = [page for page in PAGES if any(each.where == "local" for each in blocks(page))]


@pytest.mark.parametrize("page", LOCAL, ids=lambda page: page.stem)
def test_what_a_page_says_can_be_done_and_leaves_a_platform_that_serves(
    page: Path, home: Home
) -> None:
    done = perform(page, home)
    assert done.code == 0, done.out[-4000:] + done.err[-6000:]
    status = crossroads(home, "status", "--json")
    assert status.code == 0, status.out
