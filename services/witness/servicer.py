"""The witness over HTTP, as C2SP tlog-witness: add-checkpoint, and the last checkpoint to read."""

import re

from services.proof.submission import SIZE_TYPE
from services.runtime.web import Request, Response, text
from services.witness.model import ConflictError, RefusalError
from services.witness.operations import Witness

CHECKPOINT = re.compile(r"/([0-9a-f]{64})/checkpoint", re.ASCII)
_NOTE = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-cache"}


class WitnessServicer:
    """Answers requests with what the witness says."""

    def __init__(self, *, witness: Witness) -> None:
        self._witness = witness

    async def __call__(self, request: Request) -> Response:
        """One request."""
        if request.path == "/add-checkpoint":
            if request.method != "POST":
                return text(405, "POST it")
            return await self._add(request.body)
        match = CHECKPOINT.fullmatch(request.path)
        if match is None and request.path != "/":
            return text(404, "there is nothing here")
        if request.method not in ("GET", "HEAD"):
            return text(405, "GET it")
        # "/" is for whoever looks whether it answers, and as whom.
        return self._last(match[1]) if match else text(200, self._witness.key.text())

    def _last(self, log: str) -> Response:
        note = self._witness.checkpoint(log)
        if note is None:
            return text(404, "nothing of this log was cosigned")
        return Response(200, note.encode(), _NOTE)

    async def _add(self, body: bytes) -> Response:
        try:
            line = await self._witness.add_checkpoint(body)
        except ConflictError as error:
            return Response(409, f"{error.size}\n".encode(), {"content-type": SIZE_TYPE})
        except RefusalError as error:
            return text(error.status, str(error))
        return Response(200, line.encode(), _NOTE)
