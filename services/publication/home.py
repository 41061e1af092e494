"""The pages of the site itself: the door, the home page in each language, style and mark. Pure."""

from collections.abc import Iterator, Mapping

from services.publication.html import instant, page
from services.publication.model import LANGUAGES, Collection, Document, Snapshot
from services.publication.style import MARK, STYLE_SHEET
from services.publication.words import NATIVE, WORDS


def fixed() -> Iterator[Document]:
    """What does not depend on what was pushed."""
    yield Document("style.css", STYLE_SHEET.encode())
    yield Document("mark.svg", MARK.encode())
    yield Document("robots.txt", b"User-agent: *\nAllow: /\n")
    yield door()
    for language in LANGUAGES:
        title = WORDS[language]["missing"]
        yield page("missing/{}.html", language, title, f"<h1>{title}</h1>")


def home(shown: Mapping[Collection, Snapshot], language: str) -> Document:
    """The home page: what there is, and as of when."""
    w = WORDS[language]
    cards = "".join(
        f'<li class="card {each}"><a href="/{each}/{language}/index.html"><h2>{w[each]}</h2></a>'
        f'<p>{w[f"{each}.lead"]}</p><p class="faint">{_asof(shown.get(each), language)}</p></li>'
        for each in Collection
    )
    body = (
        f'<div class="hero"><h1>{w["headline"]}</h1><p class="lead">{w["lead"]}</p></div>'
        f'<ul class="cards">{cards}</ul>'
    )
    return page("{}/index.html", language, w["headline"], body)


def door() -> Document:
    """The choice of a language."""
    choices = "".join(
        f'<li><a href="/{each}/index.html" lang="{each}" hreflang="{each}">{NATIVE[each]}'
        f" <span>{WORDS[each]['headline']}</span></a></li>"
        for each in LANGUAGES
    )
    html = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>Crossroads</title>\n"
        '<link rel="icon" href="/mark.svg" type="image/svg+xml">\n'
        '<link rel="stylesheet" href="/style.css">\n</head>\n'
        '<body class="door">\n<main><img src="/mark.svg" alt="" width="64" height="64">'
        f"<h1>Crossroads</h1><ul>{choices}</ul></main>\n</body>\n</html>\n"
    )
    return Document("index.html", html.encode())


def _asof(snapshot: Snapshot | None, language: str) -> str:
    w = WORDS[language]
    return w["notyet"] if snapshot is None else w["asof"].format(instant(snapshot.made_at))
