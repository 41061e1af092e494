"""The publication: complete, self-contained, the same for the same table, and without persons."""

import dataclasses
import hashlib
import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from posixpath import dirname, join, normpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.authorization.model import Deliberation, Scope, State
from services.authorization.pages import pages
from services.authorization.publication import (
    DATA_SET,
    LANGUAGES,
    Edition,
    Labels,
    Names,
    data_set,
    digest,
    slug,
)
from services.authorization.words import WORDS
from services.policy.model import Grant
from tests.contract.test_authorization_store import deliberation
from tests.support.exchanges import grant
from tests.unit.authorization.rows import EARLY, INSTANT

NAMES = Names(
    institutions={"capac": Labels("CAPAC & fils", "HVW", "", "")},
    services={"employment_periods": Labels("Périodes", "", "", "Periods")},
    elements={"employment.start": Labels("<début>", "begin", "", "start")},
    sources={"employment_periods": frozenset({"onss"})},
    purposes={"unemployment_benefit": Labels("Allocations de chômage", "", "", "")},
    capacities={"18/1": Labels("Chômeur contrôlé", "", "", "Unemployed person")},
)
DELIBERATION = dataclasses.replace(
    deliberation("20/096"),
    grants=(),
    state=State.PUBLISHED,
    published_at=EARLY,
    published_by="a-member",
    text_fr="Article <1>.\n\nArticle 2.",
)


def edition(*rows: Grant, deliberations: tuple[Deliberation, ...] = (DELIBERATION,)) -> Edition:
    given_rows = rows or (grant(proposed_by="a-member", approved_by="another-member"),)
    return Edition(7, b"\x01" * 32, EARLY, INSTANT, deliberations, given_rows, NAMES)


