"""What anybody may read of the log over HTTP, as C2SP tlog-tiles: its checkpoint and hash tiles.

Contract: only tiles of the tree that the served checkpoint is of, never an entry: entry bundles and
everything else are not there. Tiles never change and say so; the checkpoint is not to be cached.
"""

from typing import Protocol

from services.logging.model import Checkpoint
from services.logging.tree import Tree
from services.proof.merkle import HASH_SIZE
from services.proof.tiles import Tile, parse_path, width_at
from services.runtime.errors import CrossroadsError
from services.runtime.web import Request, Response, text

CHECKPOINT = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-cache"}
TILE = {
    "content-type": "application/octet-stream",
    "cache-control": "public, max-age=31536000, immutable",
}


class Served(Protocol):
    """Which checkpoint is shown."""

    @property
    def served(self) -> Checkpoint:
        """The newest whose witnesses were asked; of size 0 before the first."""
        ...


class TileServicer:
    """Answers GET and HEAD below the log's prefix, which is the root of the server."""

    def __init__(self, *, checkpoints: Served, tree: Tree) -> None:
        self._checkpoints = checkpoints
        self._tree = tree

    async def __call__(self, request: Request) -> Response:
        """One request."""
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"", {"allow": "GET, HEAD"})
        checkpoint = self._checkpoints.served
        if request.path == "/checkpoint" and checkpoint.size:
            return Response(200, checkpoint.note.encode(), CHECKPOINT)
        try:
            tile = parse_path(request.path.removeprefix("/"))
        except ValueError:
            return text(404, "there is nothing here")
        if tile.level < 0 or tile.width > width_at(tile.level, tile.index, checkpoint.size):
            return text(404, "the log does not show this")
        try:
            hashes = await self._hashes(tile)
        except CrossroadsError:
            return text(503, "the log can't read this tile now; try again")
        return Response(200, hashes, TILE)

    async def _hashes(self, tile: Tile) -> bytes:
        """A tile's octets: of one that was filled meanwhile, as many as were asked for."""
        hashes = await self._tree.tile(tile.level, tile.index)
        return hashes[: tile.width * HASH_SIZE]
