"""The site over HTTP: pages, data sets, the log's checkpoint and tiles. GET and HEAD, nothing else.

Contract: what is shown is read from the store for each request, so that every process shows the
same. Pages carry validators and a policy that lets nothing run; tiles never change and say so; the
checkpoint is always asked for anew. Data may be read by pages of other sites.
"""

from collections.abc import Mapping
from typing import Protocol

from services.proof.merkle import HASH_SIZE
from services.proof.tiles import parse_path, width_at
from services.publication.home import fixed, home
from services.publication.log import CHECKPOINT
from services.publication.model import LANGUAGES, Document, Snapshot, by_collection
from services.runtime.errors import CrossroadsError
from services.runtime.web import Request, Response, text

SECURITY: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
OPEN: Mapping[str, str] = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}
CLOSED: Mapping[str, str] = {"cross-origin-resource-policy": "same-origin"}
FRESH = "no-cache"
MINUTE = "public, max-age=60, stale-if-error=86400"
EVER = "public, max-age=31536000, immutable"
_TILES = "log/"


class Store(Protocol):
    """Where what is shown is kept. All may raise STORE_UNAVAILABLE."""

    async def snapshots(self) -> list[Snapshot]:
        """What is shown, of each collection that was pushed."""
        ...

    async def document(self, path: str) -> Document | None:
        """The document at a path."""
        ...

    async def tile(self, level: int, index: int) -> tuple[int, bytes]:
        """The size of the log that is shown, and the hashes of a tile; b"" for none."""
        ...


class Site:
    """Answers requests."""

    def __init__(self, *, store: Store) -> None:
        self._store = store
        self._fixed = {each.path: each for each in fixed()}

    async def __call__(self, request: Request) -> Response:
        """One request."""
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"", {"allow": "GET, HEAD", **SECURITY})
        try:
            return await self._get(request)
        except CrossroadsError:
            busy = text(503, "this can't be read now; try again")
            return Response(503, busy.body, {**busy.headers, "retry-after": "2", **SECURITY})

    async def _get(self, request: Request) -> Response:
        path = request.path.removeprefix("/")
        if path.startswith(f"{_TILES}tile/"):
            return await self._tile(path.removeprefix(_TILES))
        if not path or path.endswith("/"):
            path += "index.html"
        document = await self._document(path)
        if document is None:
            missing = self._fixed[f"missing/{_language(path, request)}.html"]
            return Response(404, missing.content, _headers(missing, FRESH))
        headers = _headers(document, FRESH if path == CHECKPOINT else MINUTE)
        if _matches(request.headers.get("if-none-match", ""), document.etag):
            return Response(304, b"", headers)
        return Response(200, document.content, headers)

    async def _document(self, path: str) -> Document | None:
        language, _, rest = path.partition("/")
        if language in LANGUAGES and rest == "index.html":
            return home(by_collection(await self._store.snapshots()), language)
        return self._fixed.get(path) or await self._store.document(path)

    async def _tile(self, path: str) -> Response:
        """A tile of the tree that the shown checkpoint is of; never an entry bundle."""
        try:
            tile = parse_path(path)
        except ValueError:
            return Response(404, b"no such tile\n", _plain(FRESH))
        if tile.level >= 0:
            size, hashes = await self._store.tile(tile.level, tile.index)
            if tile.width <= width_at(tile.level, tile.index, size):
                kind = {**_plain(EVER), "content-type": "application/octet-stream"}
                return Response(200, hashes[: tile.width * HASH_SIZE], kind)
        return Response(404, b"the log does not show this\n", _plain(FRESH))


def _headers(document: Document, cache: str) -> dict[str, str]:
    html = document.media_type.startswith("text/html")
    return {
        "content-type": document.media_type,
        "cache-control": cache,
        "etag": document.etag,
        **(CLOSED if html else OPEN),
        **SECURITY,
    }


def _plain(cache: str) -> dict[str, str]:
    kind = "text/plain; charset=utf-8"
    return {"content-type": kind, "cache-control": cache, **OPEN, **SECURITY}


def _matches(wanted: str, etag: str) -> bool:
    """Whether If-None-Match (RFC 9110, 13.1.2) names this validator."""
    names = [each.strip().removeprefix("W/") for each in wanted.split(",")]
    return etag in names or "*" in names


def _language(path: str, request: Request) -> str:
    """That of the path, or else the first known one that the browser names, or else English."""
    parts = path.split("/")
    asked = request.headers.get("accept-language", "").replace(";", ",").split(",")
    wanted = [*parts[:2], *(each.strip()[:2].lower() for each in asked)]
    return next((each for each in wanted if each in LANGUAGES), "en")
