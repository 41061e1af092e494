"""The published pages on a narrow screen, in a browser: nothing is wider than it (WCAG 1.4.10)."""

import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest

from services.authorization.pages import pages
from tests.unit.authorization.test_publication import edition

WIDTH = 320
FRAME = """<!doctype html><title></title>
<iframe width="{width}" height="900" style="border: 0" srcdoc="{page}"></iframe>
<script>
onload = () => {{ document.title = frames[0].document.documentElement.scrollWidth }}
</script>"""
"""A browser's window has a least width; a frame in it has none."""
BROWSER = shutil.which("chromium")


@pytest.mark.skipif(BROWSER is None, reason="needs the Debian package chromium")
@pytest.mark.parametrize(
    "path", ["fr/index.html", "de/deliberations/20.096.html", "nl/institutions/capac.html"]
)
def test_page_is_as_wide_as_the_screen(tmp_path: Path, path: str) -> None:
    for name, page in pages(edition()):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(page)
    measured = (tmp_path / path).with_name("frame.html")
    text = escape((tmp_path / path).read_text())
    measured.write_text(FRAME.format(width=WIDTH, page=text))
    assert BROWSER is not None
    shown = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--hide-scrollbars",
            "--dump-dom",
            measured.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    (width,) = re.findall(r"<title>(\d+)</title>", shown)
    assert int(width) <= WIDTH
