"""The frame of the pages and what they are made of. Pure.

Contract: every text is escaped here or by who hands over HTML; a text that is not there in the
page's language carries the language that it is in. No page refers to anything outside the site,
holds a script, or has a style of its own: the site's policy (CSP) would not let it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from services.publication.model import LANGUAGES, Collection, Document, Labels
from services.publication.words import NATIVE, WORDS


def said(labels: Labels, language: str, otherwise: str = "") -> str:
    """A label as HTML, or else `otherwise`."""
    text, own = labels.best(language)
    if not text:
        return escape(otherwise)
    return escape(text) if own == language else f'<span lang="{own}">{escape(text)}</span>'


def day(at: datetime) -> str:
    """A day as HTML."""
    return f'<time datetime="{at.isoformat(timespec="seconds")}">{at.date().isoformat()}</time>'


def instant(at: datetime) -> str:
    """A day and the time (UTC) as HTML."""
    text = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return f'<time datetime="{at.isoformat(timespec="seconds")}">{text}</time>'


def link(target: str, html: str) -> str:
    """A link to a path of the site, which starts with a slash."""
    return f'<a href="{escape(target)}">{html}</a>'


def slug(name: str) -> str:
    """A name as part of a path; distinct ones stay distinct."""
    return "".join(
        each if each.isascii() and (each.isalnum() or each in "-_") else f".{ord(each):x}."
        for each in name
    )


def table(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = ()
) -> str:
    """A table of HTML cells; the first of each row is its head. `heads` are words, which a narrow
    screen shows beside each cell; `numbers` are columns of figures.
    """
    kinds = [' class="number"' if place in set(numbers) else "" for place in range(len(heads))]
    named = [f' data-head="{text}"{kind}' for text, kind in zip(heads, kinds, strict=True)]
    head = "".join(
        f'<th scope="col"{kind}>{text}</th>' for kind, text in zip(kinds, heads, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(f"<td{name}>{cell}</td>" for name, cell in zip(named[1:], cells, strict=True))
        + "</tr>"
        for first, *cells in rows
    )
    return (
        f'<div class="wide"><table><caption>{caption} <small>({len(rows)})</small></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values of HTML."""
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{items}</dl>'


def page(path: str, language: str, title: str, body: str, *, foot: str = "") -> Document:
    """A page at `path`, in which `{}` stands for the language. `title` is text, the others HTML."""
    w = WORDS[language]
    languages = " ".join(
        f'<a href="/{path.format(each)}" lang="{each}" hreflang="{each}"'
        + (' aria-current="true"' if each == language else "")
        + f">{NATIVE[each]}</a>"
        for each in LANGUAGES
    )
    alternates = "".join(
        f'<link rel="alternate" hreflang="{each}" href="/{path.format(each)}">\n'
        for each in LANGUAGES
        if each != language
    )
    here = path.partition("/")[0]
    parts = " ".join(
        f'<a href="/{each}/{language}/index.html"'
        + (' aria-current="page"' if each == here else "")
        + f">{w[each]}</a>"
        for each in Collection
    )
    html = (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} · {w['site']}</title>\n"
        f'{alternates}<link rel="icon" href="/mark.svg" type="image/svg+xml">\n'
        '<link rel="stylesheet" href="/style.css">\n</head>\n<body>\n'
        f'<a class="skip" href="#main">{w["skip"]}</a>\n'
        f'<header><a class="home" href="/{language}/index.html">'
        f'<img src="/mark.svg" alt="" width="22" height="22">{w["site"]}</a>'
        f'<nav aria-label="{w["language"]}">{languages}</nav>'
        f'<nav class="parts" aria-label="{w["parts"]}">{parts}</nav></header>\n'
        f'<main id="main">{body}</main>\n<footer>{foot}<p>{w["open"]}</p></footer>\n'
        "</body>\n</html>\n"
    )
    return Document(path.format(language), html.encode())
