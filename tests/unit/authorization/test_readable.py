"""The published pages can be read by everybody: WCAG 2.2 AA, as far as a machine can tell."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from services.authorization.pages import pages
from services.runtime.stylesheet import STYLE
from tests.unit.authorization.test_publication import edition

TEXT, MARKS = 4.5, 3.0
"""Contrast of text (1.4.3), and of what is no text (1.4.11)."""


class Outline(HTMLParser):
    """Headings, language and landmarks of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.language = ""
        self.landmarks: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "html":
            self.language = dict(attrs).get("lang") or ""
        if tag in {"main", "header", "footer"}:
            self.landmarks.append(tag)


def schemes() -> list[dict[str, str]]:
    """The colours of the light scheme and of the dark one."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    return [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", each)) for each in blocks[:2]]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, definition)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_text_and_marks_stand_out_from_what_is_behind_them(scheme: dict[str, str]) -> None:
    for behind in ("paper", "card", "wash"):
        for name in ("ink", "faint", "link"):
            assert contrast(scheme[name], scheme[behind]) >= TEXT, (name, behind)
        for name in ("grant", "ban", "faint"):
            assert contrast(scheme[name], scheme[behind]) >= MARKS, (name, behind)
        assert contrast("#b7791f", scheme[behind]) >= MARKS


def test_every_page_says_its_language_and_its_headings_leave_no_level_out() -> None:
    for path, page in pages(edition()):
        if not path.endswith(".html"):
            continue
        outline = Outline(page.decode())
        assert outline.language == (path.partition("/")[0] if "/" in path else "en")
        assert outline.landmarks.count("main") == 1
        assert outline.levels[0] == 1
        assert outline.levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(outline.levels)), path
