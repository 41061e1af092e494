"""The copy of the newest checkpoint in a file."""

import asyncio
from pathlib import Path

import pytest

from services.logging.published import CheckpointFile
from services.runtime.errors import CrossroadsError, Reason


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


async def test_a_file_that_cannot_be_written_or_read_is_said_to_be_unavailable(
    tmp_path: Path,
) -> None:
    with pytest.raises(CrossroadsError, match="can't be written") as refused:
        await CheckpointFile(path=str(tmp_path / "no" / "folder")).write("x")
    assert refused.value.reason is Reason.UNAVAILABLE
    assert refused.value.retry_after
    with pytest.raises(CrossroadsError, match="can't be read"):
        await CheckpointFile(path=str(tmp_path)).read()


async def test_a_damaged_octet_is_given_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(b"\xff\n")
    assert await CheckpointFile(path=str(path)).read() == "\ufffd\n"
