"""What loading a snapshot of the grants takes a subscriber: read, verify, index; no network.

Contract: the messages are those of WatchGrants, put together and verified as a replica does it, and
the rows are read and indexed as routing does it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from services.cli.bench.grants import NOW
from services.policy.index import GrantTable, GrantTableBuilder
from services.policy.model import Grant
from services.routing.replicas import STEP_ROWS, WAYS, GrantReader
from services.runtime.watch.assembly import Assembly
from services.runtime.watch.messages import snapshot_updates
from services.runtime.watch.rows import Change, Image, RowHashes

_WAYS = {way: number for number, way in WAYS.items()}


async def load(rows: Iterable[Grant]) -> tuple[GrantTable, float]:
    """The table, and the seconds from the first message to it."""
    values = {row.id: _written(row) for row in rows}
    hashes = RowHashes()
    await hashes.apply(Change(key, value) for key, value in values.items())
    image = Image(1, NOW, values, await hashes.digest())
    parts = [update.snapshot for update in snapshot_updates(image)]
    started = time.process_time()
    assembly = Assembly(decode=GrantReader().read)
    for part in parts:
        whole = await assembly.add_part(part)
    assert whole is not None
    builder = GrantTableBuilder()
    grants = list(whole.rows.values())
    for start in range(0, len(grants), STEP_ROWS):
        builder.add(grants[start : start + STEP_ROWS])
        await asyncio.sleep(0)
    return builder.finish(whole.version, whole.digest), time.process_time() - started


def _written(row: Grant) -> bytes:
    """A row as WatchGrants sends it."""
    limits = row.data_period
    return authorization.Grant(
        id=row.id,
        deliberation=row.deliberation,
        prohibition=row.prohibition,
        institution=row.institution,
        institutions=sorted(row.institutions),
        group_name=row.group_name,
        application=row.application,
        service=row.service,
        service_version=row.service_version,
        elements=sorted(row.elements),
        purpose=row.purpose,
        legal_basis=row.legal_basis,
        caller_capacities=sorted(row.caller_capacities),
        source_capacities=sorted(row.source_capacities),
        data_days_back=limits.days_back or 0,
        data_max_days=limits.max_days or 0,
        ways=sorted(_WAYS[way] for way in row.ways),
        volume_per_day=row.volume_per_day or 0,
        blocking=row.blocking,
        valid_from=_stamp(row.valid_from),
        valid_until=_stamp(row.valid_until),
        recorded_from=_stamp(row.recorded_from),
        recorded_until=_stamp(row.recorded_until),
    ).SerializeToString()


def _stamp(at: datetime | None) -> Timestamp | None:
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
