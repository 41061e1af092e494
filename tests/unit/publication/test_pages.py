"""The catalogue, the indicators and the site's own pages: well formed, in four languages."""

import csv
import io
import json
from html.parser import HTMLParser

import pytest

from services.publication.home import fixed, home
from services.publication.indicator_pages import FEWEST
from services.publication.model import (
    LANGUAGES,
    Collection,
    Document,
    Indicator,
    Snapshot,
    by_collection,
)
from services.publication.words import WORDS
from tests.support.public import AT, catalogue
from tests.unit.publication.world import World

VOID = {"meta", "link", "img", "br", "rect", "line"}


class Reader(HTMLParser):
    """Fails on tags that do not close each other; keeps links, ids and texts."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.languages: list[str] = []
        self.feed(document.content.decode())
        assert self._open == [], document.path

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        assert not {"style", "onclick", "onload"} & names.keys()
        assert tag not in {"script", "style", "iframe", "form"}
        self.ids += [names["id"] or ""] if "id" in names else []
        self.languages += [names["lang"] or ""] if tag == "html" else []
        self.links += [names[key] or "" for key in ("href", "src") if key in names]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def whole() -> World:
    """Something of every collection that publication makes pages of."""
    world = World()
    await world.push(Collection.CATALOGUE, catalogue())
    await world.push_log(0, 300)
    return world


async def test_every_link_of_every_page_leads_somewhere() -> None:
    world = await whole()
    shown = by_collection(await world.store.snapshots())
    pages = {each.path: each for each in fixed()} | dict(world.store.documents)
    pages |= {each.path: each for each in (home(shown, language) for language in LANGUAGES)}
    html = {path: Reader(each) for path, each in pages.items() if path.endswith(".html")}
    assert len(html) > 20
    for path, page in html.items():
        assert len(set(page.ids)) == len(page.ids), path
        for link in page.links:
            target, _, place = link.removeprefix("/").partition("#")
            if target.startswith(("authorizations/", "indicators/")):
                continue  # not pushed here
            target = target or path
            assert target in pages or path == "index.html", (path, link)
            assert not place or place in html[target].ids, (path, link)


async def test_pages_say_their_language_and_escape_what_they_show() -> None:
    world = await whole()
    for language in LANGUAGES:
        path = f"catalogue/{language}/services/employment_periods.1.html"
        page = Reader(world.store.documents[path])
        assert page.languages == [language]
        assert ("<Début>" in page.texts) == (language == "fr")
        assert b"Office national &amp; Cie" in world.store.documents[path].content


async def test_a_cell_says_what_its_column_is_where_a_screen_has_no_room_for_columns() -> None:
    world = await whole()
    html = world.store.documents["catalogue/en/institutions.html"].content.decode()
    assert '<td data-head="Acronym">' in html
    assert html.count("<td") == html.count("<td data-head=") > 0


async def test_catalogue_is_the_same_whatever_the_order_in_which_it_comes() -> None:
    one, other = World(), World()
    await one.push(Collection.CATALOGUE, catalogue())
    await other.push(Collection.CATALOGUE, catalogue()[::-1])
    assert one.store.documents == other.store.documents
    data = json.loads(one.store.documents["catalogue/catalogue.json"].content)
    assert data["services"][0]["sources"] == ["onss/dmfa"]
    assert data["elements"][0]["deprecated"] is True
    schema = data["services"][0]["schema"].removeprefix("/")
    assert one.store.documents[schema].content == b"\x0a\x00"


async def test_item_of_the_catalogue_that_comes_twice_is_refused() -> None:
    items = catalogue()
    error = await World().refused(Collection.CATALOGUE, [*items, items[0]])
    assert "onss comes twice" in error.message


def test_every_word_is_there_in_every_language() -> None:
    for language in LANGUAGES:
        assert all(WORDS[language].values())
        assert WORDS[language].keys() == WORDS["en"].keys()
    for key in WORDS["en"]:
        assert len({WORDS[each][key].count("{}") for each in LANGUAGES}) == 1, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_home_says_what_is_shown_and_as_of_when(language: str) -> None:
    catalogue_only = {Collection.CATALOGUE: Snapshot(Collection.CATALOGUE, 1, AT, bytes(32))}
    page = home(catalogue_only, language).content.decode()
    assert page.count(WORDS[language]["notyet"]) == 3
    assert "2026-03-01 12:00:00 UTC" in page


def indicator(outcome: str, exchanges: int | None, day: str = "2026-02-28") -> Indicator:
    """A count of one service."""
    return Indicator(day, "employment_periods", outcome, exchanges)


async def test_small_counts_are_not_in_any_file() -> None:
    world = World()
    editor = world.publication._editors[Collection.INDICATORS]
    async with world.store.replacing(snapshot := figures()) as tx:
        taking = editor(snapshot, None, tx)
        for each in (indicator("released", 4321), indicator("refused", None)):
            await taking.take(each)
        await taking.finish()
        await tx.show()
    documents = world.store.documents
    rows = list(csv.reader(io.StringIO(documents["indicators/indicators.csv"].content.decode())))
    assert rows[0] == ["day", "service", "outcome", "exchanges"]
    assert [row[2:] for row in rows[1:]] == [["refused", ""], ["released", "4321"]]
    for language in LANGUAGES:
        page = documents[f"indicators/{language}/index.html"]
        assert WORDS[language]["few"].format(FEWEST) in " ".join(Reader(page).texts)


def figures() -> Snapshot:
    return Snapshot(Collection.INDICATORS, 1, AT, bytes(32))


@pytest.mark.parametrize(
    "wrong",
    [
        indicator("released", FEWEST - 1),
        indicator("released", 0),
        indicator("guessed", 100),
        indicator("released", 100, "2026-03-01"),
        indicator("released", 100, "yesterday"),
        Indicator("2026-02-28", "85073003328", "released", 100),
        Indicator("2026-02-28", "", "released", 100),
    ],
)
async def test_indicator_that_may_not_be_shown_is_refused(wrong: Indicator) -> None:
    world = World()
    async with world.store.replacing(figures()) as tx:
        editor = world.publication._editors[Collection.INDICATORS](figures(), None, tx)
        with pytest.raises(Exception, match="correct item"):
            await editor.take(wrong)
