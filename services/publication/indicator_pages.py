"""The pages of the indicators: the last days as bars, the last day by service. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from services.publication.html import instant, page, table
from services.publication.model import LANGUAGES, Document, Indicator
from services.publication.words import WORDS

FEWEST = 10
"""A count below this is not shown."""

OUTCOMES = ("released", "refused", "abandoned")
DAYS = 28
_HEIGHT, _STEP, _BAR = 120, 24, 18


def indicator_pages(rows: Sequence[Indicator], made_at: datetime) -> Iterator[Document]:
    """The page in each language."""
    days = sorted({each.day for each in rows})[-DAYS:]
    for language in LANGUAGES:
        w = WORDS[language]
        figures = _figures(rows, days, language) if days else f"<p>{w['nofigures']}</p>"
        body = (
            f'<h1>{w["indicators"]}</h1><p class="lead">{w["indicators.lead"]}</p>{figures}'
            f'<p class="faint">{w["fewrule"].format(FEWEST)}</p>'
            f"<p>{w['machine']}: "
            '<a href="/indicators/indicators.json">JSON</a>, '
            '<a href="/indicators/indicators.csv">CSV</a></p>'
        )
        foot = f"<p>{w['asof'].format(instant(made_at))}</p>"
        yield page("indicators/{}/index.html", language, w["indicators"], body, foot=foot)


def _figures(rows: Sequence[Indicator], days: Sequence[str], language: str) -> str:
    w = WORDS[language]
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for each in rows:
        totals[each.day, each.outcome] += each.exchanges or 0
    heads = [w["day"], *(w[each] for each in OUTCOMES)]
    listed = [
        [f'<time datetime="{day}">{day}</time>', *(_number(totals[day, o]) for o in OUTCOMES)]
        for day in reversed(days)
    ]
    last = [each for each in rows if each.day == days[-1]]
    counts = {(each.service, each.outcome): each for each in last}
    services = sorted({each.service for each in last})
    by_service = [
        [
            f"<code>{escape(name)}</code>",
            *(_cell(counts.get((name, o)), language) for o in OUTCOMES),
        ]
        for name in services
    ]
    return (
        _bars(days, totals, language)
        + table(
            f"{w['byservice']} ({days[-1]})",
            [w["service"], *heads[1:]],
            by_service,
            numbers=(1, 2, 3),
        )
        + table(w["lastdays"], heads, listed, numbers=(1, 2, 3))
    )


def _bars(days: Sequence[str], totals: dict[tuple[str, str], int], language: str) -> str:
    """A bar a day, refusals on top; the table below says the same in figures."""
    w = WORDS[language]
    most = max(sum(totals[day, each] for each in OUTCOMES) for day in days) or 1
    bars = []
    for place, day in enumerate(days):
        base = _HEIGHT
        said = f"{day}: " + ", ".join(f"{w[o].lower()} {totals[day, o]}" for o in OUTCOMES)
        parts = []
        for outcome in OUTCOMES:
            height = round(totals[day, outcome] * _HEIGHT / most)
            base -= height
            x = place * _STEP
            parts.append(
                f'<rect class="{outcome}" x="{x}" y="{base}" width="{_BAR}" height="{height}"/>'
            )
        bars.append(f"<g><title>{escape(said)}</title>{''.join(parts)}</g>")
    width = len(days) * _STEP
    legend = " ".join(f'<span class="key {each}">{w[each]}</span>' for each in OUTCOMES)
    return (
        f'<figure><figcaption>{w["perday"]} <span class="legend">{legend}</span></figcaption>'
        f'<svg class="bars" role="img" aria-label="{w["perday"]}"'
        f' viewBox="0 0 {width} {_HEIGHT + 1}">'
        f"{''.join(bars)}"
        f'<line x1="0" y1="{_HEIGHT}.5" x2="{width}" y2="{_HEIGHT}.5"/></svg>'
        f'<p class="axis"><span>{days[0]}</span><span>{days[-1]}</span></p></figure>'
    )


def _cell(found: Indicator | None, language: str) -> str:
    if found is None:
        return "0"
    if found.exchanges is None:
        return f'<span class="faint">{WORDS[language]["few"].format(FEWEST)}</span>'
    return _number(found.exchanges)


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
