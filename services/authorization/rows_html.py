"""One row of the table of grants as a card of a page. Pure."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from html import escape

from services.authorization.labels import said
from services.authorization.model import Scope
from services.authorization.publication import Edition, Labels, ended, recipients, slug
from services.authorization.words import WORDS
from services.policy.model import Grant


class Rows:
    """Cards in one language. Pages that hold them lie one folder below their index."""

    def __init__(self, edition: Edition, language: str) -> None:
        self._edition = edition
        self._names = edition.names
        self._numbers = {one.number for one in edition.deliberations}
        self._with_page = frozenset(recipients(edition))
        self._language = language
        self._words = WORDS[language]

    def institution(self, name: str) -> str:
        """What an institution is called, or its id."""
        return said(self._names.institutions.get(name, Labels()), self._language, name)

    def card(self, row: Grant, *, recipient: bool) -> str:
        """Who gets what from whom, why, and on which terms; `recipient`: say who."""
        w = self._words
        facts = [(w["recipient"], self._recipients(row))] if recipient else []
        facts += [
            (w["what"], self._elements(row.elements) or w["all"]),
            (w["from"], self._sources(row)),
            (w["service"], self._service(row)),
            (w["why"], self._purpose(row.purpose) if row.purpose else w["all"]),
            (w["basis"], escape(row.legal_basis)),
            (w["terms"], self._terms(row)),
        ]
        kind = "ban" if row.prohibition else "grant"
        over = " over" if ended(row, self._edition.at) else ""
        items = "".join(
            f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts if value
        )
        return (
            f'<article class="{kind}{over}" id="{slug(row.id)}"><h3>{self._origin(row)}'
            f' <span class="when">{self._when(row)}</span></h3><dl>{items}</dl></article>'
        )

    def scope(self, scope: Scope) -> str:
        """What the text allows at most."""
        w = self._words
        facts = [
            (w["recipient"], self._links(scope.recipients)),
            (w["what"], self._elements(scope.elements)),
            (w["why"], ", ".join(map(self._purpose, scope.purposes))),
        ]
        if scope.valid_until is not None:
            facts.append((w["end"], day(scope.valid_until)))
        items = "".join(
            f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts if value
        )
        if not items:
            return ""
        return (
            f'<section><h2>{w["scope"]}</h2><article class="over"><dl>{items}</dl></article>'
            "</section>"
        )

    def _purpose(self, purpose: str) -> str:
        return self._coded(self._names.purposes, purpose)

    def _coded(self, labels: Mapping[str, Labels], code: str) -> str:
        """A code with what it means, where the code list says so."""
        label = said(labels.get(code, Labels()), self._language)
        return f"{label} <code>{escape(code)}</code>" if label else f"<code>{escape(code)}</code>"

    def _origin(self, row: Grant) -> str:
        if row.deliberation not in self._numbers:
            return escape(row.id)
        path = f"../deliberations/{slug(row.deliberation)}.html#{slug(row.id)}"
        return f'<a href="{path}">{escape(row.id)}</a>'

    def _recipients(self, row: Grant) -> str:
        if not row.recipients:
            return self._words["everybody"]
        group = f"{escape(row.group_name)}: " if row.group_name else ""
        return group + self._links(row.recipients)

    def _links(self, institutions: Iterable[str]) -> str:
        """Institutions, each to its page where it has one."""
        return ", ".join(
            f'<a href="../institutions/{slug(name)}.html">{self.institution(name)}</a>'
            if name in self._with_page
            else self.institution(name)
            for name in sorted(institutions)
        )

    def _elements(self, elements: Collection[str]) -> str:
        if not elements:
            return ""
        items = "".join(
            f"<li>{said(self._names.elements.get(each, Labels()), self._language, each)}"
            f" <code>{escape(each)}</code></li>"
            for each in sorted(elements)
        )
        return f'<ul class="elements">{items}</ul>'

    def _sources(self, row: Grant) -> str:
        sources = sorted(self._names.sources.get(row.service, ()))
        return ", ".join(self.institution(each) for each in sources)

    def _service(self, row: Grant) -> str:
        if not row.service:
            return self._words["all"]
        label = said(self._names.services.get(row.service, Labels()), self._language, row.service)
        version = f" v{row.service_version}" if row.service_version else ""
        return f"{label} <code>{escape(row.service)}{version}</code>"

    def _terms(self, row: Grant) -> str:
        w = self._words
        terms = [", ".join(w[way.value] for way in sorted(row.ways))]
        if row.application:
            terms.append(f"{w['application']} <code>{escape(row.application)}</code>")
        if not row.prohibition:
            terms.append(self._known("caller", row.caller_capacities, row.caller_phases))
            terms.append(self._known("source", row.source_capacities, row.source_phases))
            limits = row.data_period
            for word, limit in (
                ("back", limits.days_back),
                ("span", limits.max_days),
                ("volume", row.volume_per_day),
            ):
                terms.append(w[word].format(f"{limit:,}".replace(",", " ")) if limit else "")
            terms.append("" if row.blocking else w["open"])
        items = "".join(f"<li>{each}</li>" for each in terms if each)
        return f'<ul class="terms">{items}</ul>' if items else ""

    def _known(self, side: str, capacities: frozenset[str], phases: frozenset[str]) -> str:
        codes = ", ".join(self._coded(self._names.capacities, each) for each in sorted(capacities))
        if phases:
            numbers = ", ".join(map(escape, sorted(phases)))
            codes = f"{codes} ({self._words['phase']} {numbers})"
        return f"{self._words[side]} {codes}" if codes else ""

    def _when(self, row: Grant) -> str:
        w = self._words
        if row.recorded_until is not None:
            return w["off"].format(day(row.recorded_until))
        ahead = row.valid_from > self._edition.at
        start = w["begins" if ahead else "since"].format(day(row.valid_from))
        if row.valid_until is None:
            return start
        return f"{start}, {w['until'].format(day(row.valid_until))}"


def day(at: date | datetime | None) -> str:
    """A day; of an instant, in UTC."""
    if at is None:
        return "—"
    text = (at.date() if isinstance(at, datetime) else at).isoformat()
    return f'<time datetime="{text}">{text}</time>'
