"""A copy of the newest checkpoint in a file, outside the database.

Contract: the file is replaced whole (written beside, then renamed), so that a reader finds one
checkpoint or the other. It is what a database that was put back from yesterday is compared with.
"""

import asyncio
from pathlib import Path


class CheckpointFile:
    """The file at `path`; with "" nothing is kept."""

    def __init__(self, *, path: str) -> None:
        self._path = Path(path) if path else None

    async def read(self) -> str:
        """The note, "" when there is none."""
        if self._path is None:
            return ""
        try:
            return await asyncio.to_thread(self._path.read_text, "utf-8")
        except FileNotFoundError:
            return ""

    async def write(self, note: str) -> None:
        """Replace the note. It is small, and the page cache takes it: no thread is worth it."""
        if self._path is None:
            return
        beside = self._path.with_name(f"{self._path.name}.new")
        beside.write_text(note, "utf-8")
        beside.replace(self._path)