class Reader(HTMLParser):
    """What a page refers to, and which elements are left open."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.languages: set[str] = set()
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given_attrs = dict(attrs)
        for name in ("href", "src"):
            if given_attrs.get(name):
                self.links.append(str(given_attrs[name]))
        if given_attrs.get("id"):
            self.ids.append(str(given_attrs["id"]))
        if given_attrs.get("lang"):
            self.languages.add(str(given_attrs["lang"]))
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_reference_leads_to_a_file_of_the_edition() -> None:
    group = grant(
        id="20/096#2",
        institution="",
        institutions=frozenset({"onem", "vdab"}),
        group_name="Offices",
        valid_until=INSTANT,
    )
    files = dict(pages(edition(grant(), group)))
    files[DATA_SET] = b""
    readers = {path: Reader(page) for path, page in files.items() if path.endswith(".html")}
    assert len(readers) == 1 + 4 * (1 + 1 + 3)
    for path, reader in readers.items():
        assert reader.open == []
        assert not reader.tags & {"script", "img", "iframe"}
        assert len(set(reader.ids)) == len(reader.ids)
        for link in reader.links:
            target, _, fragment = link.partition("#")
            place = normpath(join(dirname(path), target)) if target else path
            assert place in files, (path, link)
            assert not fragment or fragment in readers[place].ids
    assert b"url(" not in files["style.css"]


def test_page_says_who_gets_what_from_whom_and_why_in_its_language() -> None:
    files = dict(pages(edition()))
    french = files["fr/institutions/capac.html"].decode()
    for text in ("CAPAC &amp; fils", "&lt;début&gt;", "unemployment_benefit", "onss", "18/1"):
        assert text in french
    assert "Périodes" in french
    german = files["de/institutions/capac.html"].decode()
    assert '<span lang="fr">CAPAC &amp; fils</span>' in german
    text = files["fr/deliberations/20.096.html"].decode()
    assert "<p>Article &lt;1&gt;.</p><p>Article 2.</p>" in text


def test_codes_are_told_with_what_they_mean() -> None:
    files = dict(pages(edition()))
    french = files["fr/institutions/capac.html"].decode()
    assert "Allocations de chômage <code>unemployment_benefit</code>" in french
    assert "Chômeur contrôlé <code>18/1</code>" in french
    english = files["en/institutions/capac.html"].decode()
    assert '<span lang="fr">Allocations de chômage</span>' in english


def test_page_says_what_the_text_allows_at_most() -> None:
    scope = Scope(
        recipients=("capac", "onem"), elements=("employment.start",),
        purposes=("unemployment_benefit",), valid_until=INSTANT,
    )  # fmt: skip
    one = dataclasses.replace(DELIBERATION, scope=scope, state=State.EXPIRED)
    page = dict(pages(edition(deliberations=(one,))))["en/deliberations/20.096.html"].decode()
    limits = page.partition("What the text allows at most")[2]
    # Only who has a row has a page to lead to.
    assert '<a href="../institutions/capac.html">' in limits
    assert "onem" in limits
    assert "institutions/onem" not in limits
    assert f'<time datetime="{INSTANT.date()}">' in limits
    assert '<span class="state expired">Expired</span>' in page


def test_no_page_and_no_row_of_the_data_set_names_a_person() -> None:
    whole = b"".join(page for _, page in pages(edition())) + data_set(edition())
    assert b"member" not in whole


def test_page_and_data_set_say_in_which_language_a_text_or_title_is_missing() -> None:
    partly = dataclasses.replace(DELIBERATION, title_de=" ", text_de="Der Text.")
    page = dict(pages(edition(deliberations=(partly,))))["de/deliberations/20.096.html"].decode()
    gaps = 'Text (<span lang="nl">Nederlands</span>); Gegenstand (<span lang="de">Deutsch</span>)'
    assert f"<dt>Fehlt</dt><dd>{gaps}</dd>" in page
    (told,) = json.loads(data_set(edition(deliberations=(partly,))))["deliberations"]
    assert told["missing"] == {"text": ["nl"], "title": ["de"]}


def test_text_that_is_not_held_at_all_or_is_whole_lacks_no_language() -> None:
    without = dataclasses.replace(DELIBERATION, text_fr="")
    whole = dataclasses.replace(DELIBERATION, text_nl="Artikel.", text_de="Artikel.")
    for one in (without, whole):
        page = dict(pages(edition(deliberations=(one,))))["fr/deliberations/20.096.html"].decode()
        assert "<dt>Manque</dt>" not in page
    nameless = dataclasses.replace(whole, title_fr="", title_nl="", title_de="")
    (told,) = json.loads(data_set(edition(deliberations=(nameless,))))["deliberations"]
    assert told["missing"] == {"title": ["fr", "nl", "de"]}


def test_what_is_over_is_told_apart() -> None:
    over = grant(id="20/096#2", recorded_until=INSTANT - timedelta(days=1))
    page = dict(pages(edition(grant(), over)))["en/deliberations/20.096.html"].decode()
    now, past = page.split("What is no longer in force")
    assert 'id="20.096_23_1"' in now
    assert 'id="20.096_23_2"' in past
    index = dict(pages(edition(over)))["en/index.html"].decode()
    assert '<td class="number">0</td>' in index


def test_data_set_holds_every_row_and_the_digest_of_the_table() -> None:
    told = json.loads(data_set(edition()))
    assert told["table"] == {
        "digest": "01" * 32,
        "recorded_at": "2025-12-02T00:00:00.000000Z",
        "version": 7,
    }
    (row,) = told["grants"]
    assert (row["id"], row["recipients"], row["ways"]) == ("20/096#1", ["capac"], ["online"])
    (one,) = told["deliberations"]
    assert (one["number"], one["state"], one["text"]["fr"]) == (
        "20/096", "PUBLISHED", "Article <1>.\n\nArticle 2."
    )  # fmt: skip


def test_same_edition_gives_the_same_bytes_and_another_another_digest() -> None:
    def whole(some: Edition) -> bytes:
        hashes = {path: hashlib.sha256(page).digest() for path, page in pages(some)}
        return digest(hashes)

    assert whole(edition()) == whole(edition())
    assert whole(edition()) != whole(edition(grant(purpose="other")))


def test_digest_is_what_sha256sum_gives() -> None:
    hashes = {"b": hashlib.sha256(b"2").digest(), "a": hashlib.sha256(b"1").digest()}
    lines = "".join(f"{hashes[path].hex()}  {path}\n" for path in ("a", "b"))
    assert digest(hashes) == hashlib.sha256(lines.encode()).digest()


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_of_files_are_plain_and_distinct(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", slug(one))
    assert (slug(one) == slug(other)) == (one == other)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_there_in_every_language(language: str) -> None:
    assert WORDS[language].keys() == WORDS["en"].keys()
    assert all(WORDS[language].values())
    for key, text in WORDS[language].items():
        assert text.count("{}") == WORDS["en"][key].count("{}")
