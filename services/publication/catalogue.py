"""The public catalogue: what can be asked of whom, as JSON, schemas and pages. Pure.

Contract: items come in any order; a push has all of them. Everything is in order of ids, so that
the same catalogue gives the same octets.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from services.proof.record import canonical_json
from services.publication.catalogue_pages import Book, schema_path
from services.publication.model import (
    LANGUAGES,
    Code,
    Document,
    Element,
    Institution,
    Service,
    Snapshot,
    Value,
)
from services.publication.operations import Transaction
from services.runtime.errors import invalid

DATA_SET = "catalogue/catalogue.json"


class CatalogueEditor:
    """Takes one push."""

    def __init__(self, snapshot: Snapshot, _: Snapshot | None, tx: Transaction) -> None:
        self._snapshot = snapshot
        self._tx = tx
        self._found: dict[type, dict[tuple[str, ...], Any]] = defaultdict(dict)

    async def take(self, value: Value) -> None:
        """The next item."""
        if not isinstance(value, Institution | Element | Code | Service):
            raise invalid("item", "is not of the catalogue")
        key = (
            (value.list, value.code)
            if isinstance(value, Code)
            else (value.id, f"{value.version:09}")
            if isinstance(value, Service)
            else (value.id,)
        )
        if key in self._found[type(value)]:
            raise invalid("item", f"{'/'.join(key)} comes twice")
        self._found[type(value)][key] = value

    async def finish(self) -> None:
        """There are no more: make the documents."""
        book = Book(
            institutions=self._sorted(Institution),
            elements=self._sorted(Element),
            codes=self._sorted(Code),
            services=self._sorted(Service),
            at=self._snapshot.made_at,
        )
        for document in documents(book):
            await self._tx.put(document)

    def _sorted(self, kind: type[Any]) -> list[Any]:
        found = self._found[kind]
        return [found[key] for key in sorted(found)]


def documents(book: Book) -> Iterator[Document]:
    """Everything that shows a catalogue."""
    yield Document(DATA_SET, data_set(book))
    for service in book.services:
        yield Document(schema_path(service), service.schema)
    for language in LANGUAGES:
        yield from book.pages(language)


def data_set(book: Book) -> bytes:
    """The whole catalogue as one JSON file (RFC 8785)."""
    return canonical_json(
        {
            "codes": [
                {"code": each.code, "labels": each.labels._asdict(), "list": each.list}
                for each in book.codes
            ],
            "elements": [_element(each) for each in book.elements],
            "institutions": [_institution(each) for each in book.institutions],
            "services": [_service(each) for each in book.services],
        }
    )


def _element(one: Element) -> dict[str, Any]:
    return one._asdict() | {"labels": one.labels._asdict()}


def _institution(one: Institution) -> dict[str, Any]:
    return {
        "acronym": {"fr": one.acronym_fr, "nl": one.acronym_nl},
        "active": one.active,
        "id": one.id,
        "name": one.name._asdict(),
        "sector": one.sector,
    }


def _service(one: Service) -> dict[str, Any]:
    return {
        "answer_message": one.answer,
        "elements": sorted(one.elements),
        "id": one.id,
        "question_message": one.question,
        "schema": f"/{schema_path(one)}",
        "sources": sorted(one.sources),
        "title": one.title._asdict(),
        "version": one.version,
    }
