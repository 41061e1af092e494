"""The copy of the newest checkpoint in a file."""

import asyncio
from pathlib import Path

from services.logging.published import CheckpointFile


async def test_of_notes_written_at_once_the_last_stands_whole(tmp_path: Path) -> None:
    file = CheckpointFile(path=str(tmp_path / "checkpoint"))
    notes = [f"{number}\n" * 2000 for number in range(20)]
    await asyncio.gather(*(file.write(note) for note in notes))
    assert await file.read() == notes[-1]


async def test_without_a_file_there_is_no_note(tmp_path: Path) -> None:
    assert await CheckpointFile(path=str(tmp_path / "none")).read() == ""
    nowhere = CheckpointFile(path="")
    await nowhere.write("x")
    assert await nowhere.read() == ""
