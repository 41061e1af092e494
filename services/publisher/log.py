"""The log's checkpoint and tiles, read over HTTP where logging serves them for everybody."""

from typing import Any

from crossroads.publication.v1 import publication_service_pb2 as api
from services.proof import checkpoint as checkpoints
from services.proof.tiles import tiles_between
from services.publisher.model import Collection, Shown, Snapshot
from services.publisher.spool import Spool
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.webclient import WebClient, WebError

ANSWER_SECONDS = 10.0


class Log:
    """The log as it is shown to everybody."""

    def __init__(self, *, client: WebClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        # Of one size there may be several notes, with more cosignatures.
        self._note, self._digest = "", b""

    async def newer(self, shown: Shown | None) -> Snapshot | None:
        """The newest checkpoint and the tiles that are not shown; None when there is nothing new.

        Raises UNAVAILABLE, and FAILED_PRECONDITION when the log is behind what is shown.
        """
        now = self._clock.now()
        found = await self._get("checkpoint")
        if found is None:
            return None  # nothing is logged yet
        note = found.decode("utf-8", "replace")
        size = self._size(note)
        old = 0 if shown is None else shown.version
        if size < old:
            raise CrossroadsError(
                Reason.FAILED_PRECONDITION,
                f"the log has {size} entries, and {old} are shown: an older one was put back",
            )
        if shown is not None and (size, note, shown.digest) == (old, self._note, self._digest):
            return None
        spool = Spool()
        spool.add(api.Checkpoint(note=note))
        for tile in tiles_between(old, size):
            hashes = await self._get(tile.path)
            if hashes is None:
                raise _unavailable(f"{tile.path} is not there")
            spool.add(api.Tile(level=tile.level, index=tile.index, hashes=hashes))
        self._note, self._digest = note, spool.digest
        return Snapshot(Collection.LOG, size, now, spool.digest, spool)

    async def _get(self, path: str) -> bytes | None:
        """What is there; None for nothing."""
        try:
            answer: Any = await self._client.get(path, seconds=ANSWER_SECONDS)
        except (WebError, TimeoutError) as error:
            raise _unavailable(str(error) or "no answer in time") from None
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise _unavailable(f"status {answer.status}")
        body: bytes = answer.body
        return body

    def _size(self, note: str) -> int:
        try:
            return checkpoints.parse(note).size
        except ValueError as error:
            raise _unavailable(str(error)) from None


def _unavailable(why: str) -> CrossroadsError:
    return CrossroadsError(
        Reason.UNAVAILABLE, f"the log's tiles can't be read now: {why}; this is tried again"
    )
