"""A browser that measures pages, where the machine has one."""

import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest

BROWSER = shutil.which("chromium")
NARROW = 320
"""The width in CSS pixels at which nothing may have to be moved sideways (WCAG 1.4.10)."""
FRAME = """<!doctype html><title></title>
<iframe width="{width}" height="900" style="border: 0" srcdoc="{page}"></iframe>
<script>
onload = () => {{ document.title = frames[0].document.documentElement.scrollWidth }}
</script>"""
"""A browser's window has a least width; a frame in it has none."""

needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs the Debian package chromium")


def width_on_a_narrow_screen(page: str, beside: Path, profile: Path) -> int:
    """How wide a page (HTML) is, in CSS pixels, on a screen of 320.

    It is read as if it were at `beside`, whose folder holds what it refers to; `profile` is where
    the browser keeps its own.
    """
    assert BROWSER is not None
    measured = beside.with_name("frame.html")
    measured.write_text(FRAME.format(width=NARROW, page=escape(page)))
    shown = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={profile}",
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
    return int(width)
