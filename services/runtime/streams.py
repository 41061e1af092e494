"""The streams that a server has open: their callers are checked again every second.

Contract: a stream whose caller may no longer call (certificate expired or revoked, application or
role gone) ends with that reason within a second. When the server stops, open-ended streams end
first, as UNAVAILABLE: nobody knows when they would by themselves.
"""

import asyncio

from services.runtime.callers import Admission, Directory
from services.runtime.errors import CrossroadsError
from services.runtime.peer import Peer


class OpenStream:
    """One stream; `ended` is why the server ended it, if it did."""

    __slots__ = ("admission", "ended", "open_ended", "peer", "task")

    def __init__(
        self, peer: Peer, admission: Admission, task: asyncio.Task[object], *, open_ended: bool
    ) -> None:
        self.peer = peer
        self.admission = admission
        self.task = task
        self.open_ended = open_ended
        self.ended: CrossroadsError | None = None

    def end(self, error: CrossroadsError) -> None:
        """Cut the handler off; its caller gets `error`."""
        if self.ended is None:
            self.ended = error
            self.task.cancel()


class OpenStreams:
    """All of them."""

    def __init__(self) -> None:
        self._open: set[OpenStream] = set()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, peer: Peer, admission: Admission, *, open_ended: bool) -> OpenStream:
        """The current task serves a stream."""
        task = asyncio.current_task()
        assert task is not None
        stream = OpenStream(peer, admission, task, open_ended=open_ended)
        self._open.add(stream)
        return stream

    def leave(self, stream: OpenStream) -> None:
        """It is over."""
        self._open.discard(stream)

    def check(self, directory: Directory | None) -> None:
        """End those whose callers may no longer call."""
        for stream in tuple(self._open):
            try:
                stream.admission.check(stream.peer, directory)
            except CrossroadsError as error:
                stream.end(error)

    def end_open_ended(self, error: CrossroadsError) -> None:
        """End those without a deadline."""
        for stream in tuple(self._open):
            if stream.open_ended:
                stream.end(error)
