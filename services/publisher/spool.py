"""Items on their way, in a file once they are many: a large sector takes no memory."""

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, overload

from google.protobuf.message import Message

from services.proof.snapshot import SnapshotDigest
from services.publisher.model import Item

IN_MEMORY = 8 << 20


class Spool(Sequence[Item]):
    """Items in order, and their digest. It has no name and goes with the process."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - lives with this
        self._places: list[tuple[str, int, int]] = []
        self._digest = SnapshotDigest()

    def __del__(self) -> None:
        self._file.close()

    def add(self, message: Message) -> None:
        """The next item."""
        octets, name = message.SerializeToString(), message.DESCRIPTOR.full_name
        self._places.append((name, self._file.tell(), len(octets)))
        self._file.write(octets)
        self._digest.add(name, octets)

    @property
    def digest(self) -> bytes:
        """Of all items."""
        return self._digest.value

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Item]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        name, start, size = self._places[place]
        self._file.seek(start)
        return Item(name, self._file.read(size))

    def __iter__(self) -> Iterator[Item]:
        return (self[place] for place in range(len(self)))
