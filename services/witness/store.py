"""The witness's memory: one file of JSON, replaced whole and on the disk before a cosignature is.

Contract: `remember` returns when the file and its directory are synced. A file that can't be read
stops the witness: with an empty memory it would cosign a second history. What a log signed and the
witness did not believe goes to a file beside it, at most 1 MiB; half of that is for what proves two
histories, for anybody can send a good checkpoint with a bad proof.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

from services.proof import checkpoint as c2sp
from services.witness.model import Seen

MAX_DISPUTED = 1 << 20


class MemoryFile:
    """The file at `path`. Raises ValueError when it can't be read."""

    def __init__(self, *, path: Path) -> None:
        self._path = path
        self._seen = _load(path)
        self._disputed = path.with_name(f"{path.name}.disputed")

    def seen(self, origin: str) -> Seen | None:
        """What was cosigned last of a log."""
        return self._seen.get(origin)

    async def remember(self, origin: str, seen: Seen) -> None:
        """Keep it durably."""
        following = {**self._seen, origin: seen}
        content = json.dumps({name: each.note for name, each in following.items()}, indent=1)
        await asyncio.to_thread(_replace, self._path, content.encode())
        self._seen = following

    async def dispute(self, note: str, *, proven: bool) -> None:
        """Keep a note that was not shown to continue what was cosigned, once."""
        most = MAX_DISPUTED if proven else MAX_DISPUTED // 2
        await asyncio.to_thread(self._dispute, note, most)

    def _dispute(self, note: str, most: int) -> None:
        known = self._disputed.read_text("utf-8") if self._disputed.exists() else ""
        if note not in known and len(known) + len(note) < most:
            _replace(self._disputed, f"{known}{note}\n".encode())


def _load(path: Path) -> Mapping[str, Seen]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    try:
        return {origin: _seen(origin, note) for origin, note in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{path}: not the memory of a witness ({error}); put back the last copy, or give the"
            " witness a new key and name: with this one it must not start anew"
        ) from None


def _seen(origin: str, note: str) -> Seen:
    said = c2sp.parse(note)
    if said.origin != origin:
        raise ValueError("a note of another log")
    return Seen(said.size, said.root, note)


def _replace(path: Path, content: bytes) -> None:
    """Write beside, sync, rename, sync the directory."""
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
