"""The pages of the catalogue. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from typing import NamedTuple

from services.publication.html import facts, instant, link, page, said, slug, table
from services.publication.model import Code, Document, Element, Institution, Labels, Service
from services.publication.words import WORDS


def schema_path(service: Service) -> str:
    """Where the schema of a service's messages is."""
    return f"catalogue/schemas/{slug(service.id)}.{service.version}.binpb"


class Book(NamedTuple):
    """One catalogue, everything in order."""

    institutions: Sequence[Institution]
    elements: Sequence[Element]
    codes: Sequence[Code]
    services: Sequence[Service]
    at: datetime

    def pages(self, language: str) -> Iterator[Document]:
        """Its pages in one language."""
        pages = _Pages(self, language)
        yield pages.index()
        yield pages.elements()
        yield pages.institutions()
        yield pages.codes()
        for service in self.services:
            yield pages.service(service)


class _Pages:
    """The pages of one language."""

    def __init__(self, book: Book, language: str) -> None:
        self._book = book
        self._language = language
        self._words = WORDS[language]
        self._names = {each.id: each.name for each in book.institutions}
        self._labels = {each.id: each.labels for each in book.elements}
        self._lists = {each.list for each in book.codes}

    def index(self) -> Document:
        """The services, and the way to the rest."""
        w, book = self._words, self._book
        parts = "".join(
            f"<li>{self._to(name, w[name])} <small>({count})</small></li>"
            for name, count in (
                ("elements", len(book.elements)),
                ("codes", len(self._lists)),
                ("institutions", len(book.institutions)),
            )
        )
        rows = [
            [
                self._to(_service_page(each), said(each.title, self._language, each.id))
                + f"<br><code>{escape(each.id)} v{each.version}</code>",
                self._sources(each),
                str(len(each.elements)),
            ]
            for each in book.services
        ]
        heads = [w["service"], w["sources"], w["elements"]]
        body = (
            f'<h1>{w["catalogue"]}</h1><p class="lead">{w["catalogue.lead"]}</p>'
            f'<ul class="jump">{parts}</ul>'
            f'<p><a href="/catalogue/catalogue.json">{w["machine"]}</a> (JSON)</p>'
            + table(w["services"], heads, rows, numbers=(2,))
        )
        return self._page("index", w["catalogue"], body)

    def service(self, service: Service) -> Document:
        """One service."""
        w = self._words
        labels = {each: self._labels.get(each, Labels()) for each in service.elements}
        items = "".join(
            f"<li>{link(self._elements_page(each), said(label, self._language, each))}"
            f" <code>{escape(each)}</code></li>"
            for each, label in sorted(labels.items())
        )
        body = (
            f'<p class="kicker">{w["service"]} <code>{escape(service.id)}</code></p>'
            f"<h1>{said(service.title, self._language, service.id)}</h1>"
            + facts(
                [
                    (w["version"], str(service.version)),
                    (w["sources"], self._sources(service)),
                    (w["question"], f"<code>{escape(service.question)}</code>"),
                    (w["answer"], f"<code>{escape(service.answer)}</code>"),
                ]
            )
            + f"<p>{link(f'/{schema_path(service)}', w['schema'])}</p>"
            f"<h2>{w['used']} <small>({len(labels)})</small></h2><p>{w['usedrule']}</p>"
            f'<ul class="elements">{items}</ul>'
        )
        return self._page(
            _service_page(service), service.title.best(self._language)[0] or service.id, body
        )

    def elements(self) -> Document:
        """Every data element, by what the first part of its id names."""
        w = self._words
        groups: dict[str, list[Element]] = defaultdict(list)
        for each in self._book.elements:
            groups[each.id.partition(".")[0]].append(each)
        heads = [w["element"], w["type"], w["sensitivity"], w["authentic"], w["basis"]]
        body = f"<h1>{w['elements']}</h1>" + "".join(
            table(f"<code>{escape(name)}</code>", heads, [self._element(each) for each in group])
            for name, group in groups.items()
        )
        return self._page("elements", w["elements"], body)

    def institutions(self) -> Document:
        """Every institution."""
        w = self._words
        rows = [
            [
                said(each.name, self._language, each.id)
                + ("" if each.active else f' <small class="over">{w["closed"]}</small>'),
                escape(each.acronym_nl if self._language == "nl" else each.acronym_fr),
                escape(each.sector),
                f"<code>{escape(each.id)}</code>",
            ]
            for each in self._book.institutions
        ]
        heads = [w["institution"], w["acronym"], w["sector"], w["id"]]
        return self._page(
            "institutions", w["institutions"], _titled(w["institutions"], heads, rows)
        )

    def codes(self) -> Document:
        """Every code list."""
        w = self._words
        lists: dict[str, list[Code]] = defaultdict(list)
        for each in self._book.codes:
            lists[each.list].append(each)
        body = f"<h1>{w['codes']}</h1>" + "".join(
            f'<section id="{slug(name)}">'
            + table(
                f"<code>{escape(name)}</code>",
                [w["code"], w["meaning"]],
                [[escape(e.code), said(e.labels, self._language)] for e in codes],
            )
            + "</section>"
            for name, codes in lists.items()
        )
        return self._page("codes", w["codes"], body)

    def _element(self, each: Element) -> list[str]:
        w = self._words
        kind = f"<code>{escape(each.type)}</code>"
        if each.code_list in self._lists:
            target = f"/catalogue/{self._language}/codes.html#{slug(each.code_list)}"
            kind += f" {link(target, escape(each.code_list))}"
        over = f' <small class="over">{w["deprecated"]}</small>' if each.deprecated else ""
        return [
            f'<span id="{slug(each.id)}">{said(each.labels, self._language, each.id)}</span>{over}'
            f"<br><code>{escape(each.id)}</code>",
            kind,
            f'<span class="mark {slug(each.sensitivity)}">'
            f"{w.get(each.sensitivity, escape(each.sensitivity))}</span>",
            self._institution(each.authentic_source),
            escape(each.legal_basis),
        ]

    def _sources(self, service: Service) -> str:
        names = sorted({each.partition("/")[0] for each in service.sources})
        return ", ".join(self._institution(each) for each in names)

    def _institution(self, name: str) -> str:
        return said(self._names.get(name, Labels()), self._language, name)

    def _elements_page(self, element: str) -> str:
        return f"/catalogue/{self._language}/elements.html#{slug(element)}"

    def _to(self, name: str, html: str) -> str:
        return link(f"/catalogue/{self._language}/{name}.html", html)

    def _page(self, name: str, title: str, body: str) -> Document:
        foot = f"<p>{self._words['asof'].format(instant(self._book.at))}</p>"
        return page(f"catalogue/{{}}/{name}.html", self._language, title, body, foot=foot)


def _service_page(service: Service) -> str:
    return f"services/{slug(service.id)}.{service.version}"


def _titled(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<h1>{title}</h1>" + table(title, heads, rows)
