"""The published authorizations as static pages: HTML without scripts or outside references. Pure.

Contract: `pages` yields (path, content). Every text is escaped; a text that is not there in the
page's language carries the language that it is in. The pages read without their style sheet, by
keyboard and by ear, and print on A4.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from services.authorization.labels import said
from services.authorization.model import Deliberation
from services.authorization.publication import (
    DATA_SET,
    LANGUAGES,
    Edition,
    Labels,
    ended,
    in_force,
    missing,
    recipients,
    slug,
)
from services.authorization.rows_html import Rows, day
from services.authorization.words import NATIVE, WORDS
from services.policy.model import Grant
from services.runtime.stylesheet import STYLE

Page = tuple[str, bytes]


def pages(edition: Edition) -> Iterator[Page]:
    """Every page, and the style sheet."""
    yield "style.css", STYLE.encode()
    yield "index.html", _door()
    of: dict[str, list[Grant]] = defaultdict(list)
    by_number: dict[str, list[Grant]] = defaultdict(list)
    everybody = [row for row in edition.grants if not row.recipients]
    for row in edition.grants:
        by_number[row.deliberation].append(row)
        for name in row.recipients:
            of[name].append(row)
    names = list(recipients(edition))
    for language in LANGUAGES:
        book = _Book(edition, language)
        yield f"{language}/index.html", book.index(of)
        for one in edition.deliberations:
            path = f"deliberations/{slug(one.number)}.html"
            yield f"{language}/{path}", book.deliberation(one, by_number[one.number], path)
        for name in names:
            path = f"institutions/{slug(name)}.html"
            yield f"{language}/{path}", book.institution(name, [*of[name], *everybody], path)


class _Book:
    """The pages of one language."""

    def __init__(self, edition: Edition, language: str) -> None:
        self._edition = edition
        self._language = language
        self._words = WORDS[language]
        self._rows = Rows(edition, language)

    def index(self, of: dict[str, list[Grant]]) -> bytes:
        """What there is."""
        w, edition = self._words, self._edition
        decisions = _table(
            w["deliberations"],
            [w["number"], w["title"], w["decided"], w["state"]],
            [
                [
                    _link(f"deliberations/{slug(one.number)}.html", escape(one.number)),
                    self._text(_title(one)),
                    day(one.decided_on),
                    self._state(one),
                ]
                for one in edition.deliberations
            ],
        )
        takers = _table(
            w["institutions"],
            [w["institution"], w["count"]],
            [
                [
                    _link(f"institutions/{slug(name)}.html", self._rows.institution(name)),
                    str(sum(in_force(row, edition.at) and not row.prohibition for row in rows)),
                ]
                for name, rows in sorted(of.items(), key=lambda each: self._name(each[0]).lower())
            ],
            numeric=1,
        )
        body = (
            f'<h1>{w["site"]}</h1><p class="lead">{w["lead"]}</p>'
            f'<p><a href="../{DATA_SET}">{w["data"]}</a> (JSON)</p>'
            f'<nav class="jump"><a href="#d">{w["deliberations"]}</a> '
            f'<a href="#i">{w["institutions"]}</a></nav>'
            f'<section id="d">{decisions}</section><section id="i">{takers}</section>'
        )
        return self._page(w["site"], body, "index.html")

    def deliberation(self, one: Deliberation, rows: Sequence[Grant], path: str) -> bytes:
        """One deliberation: its text, and what it grants and prohibits."""
        w = self._words
        facts = [
            (w["state"], self._state(one)),
            (w["version"], str(one.version)),
            (w["chamber"], w[one.chamber.value]),
            (w["decided"], day(one.decided_on)),
            (w["published"], day(one.published_at)),
        ]
        if one.enters_into_force is not None:
            facts.append((w["entry"], day(one.enters_into_force)))
        gaps = missing(one)
        if gaps:
            facts.append((w["missing"], self._missing(gaps)))
        text = Labels(one.text_fr, one.text_nl, one.text_de).best(self._language)
        body = (
            f'<p class="kicker">{w["deliberation"]} {escape(one.number)}</p>'
            f"<h1>{self._text(_title(one))}</h1>{_facts(facts)}"
            + self._lists(rows, recipient=True)
            + (self._rows.scope(one.scope) if one.scope is not None else "")
            + f"<section><h2>{w['text']}</h2>{self._paragraphs(*text)}</section>"
        )
        return self._page(one.number, body, path)

    def institution(self, name: str, rows: Sequence[Grant], path: str) -> bytes:
        """One institution: what it may get, from whom, why."""
        w = self._words
        body = (
            f'<p class="kicker">{w["institution"]} {escape(name)}</p>'
            f"<h1>{self._rows.institution(name)}</h1>" + self._lists(rows, recipient=False)
        )
        return self._page(self._name(name), body, path)

    def _lists(self, rows: Sequence[Grant], *, recipient: bool) -> str:
        """Grants, prohibitions, and what is over."""
        w, at = self._words, self._edition.at
        now = [row for row in rows if not ended(row, at)]
        giving = [row for row in now if not row.prohibition]
        taking = [row for row in now if row.prohibition]
        over = [row for row in rows if ended(row, at)]
        heading = w["grants"] if recipient else w["gets"]
        html = self._section(heading, giving, recipient=recipient) or (
            f"<section><h2>{heading}</h2><p>{w['none']}</p></section>"
        )
        html += self._section(w["bans"], taking, recipient=True)
        return html + self._section(w["past"], over, recipient=recipient)

    def _section(self, heading: str, rows: Sequence[Grant], *, recipient: bool) -> str:
        if not rows:
            return ""
        cards = "".join(self._rows.card(row, recipient=recipient) for row in rows)
        return f"<section><h2>{heading} <small>({len(rows)})</small></h2>{cards}</section>"

    def _name(self, institution: str) -> str:
        """What an institution is called, or its id."""
        labels = self._edition.names.institutions.get(institution, Labels())
        return labels.best(self._language)[0] or institution

    def _state(self, one: Deliberation) -> str:
        return f'<span class="state {one.state.value.lower()}">{self._words[one.state]}</span>'

    def _missing(self, gaps: Mapping[str, Sequence[str]]) -> str:
        """What is not there in which language, each language by its own name."""
        return "; ".join(
            f"{self._words[name]} ("
            + ", ".join(f'<span lang="{each}">{NATIVE[each]}</span>' for each in those)
            + ")"
            for name, those in gaps.items()
        )

    def _text(self, labels: Labels) -> str:
        return said(labels, self._language)

    def _paragraphs(self, text: str, language: str) -> str:
        if not text:
            return f'<p class="faint">{self._words["notext"]}</p>'
        paragraphs = (part.strip() for part in text.split("\n\n"))
        html = "".join(f"<p>{escape(part)}</p>" for part in paragraphs if part)
        return f'<div class="text" lang="{language}">{html}</div>'

    def _page(self, title: str, body: str, path: str) -> bytes:
        w, up = self._words, "../" * (path.count("/") + 1)
        languages = " ".join(
            f'<a href="{up}{each}/{path}" lang="{each}" hreflang="{each}"'
            + (' aria-current="true"' if each == self._language else "")
            + f">{NATIVE[each]}</a>"
            for each in LANGUAGES
        )
        edition = self._edition
        proof = w["proof"].format(edition.version)
        site = "" if title == w["site"] else f" · {w['site']}"
        html = (
            f'<!doctype html>\n<html lang="{self._language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}{site}</title>\n"
            f'<link rel="stylesheet" href="{up}style.css">\n</head>\n<body>\n'
            f'<a class="skip" href="#main">{w["skip"]}</a>\n'
            f'<header><a class="home" href="{up}{self._language}/index.html">{w["home"]}</a>'
            f'<nav aria-label="{w["language"]}">{languages}</nav></header>\n'
            f'<main id="main">{body}</main>\n'
            f"<footer><p>{w['asof'].format(day(edition.at))}</p>"
            f"<p>{proof}<br><code>{edition.digest.hex()}</code></p></footer>\n</body>\n</html>\n"
        )
        return html.encode()


def _title(one: Deliberation) -> Labels:
    return Labels(one.title_fr, one.title_nl, one.title_de, one.title_en)


def _link(path: str, html: str) -> str:
    return f'<a href="{path}">{html}</a>'


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{items}</dl>'


def _table(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], numeric: int = -1
) -> str:
    """The first cell of each row is its head."""
    kinds = [' class="number"' if place == numeric else "" for place in range(len(heads))]
    head = "".join(
        f'<th scope="col"{kind}>{text}</th>' for kind, text in zip(kinds, heads, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds[1:], cells, strict=True))
        + "</tr>"
        for first, *cells in rows
    )
    return (
        f"<table><caption><h2>{caption} <small>({len(rows)})</small></h2></caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _door() -> bytes:
    """The choice of a language."""
    choices = "".join(
        f'<li><a href="{each}/index.html" lang="{each}" hreflang="{each}">{NATIVE[each]}'
        f" <span>{WORDS[each]['site']}</span></a></li>"
        for each in LANGUAGES
    )
    title = " · ".join(WORDS[each]["site"] for each in LANGUAGES)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{title}</title>\n<link rel="stylesheet" href="style.css">\n</head>\n'
        f'<body class="door">\n<main><h1>Crossroads</h1><ul>{choices}</ul></main>\n'
        "</body>\n</html>\n"
    ).encode()
