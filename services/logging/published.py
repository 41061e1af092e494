"""A copy of the newest checkpoint in a file, outside the database.

Contract: the file is replaced whole (written beside, then renamed), so that a reader finds one
checkpoint or the other. It is what a database that was put back from yesterday is compared with.
A disk that fails or is full is UNAVAILABLE, as for every other thing that the log needs.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.runtime.errors import CrossroadsError, Reason


class CheckpointFile:
    """The file at `path`; with "" nothing is kept."""

    def __init__(self, *, path: str) -> None:
        self._path = Path(path) if path else None
        self._turn = asyncio.Lock()  # in the order of the calls: the newest note stands

    async def read(self) -> str:
        """The note, "" when there is none. Raises UNAVAILABLE."""
        if self._path is None:
            return ""
        with _told("read"):
            try:
                # A damaged octet is for whoever parses the note to tell.
                return await asyncio.to_thread(self._path.read_text, "utf-8", "replace")
            except FileNotFoundError:
                return ""

    async def write(self, note: str) -> None:
        """Replace the note; on the disk when this returns, so that no crash leaves half of it.

        Raises UNAVAILABLE; the note that stood there stands then.
        """
        if self._path is not None:
            async with self._turn:
                with _told("written"):
                    await asyncio.to_thread(_replace, self._path, note)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        text = f"the copy of the checkpoint can't be {what}: {error.strerror or error}"
        raise CrossroadsError(Reason.UNAVAILABLE, text, retry_after=1.0) from error


def _replace(path: Path, note: str) -> None:
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(note)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
