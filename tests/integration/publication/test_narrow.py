"""The public site on a narrow screen, in a browser: nothing is wider than it (WCAG 1.4.10)."""

from pathlib import Path

import pytest

from services.publication.style import STYLE_SHEET
from tests.support.browser import NARROW, needs_browser, width_on_a_narrow_screen
from tests.unit.publication.test_pages import whole

LINKED = '<link rel="stylesheet" href="/style.css">'


@needs_browser
@pytest.mark.parametrize(
    "path",
    [
        "catalogue/nl/index.html",
        "catalogue/de/elements.html",
        "catalogue/fr/services/employment_periods.1.html",
        "log/en/index.html",
    ],
)
async def test_page_is_as_wide_as_the_screen(tmp_path: Path, path: str) -> None:
    page = (await whole()).store.documents[path].content.decode()
    assert LINKED in page
    styled = page.replace(LINKED, f"<style>{STYLE_SHEET}</style>")
    width = width_on_a_narrow_screen(styled, tmp_path / "page.html", tmp_path / "profile")
    assert width <= NARROW
