"""A copy of the newest checkpoint in a file, outside the database.

Contract: the file is replaced whole (written beside, then renamed), so that a reader finds one
checkpoint or the other. It is what a database that was put back from yesterday is compared with.
"""

import asyncio
import os
from pathlib import Path


class CheckpointFile:
    """The file at `path`; with "" nothing is kept."""

    def __init__(self, *, path: str) -> None:
        self._path = Path(path) if path else None
        self._turn = asyncio.Lock()  # in the order of the calls: the newest note stands

    async def read(self) -> str:
        """The note, "" when there is none."""
        if self._path is None:
            return ""
        try:
            return await asyncio.to_thread(self._path.read_text, "utf-8")
        except FileNotFoundError:
            return ""

    async def write(self, note: str) -> None:
        """Replace the note; on the disk when this returns, so that no crash leaves half of it."""
        if self._path is not None:
            async with self._turn:
                await asyncio.to_thread(_replace, self._path, note)


def _replace(path: Path, note: str) -> None:
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(note)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
