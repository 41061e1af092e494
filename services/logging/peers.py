"""Other services behind what searches need: replaced keys, and what codes mean in words."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, cast

from google.protobuf.message import DecodeError

from crossroads.identity.v1 import identity_service_pb2 as identity
from crossroads.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.runtime.channel import Channel
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError
from services.runtime.watch.replica import Replica, watching

Labels = dict[str, str]
PURPOSES = "purpose"
"""The list of codes that purposes stand in."""

FRESH_SECONDS, RETRY_SECONDS = 600.0, 2.0

_logger = logging.getLogger(__name__)


class ReplacedKeys:
    """Which keys are those of the same person, from identity's table of replacements."""

    def __init__(self, *, rows: Replica[str]) -> None:
        self._rows = rows

    def keys_of(self, subject: str) -> Sequence[str]:
        """All keys of the same person, the current one first. Raises LEASE_EXPIRED."""
        self._rows.require()
        current = self._rows.get(subject) or subject
        return (current, *(old for old, new in self._rows.items() if new == current))


class PurposeNames:
    """What purposes are called: registry's list of codes, asked for from time to time.

    Until the first answer, and for codes that the list has not, there are no names.
    """

    def __init__(self, *, channel: Channel) -> None:
        self._stub: Any = cast("Any", RegistryServiceStub)(channel)
        self._names: dict[str, Labels] = {}

    def of(self, code: str) -> Labels:
        """The names of one purpose, by language."""
        return self._names.get(code, {})

    async def run(self) -> None:
        """Keep the names fresh, for ever."""
        while True:
            try:
                await self.refresh()
            except CrossroadsError as error:
                _logger.warning("the names of purposes are as they were: %s", error.message)
                await asyncio.sleep(RETRY_SECONDS)
            else:  # a platform that begins has none yet
                await asyncio.sleep(FRESH_SECONDS if self._names else RETRY_SECONDS)

    async def refresh(self) -> None:
        """Ask for all of them. Raises UNAVAILABLE."""
        names: dict[str, Labels] = {}
        request = registry.ListCodesRequest(list=PURPOSES, page_size=1000)
        while True:
            page = await self._stub.ListCodes(request)
            names |= {each.code: _labels(each.labels) for each in page.codes}
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        self._names = names


class CatalogueWords:
    """The titles of services and the labels of data elements, from registry's catalogue; the names
    of purposes from its codes.
    """

    def __init__(self, *, rows: Replica[Labels], purposes: PurposeNames) -> None:
        self._rows = rows
        self._purposes = purposes

    def purpose(self, code: str, language: str) -> str:
        """The name of a purpose."""
        names = self._purposes.of(code)
        return names.get(language) or names.get("en") or readable(code)

    def service(self, service: str, version: int, language: str) -> str:
        """The title of a service."""
        return self._label(f"service/{service}/{version}", language) or readable(service)

    def element(self, element: str, language: str) -> str:
        """The label of a data element."""
        return self._label(f"element/{element}", language) or readable(element)

    def _label(self, key: str, language: str) -> str:
        labels = self._rows.get(key) or {}
        return labels.get(language) or labels.get("en", "")


def readable(code: str) -> str:
    """A code without what only programs want: "UNEMPLOYMENT_BENEFIT" is "unemployment benefit"."""
    return code.replace("_", " ").replace(".", ", ").lower()


def replacements(*, channel: Channel, clock: Clock) -> Replica[str]:
    """The replica of replaced keys; `channel` leads to identity."""
    stub: Any = cast("Any", IdentityServiceStub)(channel)
    return Replica(
        name="replacements",
        connect=watching(stub.WatchReplacements, identity.WatchReplacementsRequest),
        decode=read_replacement,
        clock=clock,
    )


def catalogue(*, channel: Channel, clock: Clock) -> Replica[Labels]:
    """The replica of what the catalogue says in words; `channel` leads to registry."""
    stub: Any = cast("Any", RegistryServiceStub)(channel)
    return Replica(
        name="catalogue",
        connect=watching(stub.WatchCatalogue, registry.WatchCatalogueRequest),
        decode=read_labels,
        clock=clock,
    )


def read_replacement(key: str, value: bytes) -> str:
    """The current key of one row of WatchReplacements. Raises ValueError."""
    try:
        row = identity.Replacement.FromString(value)
    except DecodeError:
        raise ValueError("not the message of this table") from None
    if row.old_niss != key or not row.current_niss:
        raise ValueError("a replacement does not fit its key")
    return row.current_niss


def read_labels(key: str, value: bytes) -> Labels:
    """Title or label of one row of WatchCatalogue, by language. Raises ValueError."""
    try:
        row = registry.CatalogueEntry.FromString(value)
    except DecodeError:
        raise ValueError("not the message of this table") from None
    kind = row.WhichOneof("entry")
    if kind is None or not key.startswith(f"{kind}/"):
        raise ValueError("a row of the catalogue does not fit its key")
    said = row.service.title if kind == "service" else row.element.labels
    return _labels(said)


def _labels(said: registry.Labels) -> Labels:
    return {"fr": said.fr, "nl": said.nl, "de": said.de, "en": said.en}
