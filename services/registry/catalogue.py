"""Reading the registry: institutions, the information model, code lists, the catalogue, in pages.

Contract: a page holds at most `page_size` items (0: 100) and at most 2 MiB of schemas; its token
stands for the last item shown, so that pages neither overlap nor skip when rows are added.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from services.registry.model import Code, DataElement, ExchangeService, Institution
from services.runtime.errors import invalid

DEFAULT_PAGE = 100
MAX_PAGE_BYTES = 2 * 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items, and the token to ask on with; "" at the end."""

    items: Sequence[T]
    next_token: str


class Store(Protocol):
    """Where the rows are; each list is in the order of its key, after the one given."""

    async def institutions(self, after: str, limit: int) -> list[Institution]:
        """Institutions by id."""
        ...

    async def elements(self, after: str, limit: int) -> list[DataElement]:
        """Data elements by id."""
        ...

    async def codes(self, code_list: str, after: tuple[str, str], limit: int) -> list[Code]:
        """Codes by (list, code); of all lists where `code_list` is ""."""
        ...

    async def services(self, after: tuple[str, int], limit: int) -> list[ExchangeService]:
        """Exchange services by (id, version)."""
        ...


class Catalogue:
    """The use cases that read."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    async def institutions(self, page_size: int, token: str) -> Page[Institution]:
        """The institutions of the sector."""
        (after,) = _key(token, ("",))
        size = page_size or DEFAULT_PAGE
        found = await self._store.institutions(after, size + 1)
        return _page(found[:size], len(found) > size, [(each.id,) for each in found[:size]])

    async def elements(self, page_size: int, token: str) -> Page[DataElement]:
        """The information model."""
        (after,) = _key(token, ("",))
        size = page_size or DEFAULT_PAGE
        found = await self._store.elements(after, size + 1)
        return _page(found[:size], len(found) > size, [(each.id,) for each in found[:size]])

    async def codes(self, code_list: str, page_size: int, token: str) -> Page[Code]:
        """The codes of one list, or of all."""
        after = _key(token, ("", ""))
        size = page_size or DEFAULT_PAGE
        found = await self._store.codes(code_list, after, size + 1)
        shown = found[:size]
        return _page(shown, len(found) > size, [(each.list, each.code) for each in shown])

    async def services(self, page_size: int, token: str) -> Page[ExchangeService]:
        """The exchange services that can be asked."""
        after = _key(token, ("", 0))
        size = page_size or DEFAULT_PAGE
        found = await self._store.services(after, size + 1)
        shown: list[ExchangeService] = []
        room = MAX_PAGE_BYTES
        for each in found[:size]:
            room -= len(each.schema)
            if room < 0 and shown:
                break
            shown.append(each)
        return _page(shown, len(found) > len(shown), [(each.id, each.version) for each in shown])


K = TypeVar("K", bound=tuple[str | int, ...])


def _key(token: str, first: K) -> K:
    """The key in a page token; `first`, of the same types, where there is none."""
    if not token:
        return first
    try:
        key = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        key = None
    if not isinstance(key, list) or [type(k) for k in key] != [type(k) for k in first]:
        raise invalid("page_token", "is none of this list; leave it empty to begin again")
    return type(first)(key)


def _page(items: Sequence[T], more: bool, keys: Sequence[tuple[str | int, ...]]) -> Page[T]:
    token = base64.urlsafe_b64encode(json.dumps(keys[-1]).encode()).decode() if more else ""
    return Page(items, token)
