"""The published pages on a narrow screen, in a browser: nothing is wider than it (WCAG 1.4.10)."""

from pathlib import Path

import pytest

from services.authorization.pages import pages
from tests.support.browser import NARROW, needs_browser, width_on_a_narrow_screen
from tests.unit.authorization.test_publication import edition


@needs_browser
@pytest.mark.parametrize(
    "path", ["fr/index.html", "de/deliberations/20.096.html", "nl/institutions/capac.html"]
)
def test_page_is_as_wide_as_the_screen(tmp_path: Path, path: str) -> None:
    for name, page in pages(edition()):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(page)
    text = (tmp_path / path).read_text()
    assert width_on_a_narrow_screen(text, tmp_path / path, tmp_path / "profile") <= NARROW
