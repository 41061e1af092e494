"""Versions of a table as the messages of crossroads.watch.v1, and back.

No message holds more than rows.PART_BYTES, unless a single row does. A `Change` without a digest is
continued by the next: the rest of its version, or the version that follows at once. Who receives
them applies them together, when the digest arrives.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.watch.v1.watch_pb2 import Change as ChangeMessage
from crossroads.watch.v1.watch_pb2 import Pong, Row, Snapshot, Update
from services.runtime.watch.rows import PART_BYTES, YIELD_ROWS, Change, Image

_ROW_OVERHEAD = 16


@dataclass(frozen=True)
class Burst:
    """Versions that were found together: from the state before to the one after, as messages."""

    before: int
    digest_before: bytes
    version: int
    digest: bytes
    updates: tuple[Update, ...]
    size: int


def pong(nonce: int, version: int) -> Update:
    """The answer to the ping `nonce`."""
    return Update(pong=Pong(nonce=nonce, version=version))


def snapshot_updates(image: Image) -> Iterator[Update]:
    """The whole table in parts, made one by one; the last says so and holds the digest."""
    rows: list[Row] = []
    size = 0
    for key, value in image.rows.items():
        added = len(key) + len(value) + _ROW_OVERHEAD
        if rows and size + added > PART_BYTES:
            yield Update(snapshot=Snapshot(version=image.version, rows=rows))
            rows, size = [], 0
        rows.append(Row(key=key, value=value))
        size += added
    yield Update(
        snapshot=Snapshot(
            version=image.version,
            rows=rows,
            last=True,
            digest=image.digest,
            recorded_at=timestamp(image.recorded_at),
        )
    )


async def change_updates(
    changes: Iterable[tuple[int, datetime, Change]], digest: bytes
) -> tuple[tuple[Update, ...], int]:
    """Changes in the order of their versions as messages, and the bytes that they take.

    `digest` is the table's after the last of them.
    """
    parts: list[ChangeMessage] = []
    part = ChangeMessage()
    size = total = 0
    for count, (version, recorded_at, change) in enumerate(changes):
        added = len(change.key) + len(change.value or b"") + _ROW_OVERHEAD
        if part.version != version or size + added > PART_BYTES:
            part = ChangeMessage(version=version, recorded_at=timestamp(recorded_at))
            parts.append(part)
            size = 0
        part.rows.add(key=change.key, value=change.value or b"", deleted=change.value is None)
        size += added
        total += added
        if count % YIELD_ROWS == 0:
            await asyncio.sleep(0)
    part.digest = digest
    return tuple(Update(change=message) for message in parts), total


def timestamp(instant: datetime | None) -> Timestamp | None:
    """The message for an instant (aware)."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def recorded_at(update: Snapshot | ChangeMessage) -> datetime | None:
    """When the version that `update` belongs to was recorded; None for the empty version 0."""
    return update.recorded_at.ToDatetime(tzinfo=UTC) if update.HasField("recorded_at") else None
